"""How far runs scatter: standard deviations with their own intervals, and whether one is smaller than another.

A table holds one score per network and seed. Networks differ and seeds may (all networks of one seed see the same
patches), so what is left after both is what the difference of two networks suffers from: its variance is twice that of
the rest. The rest is looked at through orthonormal contrasts, which turn V networks x S seeds into (V - 1)(S - 1)
independent values of mean zero and equal variance.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, special

LEVEL = 0.95


@dataclass(frozen=True, kw_only=True)
class Deviation:
    """A standard deviation with its degrees of freedom; its interval is exact for normal values (chi-square)."""

    sd: float
    freedom: int

    def interval(self, level: float = LEVEL) -> tuple[float, float]:
        """Lower and upper bound; (0, inf) without a degree of freedom."""
        if self.freedom < 1:
            return 0.0, math.inf
        tail = (1 - level) / 2
        upper, lower = special.chdtri(self.freedom, [tail, 1 - tail])  # the quantiles above which these shares lie
        return self.sd * math.sqrt(self.freedom / upper), self.sd * math.sqrt(self.freedom / lower)


def deviation(values: np.ndarray) -> Deviation:
    """Of independent values of mean zero, as `contrasts` returns them."""
    return Deviation(sd=float(np.sqrt(np.mean(np.square(values)))) if values.size else 0.0, freedom=values.size)


def within_networks(table: np.ndarray) -> np.ndarray:
    """Of a table (networks, seeds): V(S - 1) independent values that hold what seed and run change in a network."""
    return (table @ _helmert(table.shape[1]).T).ravel()


def contrasts(table: np.ndarray) -> np.ndarray:
    """Of a table (networks, seeds): (V - 1)(S - 1) independent values that hold only what neither explains."""
    networks, seeds = table.shape
    return (_helmert(networks) @ table @ _helmert(seeds).T).ravel()


def _helmert(n: int) -> np.ndarray:
    """Rows (n - 1, n): orthonormal, each summing to zero."""
    return linalg.helmert(n)


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """A standard deviation over another one of the same runs, with its interval."""

    ratio: float
    low: float
    high: float


def ratio(first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, level: float = LEVEL) -> Ratio:
    """sd(first) / sd(second) of pairs of mean zero, which may be correlated (Pitman 1939, Morgan 1939).

    Two scores of one run (at its last weights, at their average) move together, so their ratio is known better than
    two independent deviations would allow. Raises ValueError for fewer than 3 pairs, or where `second` is constant.
    """
    a, b = np.asarray(first, float), np.asarray(second, float)
    if a.size < 3 or a.size != b.size or not np.any(b):
        raise ValueError("needs at least 3 pairs, the second values not all zero")
    squares = float((a**2).sum()), float((b**2).sum())
    quotient = squares[0] / squares[1]
    r = float((a * b).sum()) / math.sqrt(squares[0] * squares[1]) if squares[0] else 0.0
    freedom = a.size - 1  # the means are known to be zero: one more than Pitman's n - 2
    t = float(special.stdtrit(freedom, (1 + level) / 2))
    k = 1 + 2 * max(0.0, 1 - r**2) * t**2 / freedom
    reach = math.sqrt(k**2 - 1)
    return Ratio(
        ratio=math.sqrt(quotient), low=math.sqrt(quotient * (k - reach)), high=math.sqrt(quotient * (k + reach))
    )
