"""What this machine can do at most: the rate of a large matrix product and that of a large copy, measured."""

import time
from collections.abc import Callable

import torch

from safmn_bench.profiling.devices import synchronise

_MATRIX = {"cpu": 1024, "cuda": 8192}  # side of the product that measures the arithmetic rate
_COPY_BYTES = {"cpu": 2**27, "cuda": 2**31}


def matrix_rate(device: torch.device) -> float:
    """Operations per second of a float32 matrix product (two per multiply-add), the best of some."""
    side = _MATRIX[device.type]
    a, b = torch.rand(2, side, side, device=device)
    return 2 * side**3 / _best_seconds(lambda: a @ b, device)


def copy_rate(device: torch.device) -> float:
    """Bytes read and written per second by a copy, the best of some."""
    source = torch.zeros(_COPY_BYTES[device.type] // 4, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _best_seconds(lambda: target.copy_(source), device)


def _best_seconds(work: Callable[[], object], device: torch.device, repeats: int = 10) -> float:
    seconds = []
    for _ in range(repeats):
        synchronise(device)
        started = time.perf_counter()
        work()
        synchronise(device)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
