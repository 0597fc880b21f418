"""How small a difference a design can find, and how many seeds a difference needs.

By the model and the test of `significance`: with `n` seeds of each of `V` networks, the difference of two networks has
the variance 2 run^2 / n + 2 taste^2 / images, and V - 1 times n - 1 degrees of freedom for what runs contribute
(Satterthwaite joins them with those of the images). Its t value follows the noncentral t distribution, so power is
exact where images contribute nothing. Within a family of m comparisons a difference is taken as found below 0.05 / m,
Holm's first step: what is found there is found whatever the other comparisons show.

The standard deviation that this starts from is an estimate itself: every figure comes with those at both ends of its
95 % interval. Of few runs that interval is wide.
"""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from scipy import optimize, special

from safmn_bench.ablations.judging.deviation import Deviation

ALPHA = 0.05
CHANCE = 0.8
"""Of finding the difference, where none is named."""
MOST_SEEDS = 1000
FEW = 8
"""Degrees of freedom below which the figure may be off by half or double: said wherever it is shown."""


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Sources of scatter of the scores on one benchmark, in the metric's unit."""

    run: Deviation
    """Scatter of training again, network and seed apart."""
    taste_sd: float = 0.0
    """How much more a network likes one image than the baseline does, of the networks that are not told from it.

    Those that differ much differ most on some images; what is planned for are small differences.
    """
    rest_sd: float = 0.0
    """Of one image in one run."""
    images: int = 1

    def with_run_sd(self, sd: float) -> "Noise":
        """The same with another deviation of a run."""
        return replace(self, run=replace(self.run, sd=sd))


@dataclass(frozen=True, kw_only=True)
class Design:
    """The runs to be made: `seeds` of each of `networks` (the baseline is one), and how many comparisons are judged."""

    seeds: int
    networks: int
    comparisons: int = 1


def standard_error(noise: Noise, design: Design) -> tuple[float, float]:
    """Of a difference, with its degrees of freedom; as `significance` would find them on average."""
    freedom = max(1, (design.networks - 1) * (design.seeds - 1))
    over_seeds = 2 * noise.run.sd**2 / design.seeds
    residual = 2 * noise.rest_sd**2 / design.seeds / noise.images
    over_images = 2 * noise.taste_sd**2 / noise.images + residual
    total = over_seeds + over_images - residual
    if noise.images < 2 or over_images <= residual:
        return math.sqrt(over_seeds), freedom
    spread = over_seeds**2 / freedom + over_images**2 / (noise.images - 1)
    spread += residual**2 / max(1, freedom * (noise.images - 1))
    return math.sqrt(total), max(1.0, total**2 / spread)


def power(difference: float, noise: Noise, design: Design) -> float:
    """The chance that a true difference is found."""
    error, freedom = standard_error(noise, design)
    return chance_of(difference, error, freedom, design.comparisons)


def chance_of(difference: float, error: float, freedom: float, comparisons: int = 1) -> float:
    """The same from a standard error: that |t| exceeds what 0.05 / comparisons asks for."""
    if error == 0:
        return float(difference != 0)
    critical = -float(special.stdtrit(freedom, ALPHA / comparisons / 2))
    shift = abs(difference) / error
    right_sign = 1 - float(special.nctdtr(freedom, shift, critical))
    wrong_sign = float(special.nctdtr(freedom, shift, -critical))
    if math.isnan(right_sign):  # scipy gives up far above the critical value
        return 1.0
    return min(1.0, right_sign + (0.0 if math.isnan(wrong_sign) else wrong_sign))


def detectable_from(error: float, freedom: float, comparisons: int = 1, chance: float = CHANCE) -> float:
    """The difference that a standard error with these degrees of freedom finds with that chance."""
    return error * _detectable_in_errors(freedom, comparisons, chance) if error else 0.0


@functools.lru_cache(maxsize=4096)
def _detectable_in_errors(freedom: float, comparisons: int, chance: float) -> float:
    """In standard errors; 5 ms, and every table, figure and page asks for the same ones."""
    critical = -float(special.stdtrit(freedom, ALPHA / comparisons / 2))
    highest = 4 * critical + 20  # at 1 degree of freedom half of the estimates of the error are 1.5 times too small
    root: Any = optimize.brentq(lambda d: chance_of(d, 1.0, freedom, comparisons) - chance, 1e-6, highest)
    return float(root)


def detectable(noise: Noise, design: Design, chance: float = CHANCE) -> float:
    """The smallest difference that the design finds with that chance."""
    return detectable_from(*standard_error(noise, design), design.comparisons, chance)


def seeds_for(
    difference: float, noise: Noise, *, networks: int, comparisons: int = 1, chance: float = CHANCE
) -> int | None:
    """The fewest seeds of each network that find the difference; None where more seeds do not help (the images)."""

    def enough(seeds: int) -> bool:
        return power(difference, noise, Design(seeds=seeds, networks=networks, comparisons=comparisons)) >= chance

    if not enough(MOST_SEEDS):
        return None
    low, high = 1, MOST_SEEDS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@dataclass(frozen=True, kw_only=True)
class Line:
    """Seeds and the difference that they find, by itself or within the family, with the estimate's own interval."""

    dataset: str
    metric: str
    judged: str
    """alone, or family."""
    comparisons: int
    networks: int
    seeds: int | None
    """None: more than `MOST_SEEDS`, or no number of seeds."""
    seeds_low: int | None
    seeds_high: int | None
    """Where the difference was asked for: those for both ends of the deviation's interval."""
    detectable: float | None
    detectable_low: float | None
    detectable_high: float | None
    chance: float
    run_sd: float
    run_sd_low: float
    run_sd_high: float
    freedom: int

    def to_row(self) -> dict[str, Any]:
        """For a CSV."""
        return dict(vars(self))


def lines_of_seeds(
    dataset: str, metric: str, noise: Noise, networks: int, seeds: Sequence[int], chance: float = CHANCE
) -> list[Line]:
    """The difference that each number of seeds finds, alone and within the family of all networks but the baseline."""
    lines = []
    for judged, comparisons in _families(networks):
        for n in seeds:
            design = Design(seeds=n, networks=networks, comparisons=comparisons)
            mid = detectable(noise, design, chance)
            # sorted: where the images decide, more noise of runs lends degrees of freedom, and finds a little more
            low, *_, high = sorted([mid, *(detectable(each, design, chance) for each in _ends(noise))])
            known = _known(dataset, metric, noise, judged, comparisons, networks, chance)
            lines.append(
                Line(**known, seeds=n, seeds_low=None, seeds_high=None, detectable=mid, detectable_low=low,
                     detectable_high=high)
            )  # fmt: skip
    return lines


def lines_of_difference(
    dataset: str, metric: str, noise: Noise, networks: int, difference: float, chance: float = CHANCE
) -> list[Line]:
    """How many seeds the difference needs, alone and within the family."""
    lines = []
    for judged, comparisons in _families(networks):
        low, mid, high = (
            seeds_for(difference, each, networks=networks, comparisons=comparisons, chance=chance)
            for each in (_ends(noise)[0], noise, _ends(noise)[1])
        )
        known = _known(dataset, metric, noise, judged, comparisons, networks, chance)
        lines.append(
            Line(**known, seeds=mid, seeds_low=low, seeds_high=high, detectable=difference, detectable_low=None,
                 detectable_high=None)
        )  # fmt: skip
    return lines


def _families(networks: int) -> list[tuple[str, int]]:
    return [("alone", 1), ("family", networks - 1)] if networks > 2 else [("alone", 1)]


def _ends(noise: Noise) -> tuple[Noise, Noise]:
    """With the deviation at either end of its interval."""
    low, high = noise.run.interval()
    return noise.with_run_sd(low), noise.with_run_sd(high)


def _known(
    dataset: str, metric: str, noise: Noise, judged: str, comparisons: int, networks: int, chance: float
) -> dict[str, Any]:
    low, high = noise.run.interval()
    return {
        "dataset": dataset, "metric": metric, "judged": judged, "comparisons": comparisons, "networks": networks,
        "chance": chance, "run_sd": noise.run.sd, "run_sd_low": low, "run_sd_high": high, "freedom": noise.run.freedom,
    }  # fmt: skip
