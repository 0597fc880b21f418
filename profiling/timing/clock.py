"""One forward pass on the clock, warming up until the time no longer falls, and what many timings say together.

On a GPU the time is between two CUDA events around the call; on a CPU a monotonic clock. Nothing else is between
them: the input is on the device, and the result stays there. Of many timings: the median, the spread, how sure the
median is, and which of several networks are told apart.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from safmn_bench.profiling.common.devices import synchronise

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
    # a normal distribution's upper quartile is 1 / 1.4826 standard deviations
    return 1.4826 * statistics.median(distances)


def warm_up(time_once: Callable[[], float], *, most_runs: int = MOST_RUNS, seconds: float = MOST_SECONDS) -> WarmUp:
    """Run until three windows of five runs in a row agree (`is_flat`), or until the limits, which leaves `flat` False.

    A fixed number of warm-up runs would be a guess: autotuning, clocks, lazy loading and compilation differ by
    machine and network, and the field's harness shows what the first image costs (131.6 ms against 7.8). The limit of
    `seconds` begins after the first run, since that one compiles, which may take longer than the limit.
    """
    warm = WarmUp(times_ms=[time_once()])
    deadline = time.monotonic() + seconds
    while not warm.flat and len(warm.times_ms) < most_runs // WINDOW * WINDOW:
        warm.times_ms += [time_once() for _ in range(WINDOW - len(warm.times_ms) % WINDOW)]
        warm.flat = is_flat(warm.windows())
        if time.monotonic() > deadline:
            break
    return warm


RESAMPLES = 2000
CONFIDENCE_PERCENT = 95


@dataclass(frozen=True, kw_only=True)
class Spread:
    """A distribution of times in ms; `ci_low_ms` to `ci_high_ms` is the bootstrap 95 % interval of the median."""

    median_ms: float
    p10_ms: float
    p90_ms: float
    mean_ms: float
    ci_low_ms: float
    ci_high_ms: float
    runs: int


def spread(rounds: Sequence[Sequence[float]]) -> Spread:
    """Summarise the times (ms) of several rounds.

    The bootstrap draws whole rounds: runs of one round share the machine's state of that moment, so drawing single
    runs would make the interval too narrow. One round alone is drawn run by run.
    """
    pooled = np.concatenate([np.asarray(times, dtype=float) for times in rounds])
    low, high = median_interval(rounds if len(rounds) > 1 else [[ms] for ms in pooled])
    return Spread(
        median_ms=float(np.median(pooled)),
        p10_ms=float(np.percentile(pooled, 10)),
        p90_ms=float(np.percentile(pooled, 90)),
        mean_ms=float(pooled.mean()),
        ci_low_ms=low,
        ci_high_ms=high,
        runs=pooled.size,
    )


def median_interval(clusters: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Percentile bootstrap interval of the median of all values, drawing whole clusters, with a fixed seed.

    Efron & Tibshirani, An Introduction to the Bootstrap (1993), chapters 8 (clusters) and 13 (percentiles).
    """
    rng = np.random.default_rng(0)
    values = [np.asarray(cluster, dtype=float) for cluster in clusters]
    draws = rng.integers(0, len(values), (RESAMPLES, len(values)))
    medians = [float(np.median(np.concatenate([values[i] for i in draw]))) for draw in draws]
    tail = (100 - CONFIDENCE_PERCENT) / 2
    low, high = np.percentile(medians, [tail, 100 - tail])
    return float(low), float(high)


def places(intervals: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """Best and worst place (1 is fastest) that each interval leaves open; equal ones mean that the rank is sure."""
    open_places = []
    for low, high in intervals:
        faster = sum(other_high < low for _, other_high in intervals)
        slower = sum(other_low > high for other_low, _ in intervals)
        open_places.append((1 + faster, len(intervals) - slower))
    return open_places
