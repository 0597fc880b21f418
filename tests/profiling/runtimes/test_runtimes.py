"""Runtimes outside PyTorch: the same pixels, what is said of a missing one, and what is kept open."""

import os
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.profiling.common.memory import peak_memory_mib, resident_mib
from safmn_bench.profiling.common.sample_images import photograph
from safmn_bench.profiling.runtimes import runtime as runtime_module
from safmn_bench.profiling.runtimes.catalog import RUNTIMES
from safmn_bench.profiling.runtimes.in_openvino import library
from safmn_bench.profiling.runtimes.runtime import KEPT_OPEN, InRuntime, Runtime, Setting, file_mib
from safmn_bench.profiling.timing.forms import AnySize, Job, check
from safmn_bench.profiling.timing.options import IMPLEMENTATIONS


def skip_without(name: str) -> None:
    missing = [package for package in RUNTIMES[name].packages if find_spec(package) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


def doubling(converted: list[tuple[int, ...]], by: float = 2) -> Runtime:
    """A runtime that multiplies LR, and notes what it converts."""

    def convert(network: nn.Module, shape: tuple[int, ...]) -> dict[str, bytes]:
        converted.append(shape)
        return {"network": bytes(2**20)}

    def start(files: object, setting: Setting) -> runtime_module.Run:
        return lambda lr: by * lr

    return Runtime(title="Doubling", packages=("torch",), extra="doubling", convert=convert, start=start)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNTIMES)
def test_a_runtime_gives_the_networks_pixels_also_where_the_pyramid_does_not_divide(name: str):
    skip_without(name)
    torch.manual_seed(0)
    network = SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2).eval()
    in_runtime = InRuntime(network, RUNTIMES[name], Setting(threads=1))
    for size in ((19, 37), (16, 24)):
        with torch.inference_mode():
            difference = (in_runtime(photograph(*size)) - network(photograph(*size))).abs().max()
        assert difference <= 1e-5


@pytest.mark.slow
def test_bfloat16_in_openvino_is_rounded_to_8_bits_of_mantissa():
    """Unit roundoff 2^-8 = 0.0039: off by more than float32 ever is, and by less than a few grey levels of 1/255."""
    skip_without("openvino")
    conv = nn.Conv2d(3, 3, 3, padding=1)
    rounded = InRuntime(conv, RUNTIMES["openvino"], Setting(threads=1, dtype="bf16"))
    with torch.inference_mode():
        difference = (rounded(photograph(16, 16)) - conv(photograph(16, 16))).abs().max()
    assert 1e-4 < difference < 0.02


def test_every_runtime_is_an_implementation_that_latency_takes():
    assert set(RUNTIMES) <= set(IMPLEMENTATIONS)


@pytest.mark.parametrize(("name", "extra"), [("onnxruntime", "onnx"), ("openvino", "openvino"), ("ncnn", "ncnn")])
def test_a_missing_runtime_says_how_to_install_it(name: str, extra: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(runtime_module, "find_spec", lambda package: None)
    with pytest.raises(UserError, match=rf"fp32 is not installed \(missing: .*pip install 'safmn-bench\[{extra}\]'"):
        RUNTIMES[name].require()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"implementation": "ncnn", "dtype": "bf16"}, "measured in fp32 only"),
        ({"implementation": "openvino", "device": "cuda"}, "openvino implementation is a CPU's"),
    ],
)
def test_forms_that_a_runtime_has_not_are_refused(changes: dict[str, str], message: str):
    fields = {"dtype": "fp32", "device": "cpu", **changes}
    with pytest.raises(UserError, match=message):
        check(Job(model="safmn", scale=2, height=8, width=8, threads=1, **fields))  # type: ignore[arg-type]


def test_a_size_is_converted_once_and_few_are_kept_open():
    converted: list[tuple[int, ...]] = []
    network = InRuntime(nn.Upsample(scale_factor=1), doubling(converted, by=1), Setting(threads=1))
    for side in (8, 8, 9, 8):
        assert torch.equal(network(torch.ones(1, 3, side, side)), torch.ones(1, 3, side, side))
    assert converted == [(1, 3, 8, 8), (1, 3, 9, 9)]
    for side in range(10, 10 + KEPT_OPEN):
        network(torch.ones(1, 3, side, side))
    network(torch.ones(1, 3, 8, 8))
    assert converted.count((1, 3, 8, 8)) == 2


def test_a_conversion_that_strays_at_a_size_is_refused_there():
    network = InRuntime(nn.Identity(), doubling([], by=1.001), Setting(threads=1))
    with pytest.raises(UserError, match="Doubling differs from PyTorch by 9.3e-04 in float32 at LR 12x8, more than 0"):
        network(torch.ones(1, 3, 8, 12))


def test_the_size_of_a_converted_network_is_that_of_its_files():
    assert file_mib({"a": bytes(2**20), "b": bytes(2**19)}) == 1.5


@pytest.mark.parametrize("implementation", ["eager", "fast"])
def test_a_form_for_any_size_is_the_network_in_float32(implementation: str):
    job = Job(
        model="n4", scale=2, implementation=implementation, dtype="fp32", device="cpu", height=8, width=8, threads=1
    )
    torch.manual_seed(0)
    lr = torch.rand(1, 3, 9, 11)
    with torch.inference_mode():
        sr = AnySize(job)(lr)
        plain = AnySize(Job(**{**vars(job), "implementation": "eager"}))(lr)
    assert sr.shape == (1, 3, 18, 22)
    assert (sr - plain).abs().max() <= 1e-5


def test_memory_that_a_runtime_took_before_its_pass_counts():
    before = resident_mib()
    if before is None:
        pytest.skip("needs /proc/self/status")
    held = np.ones(2**23)  # 64 MiB
    peak = peak_memory_mib(lambda: held.sum(), 0.0, torch.device("cpu"), before)
    assert peak is not None
    assert 60 < peak < 80


def test_openvino_is_imported_as_in_ci_where_it_reports_nothing_and_the_environment_stays(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.delenv("CI", raising=False)
    seen = []
    in_openvino = library.__globals__
    monkeypatch.setitem(in_openvino, "import_module", lambda name: seen.append((name, os.environ["CI"])))
    library()
    assert seen == [("openvino", "true")]
    assert "CI" not in os.environ
