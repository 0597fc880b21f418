"""Is a difference between two networks more than noise? Intervals over seeds, and a paired test over seeds and images.

The model of one score (dB, or SSIM) of network v, trained with seed s, on image i:

    score[v, s, i] = network[v] + image[i] + seed[s] + run[v, s] + taste[v, i] + rest[v, s, i]

`run` is what training again changes: it moves all images of a run together, so 100 images are not 100 witnesses, and a
plain paired t-test over images finds "significant" differences between two runs of one network most of the time.
`taste` is what a network likes: another draw of images would give another difference. The comparison with the
baseline is paired on both sides: `image` and `seed` cancel in the difference. The images cancel much. Of the seed, the
shared patches alone did not help: on B100, ten variants with two seeds each that started from weights in torch's order
(results/ablation/cpu_amd_epyc-reduced_cpu), a run's standard deviation is 0.022 dB within its network and 0.0235 dB
after the seed is taken out as well, so `run` is all of it. Where a seed's weights also start equal by their names (the
recipes since version 2), the deviation of a difference is 0.34 of that (95 %: 0.14 to 0.81; results/noise).

- Its variance is the classical one for crossed random effects (Clark 1973, "The language-as-fixed-effect fallacy";
  Owen 2007, "The pigeonhole bootstrap"): over seeds plus over images minus the residual that both contain. Degrees of
  freedom by Satterthwaite.
- The variance over seeds is pooled over all networks of the family (a randomised block analysis of variance; of two
  networks, it is the paired t-test over seeds). Two or three seeds alone leave 1 or 2 degrees of freedom, with which a
  difference of three standard errors is found in 22 to 41 % of cases; ten networks with three seeds each leave 18. The
  price is an assumption: runs of all networks of a family scatter alike. One that plainly scatters more stands apart
  (family.py), with a variance and degrees of freedom of its own. Collapsed runs do not belong in a family.
- Where seeds do not connect the networks (each has its own), the seed term is dropped, which is valid for those.

Families of comparisons: `p` is of one comparison by itself; `p_holm` holds for all of a family at once (Holm 1979).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special

from safmn_bench.ablations.judging.deviation import Deviation
from safmn_bench.ablations.judging.family import Family, Scores
from safmn_bench.ablations.judging.power import Noise, detectable_from

LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean, the half-width of its interval and the values' standard deviation; neither for a single value."""

    mean: float
    half_width: float | None
    n: int
    sd: float | None = None


def interval(values: Sequence[float], level: float = LEVEL) -> Interval:
    """Mean and t interval of independent values, such as one score per seed. Raises ValueError where there is none."""
    if not values:
        raise ValueError("no values to take the mean of")
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Interval(mean, None, len(values))
    sd = float(np.std(values, ddof=1))
    half_width = float(special.stdtrit(len(values) - 1, (1 + level) / 2)) * sd / math.sqrt(len(values))
    return Interval(mean, half_width, len(values), sd)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One network minus the baseline; without repeated seeds nothing tells noise: no `half_width`, no p."""

    difference: float
    half_width: float | None = None
    p: float | None = None
    p_holm: float | None = None
    degrees_of_freedom: float | None = None
    seeds: int
    """Runs of this network."""
    images: int
    run: Deviation | None = None
    """Scatter of training again, over the networks of the family that scatter alike; None where untested."""
    own: Deviation | None = None
    """That of this network, where it stands apart."""
    family: int = 1
    """How many networks are compared with this baseline: what `p_holm` is corrected for."""

    @property
    def detectable(self) -> float | None:
        """The difference that this comparison would have found by itself in 80 % of cases; None where untested."""
        return self._detectable(1)

    @property
    def detectable_in_family(self) -> float | None:
        """The same, had it to stand in its whole family whatever the others show (0.05 / family)."""
        return self._detectable(self.family)

    def told(self, digits: int = 3) -> str:
        """The verdict; if undecided, with the difference that would have been found, as in `n.s. (0.074)`."""
        if self.verdict != "n.s." or self.detectable is None:
            return self.verdict
        return f"n.s. ({self.detectable:.{digits}f})"

    def _detectable(self, comparisons: int) -> float | None:
        if self.half_width is None or self.degrees_of_freedom is None:
            return None
        error = self.half_width / float(special.stdtrit(self.degrees_of_freedom, (1 + LEVEL) / 2))
        return detectable_from(error, self.degrees_of_freedom, comparisons)

    @property
    def verdict(self) -> str:
        """'' where it stands in its whole family, '(alone)' only by itself, 'n.s.' where not, or 'untested'."""
        if self.p is None:
            return "untested"
        if self.p >= 1 - LEVEL:
            return "n.s."
        return "" if self.p_holm is None or self.p_holm < 1 - LEVEL else "(alone)"


def compare(
    scores: Scores, baseline: str, twins: Mapping[str, str] | None = None, *, dropped: int = 0
) -> dict[str, Comparison]:
    """Every other network of `scores` against `baseline`, on the images that all runs have.

    `twins`: network -> another one that computes the same function. Both are compared, but counted once in the family:
    the second adds no question, so it neither makes finds rarer nor is a find of its own. `dropped`: networks that were
    stopped before their end. They are questions that were asked: left out of the family, those that did best at the
    cut would be judged as if no others had been tried.

    Raises ValueError: no baseline among the scores, or no common image.
    """
    return compare_in(Family.of(scores), baseline, twins, dropped=dropped)


def compare_in(
    family: Family, baseline: str, twins: Mapping[str, str] | None = None, *, dropped: int = 0
) -> dict[str, Comparison]:
    """`compare`, of scores that lie in an array. Raises ValueError: no run of the baseline."""
    if baseline not in family.networks:
        raise ValueError(f"no scores of {baseline}")
    compared = {name: _against(family, baseline, name) for name in family.networks if name != baseline}
    run = Deviation(sd=math.sqrt(family.seed_variance), freedom=family.freedom) if family.freedom else None
    return holm_once(
        {name: replace(comparison, run=run) for name, comparison in compared.items()}, twins or {}, dropped
    )


def _against(family: Family, baseline: str, name: str) -> Comparison:
    return contrast(family, {name: 1.0, baseline: -1.0})


def contrast(family: Family, weights: Mapping[str, float]) -> Comparison:
    """A weighted sum of networks' scores, with interval and p where the family has a repeated seed.

    The first network of `weights` is the one that is asked about: its runs are counted. {name: 1, baseline: -1} is
    one network minus another; with two more, of other weights, how far such a difference moves.
    """
    by_image, gap, name = family.contrast(weights), family.gap(weights), next(iter(weights))
    difference = float(by_image.mean())
    plain = Comparison(difference=difference, seeds=family.seeds_of(name), images=len(by_image))
    if gap is None:
        return plain
    half_width = float(special.stdtrit(gap.freedom, (1 + LEVEL) / 2)) * gap.error
    chance = float(2 * special.stdtr(gap.freedom, -abs(difference) / gap.error)) if gap.error else None
    return replace(
        plain, half_width=half_width, p=float(difference == 0) if chance is None else chance,
        degrees_of_freedom=gap.freedom, own=family.own_run(name),
    )  # fmt: skip


def holm_once(compared: Mapping[str, Comparison], twins: Mapping[str, str], dropped: int = 0) -> dict[str, Comparison]:
    """The same with `p_holm` and the family's size; `twins` and `dropped` as `compare` has them."""
    firsts = {name: twin for name, twin in twins.items() if name in compared and twin in compared}
    tested = {
        name: comparison.p for name, comparison in compared.items() if comparison.p is not None and name not in firsts
    }
    adjusted = dict(zip(tested, holm([*tested.values(), *[1.0] * dropped]), strict=False))
    size = len(compared) - len(firsts) + dropped
    return {
        name: replace(comparison, p_holm=adjusted.get(firsts.get(name, name)), family=size)
        for name, comparison in compared.items()
    }


def noise_of(scores: Scores, baseline: str) -> Noise:
    """Scatter of scores by source, over the networks that scatter alike. ValueError: no baseline, or no image."""
    family = Family.of(scores)
    if baseline not in family.networks:
        raise ValueError(f"no scores of {baseline}")
    # what stands apart in its runs does so on images too, and is no example of the others' taste
    calm = [name for name in family.networks if name not in family.apart]
    others = {name: _against(family, baseline, name) for name in calm if name != baseline}
    alike = [name for name, comparison in others.items() if comparison.p is None or comparison.p >= 1 - LEVEL]
    nearest = sorted(others, key=lambda name: abs(others[name].difference))[:1]
    return Noise(
        run=Deviation(sd=math.sqrt(family.seed_variance), freedom=family.freedom),
        taste_sd=math.sqrt(max(0.0, family.taste_variance(baseline, alike or nearest))),
        rest_sd=math.sqrt(family.rest_variance),
        images=family.y.shape[1],
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment: below 0.05 after it, the chance of any false find in the family is below 5 %."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, highest = [1.0] * len(p_values), 0.0
    for rank, index in enumerate(order):
        highest = max(highest, (len(p_values) - rank) * p_values[index])
        adjusted[index] = min(1.0, highest)
    return adjusted
