"""The native form against the plain network in float64: any size, scale, depth, batch, variant and kind of register."""

import copy
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from safmn_bench.models.catalog import build_model
from safmn_bench.models.errors import UserError
from safmn_bench.models.native.build import AVX2, AVX512, BASELINE, Instructions, instructions
from safmn_bench.models.native.form import NativeSAFMN, native_form, refusal
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.models.variants import VARIANTS
from safmn_bench.models.weights import load_weights
from safmn_bench.profiling.common.sample_images import photograph

pytestmark = pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "c++", "clang++"))), reason="the native form needs a C++ compiler"
)
LIMIT = 2e-5  # of the largest value of the result; measured: 1e-6 to 5e-6, the plain network in float32 1e-6
REFUSED_MIXERS = ("se", "inverted_residual")


def live(config: SAFMNConfig, scale: int = 2) -> SAFMN:
    """A network whose norms and statistics are away from one and zero, so that leaving them out would show."""
    torch.manual_seed(3)
    network = SAFMN(config, scale=scale).eval().requires_grad_(False)
    for name, tensor in network.state_dict().items():
        if (".norm" in name) and tensor.is_floating_point():
            tensor.uniform_(0.5, 1.5)
    return network


def error(network: nn.Module, native: nn.Module, lr: torch.Tensor) -> float:
    """Largest difference from the network in float64, relative to its largest value."""
    with torch.inference_mode():
        expected = copy.deepcopy(network).double()(lr.double())
        return float((native(lr) - expected).abs().max() / expected.abs().max())


# One pixel, lines, primes, whole tiles and strips (a strip is 80 pixels wide) and one more or less.
SIZES = [(1, 1), (1, 2), (1, 37), (41, 1), (2, 3), (4, 4), (5, 5), (7, 83)]
SIZES += [(13, 17), (23, 79), (24, 80), (25, 81), (61, 167)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))
def test_any_size(size: tuple[int, int]):
    network = live(SAFMNConfig(n_blocks=2))
    assert error(network, native_form(network), photograph(*size)) <= LIMIT


@pytest.mark.parametrize("blocks", [1, 4, 8, 12])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_any_scale_and_depth(scale: int, blocks: int):
    network = live(SAFMNConfig(n_blocks=blocks), scale)
    assert error(network, native_form(network), photograph(18, 32)) <= LIMIT


def test_images_of_a_batch_are_those_of_single_calls():
    network = live(SAFMNConfig(n_blocks=2))
    native, lr = native_form(network), torch.rand(3, 3, 19, 27, generator=torch.Generator().manual_seed(0))
    together = native(lr)
    assert torch.equal(together, torch.cat([native(image[None]) for image in lr]))
    assert torch.equal(native(lr.contiguous(memory_format=torch.channels_last)), together)
    assert native(lr[:0]).shape == (0, 3, 38, 54)


def test_threads_do_not_change_a_bit():
    native, lr = native_form(live(SAFMNConfig(n_blocks=3))), photograph(45, 170)
    results = []
    for threads in (1, 2, 3, 8):
        torch.set_num_threads(threads)
        results.append(native(lr))
    assert all(torch.equal(result, results[0]) for result in results)


def variants() -> Iterator[Any]:
    """Those with a native form; one with other levels is a geometry of its own, and compiled for it: slow."""
    for name, variant in VARIANTS.items():
        if variant.config is not None and variant.config.mixer not in REFUSED_MIXERS:
            yield pytest.param(variant.config, id=name, marks=[pytest.mark.slow] if variant.config.levels != 4 else [])


@pytest.mark.parametrize("config", list(variants()))
def test_variant(config: SAFMNConfig):
    network = live(replace(config, n_blocks=2))
    for size in ((20, 24), (13, 31)):
        assert error(network, native_form(network), photograph(*size)) <= LIMIT


@pytest.mark.parametrize("pooling", ["max", "avg", "nearest"])
@pytest.mark.parametrize("size", [(8, 16), (9, 17), (15, 23), (1, 9), (3, 2)])
def test_pooling_at_sizes_that_do_not_divide(pooling: str, size: tuple[int, int]):
    network = live(SAFMNConfig(n_blocks=1, pooling=pooling))
    assert error(network, native_form(network), photograph(*size)) <= LIMIT


def test_sigmoid_without_modulation_keeps_the_padding_out_of_the_norms():
    network = live(SAFMNConfig(n_blocks=2, activation="sigmoid", modulate=False))
    assert error(network, native_form(network), photograph(9, 10)) <= LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(
    "config", [SAFMNConfig(dim=20, levels=2, n_blocks=1, expansion=1.5), SAFMNConfig(dim=64, n_blocks=1)]
)
def test_another_geometry(config: SAFMNConfig):
    network = live(config)
    assert error(network, native_form(network), photograph(13, 90)) <= LIMIT


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [BASELINE, replace(AVX512, flags=AVX2.flags)], ids=["4 floats", "16 floats as two AVX2 registers"]
)
def test_another_width_of_registers(kind: Instructions):
    if kind.lanes == 16 and instructions() not in (AVX2, AVX512):
        pytest.skip("needs AVX2")
    for name in ("baseline", "channel_mlp", "l2_norm"):
        config = VARIANTS[name].config
        assert config is not None
        network = live(replace(config, n_blocks=2), 3)
        assert error(network, NativeSAFMN(network, kind), photograph(13, 90)) <= LIMIT


def test_published_weights(shared: Callable[[str], Path]):
    network = SAFMN(SAFMNConfig(), scale=2).eval().requires_grad_(False)
    load_weights(network, shared("weights/safmn_x2.pth"))
    assert error(network, native_form(network), photograph(60, 77)) <= LIMIT


def test_weights_are_those_of_the_moment():
    network = live(SAFMNConfig(n_blocks=1))
    native, lr = native_form(network), photograph(8, 8)
    before = native(lr)
    for parameter in network.parameters():
        parameter.zero_()
    assert torch.equal(native(lr), before)
    assert native_form(network)(lr).abs().max() == 0


def test_compiled_call_gives_the_same():
    native, lr = native_form(live(SAFMNConfig(n_blocks=1))), photograph(8, 8)
    with torch.inference_mode():
        assert torch.equal(torch.compile(lambda x: native(x), backend="eager")(lr), native(lr))


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        (
            SAFMN(SAFMNConfig(mixer="se"), scale=2),
            "The native form has no mixer 'se', only 'none', 'ccm', 'channel_mlp': choose the fast form.",
        ),
        (
            SAFMN(SAFMNConfig(mixer="inverted_residual"), scale=2),
            "The native form has no mixer 'inverted_residual', only 'none', 'ccm', 'channel_mlp': choose the fast "
            "form.",
        ),
        (
            SAFMN(SAFMNConfig(n_blocks=1), scale=5),
            "The native form has the scales 2, 3 and 4, not 5: choose the fast form.",
        ),
        (
            build_model("espcn", 2),
            "The native form is SAFMN's and its variants', and ESPCN is neither: choose another.",
        ),
    ],
    ids=["se", "inverted_residual", "x5", "espcn"],
)
def test_network_without_a_native_form_is_refused(network: nn.Module, sentence: str):
    assert refusal(network) == sentence
    with pytest.raises(UserError) as caught:
        native_form(network)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("lr", "sentence"),
    [
        (torch.rand(3, 8, 8), "takes images of shape (B, 3, H, W), not (3, 8, 8)."),
        (torch.rand(1, 1, 8, 8), "takes images of shape (B, 3, H, W), not (1, 1, 8, 8)."),
        (torch.rand(1, 3, 0, 8), "takes images of shape (B, 3, H, W), not (1, 3, 0, 8)."),
        (torch.rand(1, 3, 8, 8).double(), "takes float32 on the CPU, not torch.float64 on cpu: choose the fast form."),
        (
            torch.rand(1, 3, 8, 8, device="meta"),
            "takes float32 on the CPU, not torch.float32 on meta: choose the fast form.",
        ),
        (
            torch.rand(1, 3, 8, 8, requires_grad=True),
            "has no gradients: choose the fast form, or call it in torch.inference_mode().",
        ),
    ],
    ids=["no batch", "grey", "empty", "float64", "meta", "gradients"],
)
def test_input_that_it_cannot_take_is_refused(lr: torch.Tensor, sentence: str):
    with pytest.raises(UserError) as caught:
        native_form(live(SAFMNConfig(n_blocks=1)))(lr)
    assert str(caught.value) == f"The native form {sentence}"


def test_it_neither_trains_nor_is_traced():
    native = native_form(live(SAFMNConfig(n_blocks=1)))
    assert not native.training
    with pytest.raises(UserError, match="does not train"):
        native.train()
    with pytest.raises(UserError, match="cannot be traced"):
        torch.jit.trace(native, photograph(8, 8))
