"""What many timings say together: median, spread, how sure the median is, and which of several are told apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

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
    found = []
    for low, high in intervals:
        faster = sum(other_high < low for _, other_high in intervals)
        slower = sum(other_low > high for other_low, _ in intervals)
        found.append((1 + faster, len(intervals) - slower))
    return found
