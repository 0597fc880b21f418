"""Seeds added until a comparison is decided: tests at several looks whose false finds together stay below the level.

Testing again after every added seed, each time at 5 %, finds something in a sixth of all null comparisons. Here the
level is spent over the looks by O'Brien and Fleming's rule as a spending function (Lan & DeMets 1983, Biometrika
70:659-663, for either side half the level): up to the share t = seeds / most of the planned seeds,

    spent(t) = 4 - 4 Phi(z / sqrt(t)),    z the normal quantile of 1 - level / 4.

Little is spent early, so that the last look is nearly a test at the level itself. The critical values come from the
recursion of Armitage, McPherson & Rowe (1969, JRSS A 132:235-244) over the looks' statistics, a Brownian motion. What
`significance` tests are t statistics: their p values are compared with the looks' normal levels (the significance
level approach, Jennison & Turnbull 2000, chapter 4.4); that this holds is simulated in the tests.

`p` of a comparison is the smallest level at which some look would have found it (the repeated p value of Jennison &
Turnbull, chapter 9.3): valid whenever one stops. Holm's correction of these holds for the family (Ye et al. 2013,
Statistics in Medicine 32:1112-1124).
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import optimize
from scipy.special import ndtr, ndtri

from safmn_bench.ablations.judging.significance import Comparison, Scores, compare, holm_once

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(96)
_LEVELS = tuple(float(level) for level in np.geomspace(1e-12, 0.999, 80))
"""At which critical values are computed; in between they are interpolated."""


@dataclass(frozen=True, kw_only=True)
class Looks:
    """A look after `first` seeds of each network and after every further one, up to `most`."""

    first: int
    most: int

    @property
    def shares(self) -> tuple[float, ...]:
        """Of the planned seeds, at each look."""
        return tuple(seeds / self.most for seeds in range(self.first, self.most + 1))


def spent(level: float, share: float) -> float:
    """How much of the level is spent up to a share of the seeds."""
    return float(4 * ndtr(ndtri(level / 4) / math.sqrt(share)))


def critical_values(level: float, shares: Sequence[float]) -> list[float]:
    """|z| at each look (n,) beyond which a comparison is found, two-sided."""
    bounds: list[float] = []
    before, nodes, density = 0.0, np.zeros(1), np.ones(1)  # of sqrt(t) z where no look has found it, times weights
    for share in shares:
        step = math.sqrt(share - before)
        bound = _bound(spent(level, share) - (spent(level, before) if before else 0.0), nodes, density, step, share)
        bounds.append(bound / math.sqrt(share))
        at = bound * _NODES
        moved = np.exp(-(((at[:, None] - nodes) / step) ** 2) / 2) / (math.sqrt(2 * math.pi) * step)
        density = moved @ density * bound * _WEIGHTS
        before, nodes = share, at
    return bounds


def _bound(chance: float, nodes: np.ndarray, density: np.ndarray, step: float, share: float) -> float:
    """Where a path that no look has found yet leaves with that chance."""

    def beyond(bound: float) -> float:
        out = ndtr((nodes - bound) / step) + ndtr((-bound - nodes) / step)
        return math.log(max(float(out @ density), 1e-300)) - math.log(max(chance, 1e-200))

    root: Any = optimize.brentq(beyond, 1e-9, 40 * math.sqrt(share))
    return float(root)


@functools.lru_cache(maxsize=32)
def _table(shares: tuple[float, ...]) -> np.ndarray:
    """Critical values (levels, looks); at no look higher for a higher level."""
    return np.minimum.accumulate(np.array([critical_values(level, shares) for level in _LEVELS]), axis=0)


def overall(p: float, look: int, shares: tuple[float, ...]) -> float:
    """The smallest level whose critical value at that look (from 0) a comparison with this p value reaches."""
    z = -float(ndtri(max(p, 1e-300) / 2))
    column = _table(shares)[:, look]
    return float(np.exp(np.interp(-z, -column, np.log(_LEVELS), right=0.0)))


def compare_at_looks(
    scores: Scores, baseline: str, looks: Looks, twins: Mapping[str, str] | None = None, *, dropped: int = 0
) -> dict[str, Comparison]:
    """`significance.compare`, each network as of its last look, `p` and `p_holm` for all its looks together.

    A network has a look wherever it and the baseline have that many seeds. Raises ValueError as `compare`.
    """
    latest = compare(scores, baseline, twins, dropped=dropped)
    chances: dict[str, list[float]] = {}
    for index in range(looks.most - looks.first + 1):
        seeds = looks.first + index
        here = [name for name, runs in scores.items() if len(runs) >= seeds]
        if baseline not in here or len(here) < 2:
            break
        seen = compare(_first(scores, seeds), baseline, twins, dropped=dropped)
        for name in (name for name in here if name != baseline):
            latest[name] = seen[name]
            if (p := seen[name].p) is not None:
                chances.setdefault(name, []).append(overall(p, index, looks.shares))
    judged = {
        name: replace(comparison, p=min(chances[name]) if name in chances else None)
        for name, comparison in latest.items()
    }
    return holm_once(judged, twins or {}, dropped)


def _first(scores: Scores, seeds: int) -> dict[str, dict[int, Mapping[str, float]]]:
    return {name: {seed: runs[seed] for seed in sorted(runs)[:seeds]} for name, runs in scores.items()}
