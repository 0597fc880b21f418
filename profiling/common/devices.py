"""Which device computes, how it multiplies float32, and waiting for it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from safmn_bench.models.errors import UserError


def choose_device(name: str) -> torch.device:
    """`auto` (a GPU if there is one), `cpu`, `cuda` or `cuda:<n>`; a GPU always comes with its number.

    Without one `torch.cuda.set_device` refuses it, and so `auto` and `cuda` mean the current GPU by its number.
    Raises UserError for a device that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise UserError(f"No device {name!r}. Allowed: auto, cpu, cuda, or cuda:<number>.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        count = torch.cuda.device_count()
        raise UserError(f"Device {name!r} is not there: {count} CUDA devices are visible. Choose --device cpu or auto.")
    if device.type == "cuda" and device.index is None:
        # asking would initialise CUDA, which a process that only launches others must not; before that it is 0
        return torch.device("cuda", torch.cuda.current_device() if torch.cuda.is_initialized() else 0)
    return device


def set_float32_precision(precision: str) -> None:
    """How the GPU multiplies float32, in this process: "ieee" (torch's default is TF32 for convolutions) or "tf32".

    By both of torch's older switches: after one of the newer ones is set alone, reading an older one raises, and
    Inductor's autotuning reads them (torch 2.11 and 2.13).
    """
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"


@contextmanager
def flushed_denormals() -> Iterator[None]:
    """Within, this process's CPU takes numbers below 1.2e-38 as zero; they are computed many times slower than others.

    They come where a GELU sees far less than zero: after a spike of the loss, at a high learning rate, a training
    step of SAFMN took ten times as long, on and on, and takes its usual time so. To begin before the first operation:
    of the threads that share one, those that are there already stay as they were.
    """
    before = sys.float_info.min / 2 == 0
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def full_precision() -> Iterator[None]:
    """Float32 products without TF32; what was set before is put back."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    set_float32_precision("ieee")
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def usable_cores() -> int:
    """Cores that this process may run on."""
    # cpu_count also counts cores that taskset or a container withholds
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
