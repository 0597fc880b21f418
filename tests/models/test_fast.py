"""The fast form: the same results on a real photograph, the same state, and it trains alike."""

import copy
from typing import Any

import pytest
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from safmn_bench.models.blocks import LayerNorm2d
from safmn_bench.models.catalog import MODELS, build_model
from safmn_bench.models.fast import FAST_FORMS, FastSAFM, has_fast_form, optimise
from safmn_bench.models.safmn import SAFM, SAFMN, SAFMNConfig
from safmn_bench.models.variants import VARIANTS
from safmn_bench.profiling.common.sample_images import photograph

# Sizes whose halving goes on for all three levels, for two (as 320x180, the paper's), for none, and a tiny one.
SIZES = [(64, 96), (36, 64), (37, 53), (2, 3)]


def relative_difference(plain: nn.Module, fast: nn.Module, lr: torch.Tensor) -> float:
    with torch.inference_mode():
        expected = plain(lr)
        got = fast(lr.contiguous(memory_format=torch.channels_last))
    return float((got - expected).abs().max() / expected.abs().max())


def with_live_norms(network: nn.Module) -> nn.Module:
    """Norm weights away from one and zero, so that leaving them out would show."""
    torch.manual_seed(5)
    for name, tensor in network.state_dict().items():
        if ".norm" in name and tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    return network.eval()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", VARIANTS)
def test_fast_variants_agree_to_1e_5_on_a_photograph(name: str, size: tuple[int, int]):
    torch.manual_seed(1)
    plain = with_live_norms(VARIANTS[name].build(4))
    assert relative_difference(plain, optimise(copy.deepcopy(plain)), photograph(*size)) <= 1e-5


@pytest.mark.parametrize("name", [name for name in MODELS if name != "safmn"])
def test_fast_form_of_another_network_agrees(name: str):
    torch.manual_seed(1)
    plain = build_model(name, MODELS[name].scales[-1]).eval()
    assert relative_difference(plain, optimise(copy.deepcopy(plain)), photograph(24, 32)) <= 1e-5


def test_blocks_of_other_networks_that_know_a_fused_form_are_told():
    network = optimise(build_model("shufflemixer", 4))
    told = [module.fused for module in network.modules() if hasattr(module, "fused")]
    assert told
    assert all(told)


@pytest.mark.parametrize("pooling", ["max", "avg", "nearest"])
@pytest.mark.parametrize("size", [*SIZES, (8, 8), (45, 48)])
def test_nested_pyramid_is_the_plain_one_for_every_pooling(pooling: str, size: tuple[int, int]):
    torch.manual_seed(2)
    safm = SAFM(SAFMNConfig(pooling=pooling))
    x = torch.randn(2, 36, *size)
    expected = safm(x)
    fast = optimise(safm)
    assert isinstance(fast, FastSAFM)
    torch.testing.assert_close(fast(x), expected, rtol=1e-5, atol=1e-6)


class Called(TorchFunctionMode):
    """The names of all functions that are called within it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func.__name__)
        return func(*args, **(kwargs or {}))


def test_nothing_is_pooled_adaptively_upsampled_by_channel_or_concatenated_where_sides_divide():
    slow, x = {"adaptive_max_pool2d", "interpolate", "cat"}, torch.randn(1, 36, 16, 24)
    plain, fast = Called(), Called()
    with torch.no_grad(), plain:
        SAFM(SAFMNConfig())(x)
    with torch.no_grad(), fast:
        optimise(SAFM(SAFMNConfig()))(x)
    assert slow <= plain.names
    assert not slow & fast.names


def test_fast_form_keeps_keys_values_and_class_of_the_network():
    torch.manual_seed(0)
    network = SAFMN(SAFMNConfig(n_blocks=1), scale=2)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    fast = optimise(network)
    assert fast is network
    assert list(fast.state_dict()) == list(before)
    assert all(torch.equal(value, before[key]) for key, value in fast.state_dict().items())
    assert all(issubclass(quick, plain) for plain, quick in FAST_FORMS.items())


def test_copies_of_a_fast_network_have_weights_of_their_own():
    network = optimise(SAFMN(SAFMNConfig(n_blocks=1), scale=2))
    other = copy.deepcopy(network)
    lr = photograph(8, 8)
    with torch.no_grad():
        before = network(lr)
        for parameter in other.parameters():
            parameter.zero_()
        assert torch.equal(network(lr), before)
        assert other(lr).abs().max() == 0


@pytest.mark.parametrize("name", ["baseline", "avg_pool", "inverted_residual", "w_o_FM"])
def test_fast_form_has_the_gradients_of_the_plain_one(name: str):
    torch.manual_seed(3)
    plain = with_live_norms(VARIANTS[name].build(2))
    fast = optimise(copy.deepcopy(plain))
    lr = photograph(20, 24)
    for network in (plain, fast):
        network(lr).square().mean().backward()
    for (key, expected), got in zip(plain.named_parameters(), fast.parameters(), strict=True):
        scale = expected.grad.abs().max() + 1e-8  # type: ignore[union-attr]
        assert (got.grad - expected.grad).abs().max() <= 1e-4 * scale, key  # type: ignore[operator]


def test_of_others_networks_none_is_known_to_have_a_fast_form():
    """A LayerNorm of this suite in a network of one's own: what stands around it may read memory in its order."""
    known = {name for name in MODELS if has_fast_form(build_model(name, 4))}
    assert {"safmn", "shufflemixer"} <= known
    assert not {"bicubic", "carn", "imdn"} & known
    assert not has_fast_form(nn.Sequential(nn.Conv2d(3, 8, 1), LayerNorm2d(8), nn.GELU()))
