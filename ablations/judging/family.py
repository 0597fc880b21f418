"""The runs of a family of networks in one array: what of their scores is network, seed, image and noise.

The model and its sources are those of significance.py. Runs of the networks are taken to scatter alike and their
variance is pooled; but one whose runs scatter far more than all others' (an F test over seeds, at 0.001 over all
networks) would widen every interval, and be judged too lightly itself. It stands apart: its own variance, with its own
few degrees of freedom (Welch 1947), and no part in that of the others.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from safmn_bench.ablations.judging.deviation import Deviation

Scores = Mapping[str, Mapping[int, Mapping[str, float]]]
"""Network -> seed -> image -> score."""
APART = 0.001
"""The chance that in a family whose runs all scatter alike one is set apart."""


@dataclass(frozen=True, kw_only=True)
class Gap:
    """A contrast of networks, as one minus another."""

    by_image: np.ndarray
    """(images,)."""
    error: float
    """Of the mean over images."""
    freedom: float


@dataclass(frozen=True, kw_only=True)
class _Effect:
    """A network on each image, (images,), as a sum of the shared fit's columns and of what is its own."""

    score: np.ndarray
    columns: np.ndarray
    """What it takes of the shared fit."""
    run: Deviation | None = None
    """Of its own runs, where it stands apart; the two that follow go with it."""
    seeds: int = 1
    rest_variance: float = 0.0


class Family:
    """All runs of a family: one row of `y` (runs, images) per run, fitted by network and, where it can be, seed."""

    @classmethod
    def of(cls, scores: Scores) -> "Family":
        """Of scores by name, on the images that all runs have. Raises ValueError where there is no such image."""
        runs = [(name, seed, scores[name][seed]) for name in scores for seed in sorted(scores[name])]
        images = [image for image in (runs[0][2] if runs else ()) if all(image in run for *_, run in runs)]
        if not images:
            raise ValueError("the runs have no image in common")
        y = np.array([[run[image] for image in images] for *_, run in runs])
        return cls([name for name, *_ in runs], [seed for _, seed, _ in runs], y)

    def __init__(self, names: Sequence[str], seeds: Sequence[int], y: np.ndarray) -> None:
        """`names` and `seeds` of the runs, the rows of `y` (runs, images)."""
        self.networks = list(dict.fromkeys(names))
        self.names, self.y, self._seeds = np.array(names), y, np.array(seeds)
        self.apart = scattering_more(self.names, y.mean(axis=1))
        self._fit()
        if self.apart and not self.freedom:
            self.apart = []
            self._fit()
        self._effects = {name: self._effect(name) for name in self.networks}

    def _fit(self) -> None:
        """Of the networks that scatter alike."""
        alike = ~np.isin(self.names, self.apart)
        self._alike = [name for name in self.networks if name not in self.apart]
        self._design = self._design_of(self.names[alike], self._seeds[alike])
        self.freedom = len(self._design) - self._design.shape[1]
        self._coefficients = np.linalg.pinv(self._design) @ self.y[alike]  # (columns, images)
        residual = self.y[alike] - self._design @ self._coefficients
        self.seed_variance, self.rest_variance = _variances(residual, self.freedom)
        self.rest_freedom = self.freedom * (self.y.shape[1] - 1)
        # of the coefficients' variances and covariances; once for all comparisons
        self._weights = np.linalg.inv(self._design.T @ self._design) if self.freedom else None

    def _design_of(self, names: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Columns: one per network, and one per seed but the first; without seeds where they are not connected."""
        self._blocks = np.unique(seeds)[1:]
        networks = (names[:, None] == np.array(self._alike)).astype(float)
        both = np.hstack([networks, (seeds[:, None] == self._blocks).astype(float)])
        if np.linalg.matrix_rank(both) == both.shape[1] < len(seeds):
            return both
        self._blocks = self._blocks[:0]
        return networks

    def _effect(self, name: str) -> _Effect:
        width = self._design.shape[1]
        if name not in self.apart:
            columns = np.eye(width)[self._alike.index(name)]
            return _Effect(score=columns @ self._coefficients, columns=columns)
        mine = self.names == name
        # less what the others say of its seeds; a seed that no other network has stays as it is
        known = np.zeros((int(mine.sum()), width))
        known[:, len(self._alike) :] = -(self._seeds[mine][:, None] == self._blocks).astype(float)
        runs = self.y[mine] + known @ self._coefficients
        score, freedom = runs.mean(axis=0), len(runs) - 1
        variance, rest_variance = _variances(runs - score, freedom)
        return _Effect(
            score=score, columns=known.mean(axis=0), run=Deviation(sd=math.sqrt(variance), freedom=freedom),
            seeds=len(runs), rest_variance=rest_variance,
        )  # fmt: skip

    @functools.cached_property
    def uneven(self) -> list[str]:
        """Networks that scatter more than the others and do not stand apart: for a warning, so not asked for often."""
        return [name for name in uneven(self.names, self.y.mean(axis=1)) if name not in self.apart]

    def seeds_of(self, name: str) -> int:
        """How many runs a network has."""
        return int((self.names == name).sum())

    def own_run(self, name: str) -> Deviation | None:
        """The scatter of a network's runs where it stands apart; None where it is the family's."""
        return self._effects[name].run

    def taste_variance(self, baseline: str, others: Sequence[str]) -> float:
        """Of one network on one image, in its differences from the baseline: the mean over `others`."""
        if self.y.shape[1] < 2 or not others:
            return 0.0
        own = self._effects[baseline].score
        variances = []
        for name in others:
            rest = self.rest_variance * (1 / self.seeds_of(name) + 1 / self.seeds_of(baseline))
            variances.append((float(np.var(self._effects[name].score - own, ddof=1)) - rest) / 2)
        return float(np.mean(variances))

    def contrast(self, weights: Mapping[str, float]) -> np.ndarray:
        """A weighted sum of networks on each image, (images,)."""
        scores = (weight * self._effects[name].score for name, weight in weights.items())
        return sum(scores, np.zeros(self.y.shape[1]))

    def gap(self, weights: Mapping[str, float]) -> Gap | None:
        """The contrast with its error: over seeds and over images, less the residual in both.

        `weights`: {name: 1, baseline: -1} is one network minus another. None without a repeated seed. Degrees of
        freedom by Satterthwaite, over all parts.
        """
        if self._weights is None:
            return None
        by_image = self.contrast(weights)
        images = len(by_image)
        effects = [(weight, self._effects[name]) for name, weight in weights.items()]
        columns = sum(weight * effect.columns for weight, effect in effects)
        factor = float(columns @ self._weights @ columns)
        over_seeds = [(factor * self.seed_variance, float(self.freedom))]
        residuals = [(factor * self.rest_variance / images, float(max(1, self.rest_freedom)))]
        for weight, effect in effects:
            if effect.run is not None:
                over_seeds.append((weight**2 * effect.run.sd**2 / effect.seeds, float(effect.run.freedom)))
                freedom = float(max(1, effect.run.freedom * (images - 1)))
                residuals.append((weight**2 * effect.rest_variance / effect.seeds / images, freedom))
        over_images = float(np.var(by_image, ddof=1)) / images if images > 1 else 0.0
        residual = sum(part for part, _ in residuals)
        if over_images <= residual:
            total, parts = sum(part for part, _ in over_seeds), over_seeds
        else:
            total = sum(part for part, _ in over_seeds) + over_images - residual
            parts = [*over_seeds, (over_images, float(images - 1)), *residuals]
        spread = sum(part**2 / freedom for part, freedom in parts)
        return Gap(
            by_image=by_image, error=math.sqrt(total), freedom=max(1.0, total**2 / spread) if spread else self.freedom
        )


def _variances(residual: np.ndarray, freedom: int) -> tuple[float, float]:
    """Of runs and of the rest, from residuals (runs, images); zero where nothing tells them."""
    by_run = residual.mean(axis=1)  # what moved all images of a run together
    rest, rest_freedom = residual - by_run[:, None], freedom * (residual.shape[1] - 1)
    of_runs = float((by_run**2).sum()) / freedom if freedom else 0.0
    return of_runs, float((rest**2).sum()) / rest_freedom if rest_freedom else 0.0


def scattering_more(names: np.ndarray, scores: np.ndarray, level: float = APART) -> list[str]:
    """Networks whose runs scatter more than those of the others: `names` and mean `scores` of all runs.

    As many as possible, so that two do not hide each other: the least uneven of them is held against all that are not
    among them, by an F test at level / networks. At most a quarter of the networks, one of three; of two none, since
    paired over seeds their difference has one variance, however it came about.
    """
    networks, squares, freedom = _scatter(names, scores)
    order = sorted(np.flatnonzero(freedom), key=lambda index: -squares[index] / freedom[index])
    for many in range(max(1, len(networks) // 4), 0, -1):
        most, others = order[:many], order[many:]
        if len(others) < 2:
            continue
        theirs = squares[others].sum() / freedom[others].sum()
        own = squares[most[-1]] / freedom[most[-1]]
        # what is left by rounding where the others do not scatter at all says nothing
        if theirs < 1e-9 * own or own == 0:
            continue
        if special.fdtrc(freedom[most[-1]], freedom[others].sum(), own / theirs) < level / len(networks):
            return [str(networks[index]) for index in most]
    return []


def uneven(names: np.ndarray, scores: np.ndarray, level: float = 0.01) -> list[str]:
    """Networks whose runs scatter more than those of all others, by an F test at `level` each: a warning, no more."""
    networks, squares, freedom = _scatter(names, scores)
    theirs, their_freedom = squares.sum() - squares, freedom.sum() - freedom
    asked = (freedom > 0) & (their_freedom > 0) & (theirs > 1e-9 * squares)
    own, others = squares[asked] / freedom[asked], theirs[asked] / their_freedom[asked]
    return [*map(str, networks[asked][special.fdtrc(freedom[asked], their_freedom[asked], own / others) < level])]


def _scatter(names: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Networks, the sums of squares of their runs around their means, and degrees of freedom."""
    networks, which = np.unique(names, return_inverse=True)
    runs = np.bincount(which)
    means = np.bincount(which, scores) / runs
    return networks, np.bincount(which, (scores - means[which]) ** 2), runs - 1
