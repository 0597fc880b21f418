"""Kept tensors are plain ones, whoever asks for them first."""

from collections.abc import Callable

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from safmn_bench.models.catalog import build_model
from safmn_bench.models.color import rgb_to_ycbcr
from safmn_bench.models.keeping import kept
from safmn_bench.models.resize import taps


def in_inference(ask: Callable[[], object]) -> None:
    with torch.inference_mode():
        ask()


def under_fake_tensors(ask: Callable[[], object]) -> None:
    with FakeTensorMode():
        ask()


def on_the_meta_device(ask: Callable[[], object]) -> None:
    with torch.device("meta"):
        ask()


def in_a_trace(ask: Callable[[], object]) -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        ask()
        return x

    make_fx(function, tracing_mode="symbolic")(torch.zeros(2))
    torch.jit.trace(function, torch.zeros(2))


@pytest.mark.parametrize("first", [in_inference, under_fake_tensors, on_the_meta_device, in_a_trace])
def test_kept_tensors_are_plain_whoever_asks_first(first: Callable[[Callable[[], object]], None]):
    halves = kept(4)(lambda n: torch.arange(n) / 2)
    first(lambda: halves(3))
    assert type(halves(3)) is torch.Tensor
    assert not halves(3).is_inference()
    assert halves(3).tolist() == [0.0, 0.5, 1.0]


def test_a_network_of_luma_works_after_its_export():
    """Taps and colours that an export asked for first serve the plain network, in training too."""
    network, rgb = build_model("espcn", 2), torch.rand(1, 3, 7, 29)  # a size that no other test has
    torch.export.export(network, (rgb,))
    network(rgb).mean().backward()
    assert type(taps(29, 58)[0]) is torch.Tensor
    assert rgb_to_ycbcr(torch.ones(1, 3, 1, 1)).flatten().mul(255).round().tolist() == [235.0, 128.0, 128.0]
