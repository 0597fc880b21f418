"""Do two columns of scores rank networks alike? Spearman's coefficient, its interval, and who changes place most.

The interval is Fisher's z with the standard error of Bonett and Wright (2000, "Sample size requirements for estimating
Pearson, Kendall and Spearman correlations", Psychometrika 65, 23-28): sqrt((1 + r^2 / 2) / (n - 3)). It is over the
choice of networks, as if they were drawn from many such variants; what seeds do to the ranking is another matter.

Not a bootstrap: of 8 to 10 networks each draw repeats some, and their ties are what a short ranking has none of.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from safmn_bench.ablations.judging.significance import LEVEL

_Z = float(special.ndtri((1 + LEVEL) / 2))
FEWEST = 4  # networks that an interval needs: its standard error divides by n - 3


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """Spearman's coefficient of n networks; None where a column has fewer than two different scores."""

    r: float | None
    low: float | None = None
    """Of the 95 % interval; None for fewer than FEWEST networks, and for rankings that agree or oppose exactly."""
    high: float | None = None
    p: float | None = None
    """Two-sided, by the t approximation (scipy.stats.spearmanr has the same)."""
    n: int


def spearman(ours: Mapping[str, float], theirs: Mapping[str, float]) -> Correlation:
    """The coefficient over the networks that both have."""
    names = [name for name in ours if name in theirs]
    a, b = [ours[name] for name in names], [theirs[name] for name in names]
    if len(set(a)) < 2 or len(set(b)) < 2:
        return Correlation(r=None, n=len(names))
    r = float(np.corrcoef(_places(a), _places(b))[0, 1])
    p = _chance_beyond(r, len(names))
    low, high = interval_of(r, len(names)) or (None, None)
    return Correlation(r=r, low=low, high=high, p=p, n=len(names))


def interval_of(r: float, n: int) -> tuple[float, float] | None:
    """The 95 % interval of Spearman's r over n networks; None where it is not defined."""
    # rankings that agree give 1 only to rounding, and Fisher's z of 1 is infinite
    if n < FEWEST or abs(r) >= 1 - 1e-12:
        return None
    half_width = _Z * math.sqrt((1 + r**2 / 2) / (n - 3))
    return math.tanh(math.atanh(r) - half_width), math.tanh(math.atanh(r) + half_width)


def largest_change(before: Mapping[str, float], after: Mapping[str, float]) -> tuple[str, float]:
    """The network whose place among those that both have changes most, and by how many places; the first of several.

    Ties share the mean of their places. Raises ValueError where there is no common network.
    """
    names = [name for name in before if name in after]
    places = [_places([-scores[name] for name in names]) for scores in (before, after)]
    changes = {name: abs(float(a - b)) for name, a, b in zip(names, *places, strict=True)}
    name = max(changes, key=lambda name: changes[name])
    return name, changes[name]


def _places(values: Sequence[float]) -> np.ndarray:
    """Each value's place from the lowest, 1; ties share the mean of theirs.

    Not scipy.stats: its import and its calls were an eighth of the time of a study of many seeds, where every pair of
    them is compared.
    """
    _, which, times = np.unique(np.asarray(values, float), return_inverse=True, return_counts=True)
    return (np.cumsum(times) - (times - 1) / 2)[which]


def _chance_beyond(r: float, n: int) -> float | None:
    """Two-sided p of Spearman's r over n networks; None for two, which always agree or oppose."""
    if n < 3:
        return None
    rest = max(0.0, (1 + r) * (1 - r))
    t = r * math.sqrt((n - 2) / rest) if rest else math.copysign(math.inf, r)
    return 2 * float(special.stdtr(n - 2, -abs(t)))
