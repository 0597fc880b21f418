"""One forward pass on the clock, and warming up until the time no longer falls.

On a GPU the time is between two CUDA events around the call; on a CPU a monotonic clock. Nothing else is between
them: the input is on the device, and the result stays there.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

from safmn_bench.profiling.devices import synchronise

WINDOW = 5  # runs per window of the warm-up
WINDOWS_COMPARED = 3
FLAT = 0.03  # the medians of the compared windows lie within 3 %, or within what noise alone explains
RANGE_BY_NOISE = 3.31 * 0.535
"""95 % point of the range of three normal values, times the standard error of a median of five, in single deviations.

Harter (1960), tables of range and studentised range; 0.535: Maritz and Jarrett (1978), the median of small samples.
"""
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

    def windows(self) -> list[list[float]]:
        """The times cut into full windows, in ms."""
        return [self.times_ms[end - WINDOW : end] for end in range(WINDOW, len(self.times_ms) + 1, WINDOW)]


def is_flat(windows: Sequence[Sequence[float]]) -> bool:
    """Whether the last three windows agree: their medians lie within 3 %, or no further apart than by chance.

    Chance is judged by the scatter within the windows: on a busy machine medians of a steady time differ by more than
    3 %. A time that still falls moves the medians by several times what it scatters within a window.
    """
    last = windows[-WINDOWS_COMPARED:]
    if len(last) < WINDOWS_COMPARED:
        return False
    medians = [statistics.median(times) for times in last]
    return max(medians) - min(medians) <= max(FLAT * min(medians), RANGE_BY_NOISE * scatter(last))


def scatter(windows: Sequence[Sequence[float]]) -> float:
    """Robust standard deviation within windows, in ms: the median distance from each window's median, times 1.4826.

    The medians themselves, whose distance is always zero, are left out.
    """
    distances = []
    for times in windows:
        middle = statistics.median(times)
        distances += sorted(abs(ms - middle) for ms in times)[1:]
    return 1.4826 * statistics.median(distances)


def warm_up(time_once: Callable[[], float], *, most_runs: int = MOST_RUNS, seconds: float = MOST_SECONDS) -> WarmUp:
    """Run until three windows of five runs in a row agree (`is_flat`), or until the limits, which leaves `flat` False.

    A fixed number of warm-up runs would be a guess: autotuning, clocks, lazy loading and compilation differ by
    machine and network, and the field's harness shows what the first image costs (131.6 ms against 7.8).
    """
    found = WarmUp()
    deadline = time.monotonic() + seconds
    while not found.flat and len(found.times_ms) + WINDOW <= most_runs:
        found.times_ms += [time_once() for _ in range(WINDOW)]
        found.flat = is_flat(found.windows())
        if time.monotonic() > deadline:
            break
    return found
