"""Merging a re-parameterised network, whatever word its author has for it, and leaving all others alone."""

import pytest
import torch
from torch import nn

from safmn_bench.models.catalog import build_model
from safmn_bench.models.reparameterisation import convolution, deployed, inference_form
from safmn_bench.models.rivals.span import ChainedConv
from safmn_bench.profiling.counting.flops import counted_at


class TwoBranches(nn.Module):
    """A 3x3 beside a 1x1; three parts more that share a name for merging derive from it."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.plain: nn.Conv2d | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.plain(x) if self.plain is not None else self.wide(x) + self.narrow(x)

    def merged(self) -> nn.Conv2d:
        assert self.wide.bias is not None
        assert self.narrow.bias is not None
        weight = self.wide.weight + nn.functional.pad(self.narrow.weight, (1, 1, 1, 1))
        return convolution((weight, self.wide.bias + self.narrow.bias))

    def in_place(self) -> None:
        self.plain = self.merged()
        del self.wide, self.narrow


class Returning(TwoBranches):
    def deployed(self) -> nn.Module:
        return self.merged()


class RepVGGLike(TwoBranches):
    def switch_to_deploy(self) -> None:
        self.in_place()


class MobileOneLike(TwoBranches):
    def reparameterize(self) -> None:
        self.in_place()


@pytest.mark.parametrize("part", [Returning, RepVGGLike, MobileOneLike])
@torch.inference_mode()
def test_every_word_for_merging_is_understood_and_the_network_stays_as_it_was(part: type[TwoBranches]):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Sequential(part()), nn.ReLU(), part()).double()
    x, before = torch.rand(2, 4, 6, 5, dtype=torch.float64), [*network.state_dict()]
    merged = deployed(network)
    assert (merged(x) - network(x)).abs().max() < 1e-12
    assert sum(p.numel() for p in merged.parameters()) == 2 * (4 * 4 * 9 + 4)
    assert [*network.state_dict()] == before


@pytest.mark.parametrize("part", [Returning, RepVGGLike])
@torch.inference_mode()
def test_part_that_stands_in_two_places_is_merged_once(part: type[TwoBranches]):
    shared = part()
    network = nn.Sequential(shared, nn.ReLU(), shared)
    merged = deployed(network)
    assert merged[0] is merged[2]  # type: ignore[index]
    assert (merged(torch.ones(1, 4, 3, 3)) - network(torch.ones(1, 4, 3, 3))).abs().max() < 1e-5


def test_network_without_such_parts_is_returned_itself():
    network = build_model("imdn", 4)
    assert deployed(network) is network


def test_merging_moves_no_random_number_and_keeps_the_mode():
    network = build_model("span_ntire26", 4).train()
    state = torch.get_rng_state()
    assert deployed(network).training
    assert torch.equal(torch.get_rng_state(), state)
    assert not inference_form(network).training


@pytest.mark.parametrize("name", ["ecbsr_m16c64", "span_ntire26"])
@torch.inference_mode()
def test_fresh_training_form_equals_the_deployed_one(name: str):
    torch.manual_seed(0)
    network, rgb = build_model(name, 4).eval(), torch.rand(1, 3, 17, 13)
    expected = network(rgb)
    assert expected.std() > 0.05
    assert (deployed(network)(rgb) - expected).abs().max() < 1e-5 * max(1.0, expected.abs().max().item())


@torch.inference_mode()
def test_chain_with_bias_merges_exactly_at_the_border_too():
    torch.manual_seed(0)
    chain, x = ChainedConv(3, 5).double(), torch.rand(1, 3, 4, 6, dtype=torch.float64)
    expected = chain(x)
    assert (chain.deployed()(x) - expected).abs().max() < 1e-14
    chain.fused = True
    assert (chain(x) - expected).abs().max() < 1e-14


def test_what_is_counted_is_the_deployed_form():
    module, shape = counted_at(build_model("span_ntire26", 4), 24, 40)
    assert shape == (1, 3, 24, 40)
    assert sum(p.numel() for p in module.parameters()) == 150688


class FusingLayer(nn.Module):
    """A layer that is called `fuse`, as in LAPAR and EFDN: it merges nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.fuse = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fuse(x)


class FusingMethod(nn.Module):
    """A method that joins the features it is given."""

    def fuse(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a + b

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fuse(x, x)


@pytest.mark.parametrize("make", [FusingLayer, FusingMethod])
def test_what_is_only_called_so_is_left_alone(make: type[nn.Module]):
    network = make()
    assert deployed(network) is network
