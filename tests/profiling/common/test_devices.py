"""What would go wrong on a GPU's first contact, held by a mocked device and version strings."""

import pytest
import torch

from safmn_bench.profiling.common import machine
from safmn_bench.profiling.common.devices import choose_device, full_precision, set_float32_precision


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)


@pytest.mark.parametrize(
    ("name", "device"), [("auto", "cuda:1"), ("cuda", "cuda:1"), ("cuda:0", "cuda:0"), ("cpu", "cpu")]
)
def test_a_gpu_is_named_by_its_number(name: str, device: str, two_gpus: None):
    """`torch.cuda.set_device(torch.device("cuda"))` raises: it needs an index."""
    assert str(choose_device(name)) == device


def test_both_older_switches_stay_readable_and_full_precision_puts_them_back():
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    try:
        set_float32_precision("tf32")
        assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (True, True)
        with full_precision():
            assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (False, False)
        assert (torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32) == (True, True)
        assert torch.get_float32_matmul_precision() == "high"  # autotuning reads this
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before


def test_the_version_of_torch_names_its_build(monkeypatch: pytest.MonkeyPatch):
    """The package's own number lacks it: a CPU build and a CUDA build of 2.11.0 look alike there."""
    monkeypatch.setattr(machine.torch, "__version__", "2.11.0+cu130")
    assert machine.versions()["torch"] == "2.11.0+cu130"
