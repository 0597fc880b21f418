"""One forward pass on the clock, and warming up until the time no longer falls.

On a GPU the time is between two CUDA events around the call; on a CPU a monotonic clock. Nothing else is between
them: the input is on the device, and the result stays there.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from safmn_bench.profiling.devices import synchronise

WINDOW = 5  # runs per window of the warm-up
WINDOWS_COMPARED = 3
FLAT = 0.03  # the medians of the compared windows lie within 3 %
MOST_RUNS = 200
MOST_SECONDS = 20.0  # a noisy machine never gets flat: the row then says so


def time_ms(forward: Callable[[], object], device: torch.device) -> float:
    """Milliseconds of one call of `forward`, begun with the device idle and ended when the device has finished."""
    synchronise(device)
    if device.type == "cuda":
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        forward()
        end.record()
        synchronise(device)
        return float(begin.elapsed_time(end))
    started = time.perf_counter_ns()
    forward()
    return (time.perf_counter_ns() - started) / 1e6


@dataclass(kw_only=True)
class WarmUp:
    """The runs before the timed ones: every time in ms, and whether they ended flat."""

    times_ms: list[float] = field(default_factory=list)
    flat: bool = False

    def medians(self) -> list[float]:
        """The median of each full window, in ms."""
        full = len(self.times_ms) // WINDOW
        return [statistics.median(self.times_ms[i * WINDOW : (i + 1) * WINDOW]) for i in range(full)]


def is_flat(medians: list[float]) -> bool:
    """Whether the last windows agree: their medians lie within 3 % of the smallest."""
    last = medians[-WINDOWS_COMPARED:]
    return len(last) == WINDOWS_COMPARED and max(last) <= (1 + FLAT) * min(last)


def warm_up(time_once: Callable[[], float], *, most_runs: int = MOST_RUNS, seconds: float = MOST_SECONDS) -> WarmUp:
    """Run until three windows of five runs in a row agree within 3 %, or until the limits, which leaves `flat` False.

    A fixed number of warm-up runs would be a guess: autotuning, clocks, lazy loading and compilation differ by
    machine and network, and the field's harness shows what the first image costs (131.6 ms against 7.8).
    """
    found = WarmUp()
    deadline = time.monotonic() + seconds
    while not found.flat and len(found.times_ms) + WINDOW <= most_runs:
        found.times_ms += [time_once() for _ in range(WINDOW)]
        found.flat = is_flat(found.medians())
        if time.monotonic() > deadline:
            break
    return found
