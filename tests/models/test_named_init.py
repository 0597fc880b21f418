"""Weights drawn by name: equal where name and shape are, of the same distribution, and the same again."""

from pathlib import Path

import pytest
import torch
from torch import nn

from safmn_bench.models.named_init import _Draws, build_seeded
from safmn_bench.models.names import find_candidate
from safmn_bench.models.variants import VARIANTS


def state(name: str, seed: int = 0, initialisation: str = "name") -> dict[str, torch.Tensor]:
    return build_seeded(lambda: find_candidate(name).build(4), seed, initialisation).state_dict()


def equal_parts(name: str, initialisation: str) -> tuple[int, int]:
    """How many tensors of the baseline's names and shapes a network has, and how many of them start equal."""
    mine, base = state(name, initialisation=initialisation), state("baseline", initialisation=initialisation)
    both = [key for key in mine if key in base and mine[key].shape == base[key].shape]
    return len(both), sum(torch.equal(mine[key], base[key]) for key in both)


@pytest.mark.parametrize("name", [name for name in VARIANTS if name != "channel_mlp"])
def test_every_variant_starts_equal_to_the_baseline_where_name_and_shape_are_equal(name: str):
    both, equal = equal_parts(name, "name")
    assert both == equal > 0


def test_torchs_order_leaves_most_of_a_variant_unlike_the_baseline():
    """Counted by hand for w_o_CCM: without the CCM everything behind the first block starts elsewhere."""
    assert equal_parts("w_o_CCM", "order") == (100, 28)
    assert equal_parts("w_o_FM", "order") == (148, 148)


def test_biases_of_another_fan_in_start_equal_up_to_their_range():
    """channel_mlp's first convolution is 1x1 instead of 3x3: biases range over 1 / sqrt(fan-in), 3 times as wide."""
    key = "feats.0.ccm.ccm.0.bias"
    torch.testing.assert_close(state("channel_mlp")[key], 3 * state("baseline")[key])
    assert equal_parts("channel_mlp", "name") == (140, 132)


@pytest.mark.parametrize("name", ["edsr_baseline", "lapsrn", "smsr", "pan", "w_SE", "fbn"])
def test_a_networks_own_initialisation_keeps_its_spread_and_its_constants(name: str):
    named, other, ordered = state(name), state(name, seed=1), state(name, initialisation="order")
    other_order = state(name, seed=1, initialisation="order")
    random = {key for key in named if not torch.equal(ordered[key], other_order[key])}
    assert {key for key in named if not torch.equal(named[key], other[key])} == random
    for key in named:
        if key not in random:
            assert torch.equal(named[key], ordered[key])
        elif named[key].numel() > 1000:
            assert named[key].std().item() == pytest.approx(ordered[key].std().item(), rel=0.1)


class Drawn(nn.Module):
    """Weights that are drawn in parts, scaled afterwards, or copied from a draw."""

    def __init__(self, extra: bool) -> None:
        super().__init__()
        if extra:
            self.extra = nn.Linear(3, 3)
        self.parts = nn.Parameter(torch.empty(2, 4))
        with torch.no_grad():
            self.parts[0].normal_()
            self.parts[1].normal_().mul_(10)
        self.truncated = nn.Parameter(nn.init.trunc_normal_(torch.empty(50)))


def test_draws_into_parts_of_a_weight_are_its_own():
    few, many = (build_seeded(lambda extra=extra: Drawn(extra), 3, "name").state_dict() for extra in (False, True))
    assert torch.equal(few["parts"], many["parts"])
    assert torch.equal(few["truncated"], many["truncated"])
    assert not torch.equal(few["parts"][0], few["parts"][1] / 10)


def test_training_draws_the_same_numbers_whatever_was_built():
    after = []
    for name in ("baseline", "w_o_CCM"):
        state(name, seed=5)
        after.append(torch.rand(3))
    assert torch.equal(*after)


def test_a_draw_is_watched_without_importing_torch_compile():
    """Torch wraps what watches its operations so that the first of them imports Dynamo, which takes seconds."""
    assert Path(_Draws.__torch_dispatch__.__code__.co_filename).name == "named_init.py"
