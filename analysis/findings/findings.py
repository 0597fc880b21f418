"""Findings of a study, by rule: which differences stand, baseline against bicubic, the worst two, what is missing."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from safmn_bench.ablations.judging.power import seeds_for
from safmn_bench.ablations.judging.significance import Comparison
from safmn_bench.ablations.metrics import HEADLINE
from safmn_bench.ablations.record import Record
from safmn_bench.analysis.findings.runs import Study, planned_iterations, published, seed_means, starred
from safmn_bench.analysis.stats.caveats import changed_keys
from safmn_bench.analysis.stats.groups import BASELINE, Measured, noise_floor
from safmn_bench.analysis.stats.rank_correlation import Correlation, spearman

SIZE_OF_EFFECT = "DIV2K_val_psnr"
"""The published column that differences are held against: of photographs, as the benchmarks are."""
PUBLISHED = "published, DIV2K_val, 500,000 iterations"
"""What a figure calls that column."""
WORST = 2


@dataclass(frozen=True, kw_only=True)
class Verdicts:
    """Networks by how much of their difference from the baseline stands, with the benchmarks where it does."""

    whole: dict[str, list[str]] = field(default_factory=dict)
    """Stands in the family of all comparisons on a benchmark (Holm)."""
    alone: dict[str, list[str]] = field(default_factory=dict)
    """Stands nowhere in the family, but by itself on these benchmarks."""
    noise: list[str] = field(default_factory=list)
    untested: list[str] = field(default_factory=list)
    family: int = 0


def verdicts(study: Study) -> Verdicts:
    """Every network that was compared, in exactly one group."""
    groups = Verdicts(
        family=max((comparison.family for row in study.rows for comparison in row.comparisons.values()), default=0)
    )
    for row in study.rows:
        if not (judged := headline_comparisons(row)):
            continue
        whole, alone = ([d for d, comparison in judged.items() if comparison.verdict == v] for v in ("", "(alone)"))
        if whole:
            groups.whole[row.name] = whole
        elif alone:
            groups.alone[row.name] = alone
        else:
            tested = any(comparison.p is not None for comparison in judged.values())
            (groups.noise if tested else groups.untested).append(row.name)
    return groups


def headline_comparisons(row: Measured) -> dict[str, Comparison]:
    """Benchmark -> the network's headline score minus the baseline's."""
    return {dataset: comparison for (dataset, metric), comparison in row.comparisons.items() if metric == HEADLINE}


@dataclass(frozen=True, kw_only=True)
class Undecided:
    """A network that the family of comparisons on the headline benchmark does not tell from the baseline."""

    name: str
    difference: float
    """Measured, in dB."""
    detectable: float
    """The difference that would have been found in the family in 80 % of cases."""
    seeds: int | None
    """How many of each network would find a true difference of the measured size; None where no number would."""
    hours: float | None
    """Of training on this hardware, for the seeds that are missing, of this network and of the baseline."""


def undecided(study: Study) -> list[Undecided]:
    """Each of them, in the order of the rows; nothing where no seed is repeated."""
    dataset, networks = headline(study), []
    noise = noise_floor(study.rows, dataset) if dataset else None
    for row in study.rows if noise else ():
        comparison = row.comparisons.get((dataset, HEADLINE))
        if noise is None or comparison is None or comparison.verdict == "" or comparison.detectable_in_family is None:
            continue
        seeds = None
        if comparison.difference:
            plain, own = noise.run.sd, comparison.own.sd if comparison.own else noise.run.sd
            of_both = noise.with_run_sd(math.sqrt((plain**2 + own**2) / 2))
            seeds = seeds_for(comparison.difference, of_both, networks=len(study.rows), comparisons=comparison.family)
        hours = (seeds - comparison.seeds) * _pair_seconds(study, row) / 3600 if seeds else None
        networks.append(
            Undecided(
                name=row.name, difference=comparison.difference, detectable=comparison.detectable_in_family,
                seeds=seeds, hours=max(0.0, hours) if hours is not None else None,
            )
        )  # fmt: skip
    return networks


def _pair_seconds(study: Study, row: Measured) -> float:
    """One more seed of a network and of the baseline."""
    rows = [row, *([study.baseline] if study.baseline else [])]
    return sum(statistics.fmean(record.train_seconds for record in network.records) for network in rows)


@dataclass(frozen=True, kw_only=True)
class AgainstBicubic:
    """The baseline and plain bicubic on one benchmark, in dB."""

    dataset: str
    baseline: float
    bicubic: float
    least: float
    """The gain of the worst seed."""

    @property
    def gain(self) -> float:
        """The mean over seeds minus bicubic."""
        return self.baseline - self.bicubic


def against_bicubic(study: Study) -> list[AgainstBicubic]:
    """On each benchmark; nothing without a baseline."""
    row, differences = study.baseline, []
    for dataset in study.datasets if row else ():
        score = row.score(dataset, HEADLINE) if row else None
        bicubic = next(
            (value for record in study.records if (value := record.bicubic.get(dataset, {}).get(HEADLINE))), None
        )
        if row and score and bicubic is not None:
            seeds = [value for record in row.records if (value := record.scores.get(dataset, {}).get(HEADLINE))]
            differences.append(
                AgainstBicubic(dataset=dataset, baseline=score.mean, bicubic=bicubic, least=min(seeds) - bicubic)
            )
    return differences


@dataclass(frozen=True, kw_only=True)
class Worst:
    """The last two of the ranked networks on one benchmark, the last first; and the paper's of the same networks."""

    dataset: str
    measured: list[str]
    published: list[str]

    @property
    def agree(self) -> bool:
        """The same two, in whatever order."""
        return set(self.measured) == set(self.published)


def worst(study: Study) -> list[Worst]:
    """On each benchmark with more than two ranked networks."""
    paper, shortlists = published(SIZE_OF_EFFECT), []
    for dataset in study.datasets:
        means = {name: mean for name, mean in seed_means(study.rows, dataset, HEADLINE).items() if name in paper}
        if len(means) > WORST:
            lists = (sorted(means, key=lambda name, by=by: by[name])[:WORST] for by in (means, paper))
            shortlists.append(Worst(dataset=dataset, **dict(zip(("measured", "published"), lists, strict=True))))
    return shortlists


def headline(study: Study) -> str:
    """The benchmark with most images, which says most; the first of several."""
    sizes = {d: max(len(r.scores[d]["images"]) for r in study.records if d in r.scores) for d in study.datasets}
    return max(sizes, key=lambda dataset: sizes[dataset]) if sizes else ""


def among_small(study: Study) -> Correlation:
    """The ranking on the headline benchmark of the networks that no family of comparisons tells from the baseline."""
    groups = verdicts(study)
    names = [BASELINE, *groups.alone, *groups.noise]
    means = seed_means(study.rows, headline(study), HEADLINE)
    return spearman({name: means[name] for name in names if name in means}, published(SIZE_OF_EFFECT))


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a network's difference on the headline benchmark would need to be seen as published."""

    name: str
    published: float
    """Its published difference from the baseline, in dB."""
    measured: float
    half_width: float
    stands: bool
    seeds: int
    """How many it has."""

    @property
    def turned(self) -> bool:
        """It stands, and with the opposite sign."""
        return self.stands and self.published * self.measured < 0

    @property
    def visible(self) -> bool:
        """The interval is narrower than the published difference."""
        return self.half_width < abs(self.published)

    @property
    def needed_seeds(self) -> int | None:
        """About how many seeds would make the interval as narrow as the published difference; None where that is 0.

        Half-widths shrink with the root of the number of seeds, if the images' share in them is small.
        """
        if not self.published:
            return None
        return math.ceil(self.seeds * (self.half_width / self.published) ** 2)


def wanted(study: Study) -> list[Wanted]:
    """Of every network that was tested on the headline benchmark and has a published figure."""
    paper, dataset, networks = published(SIZE_OF_EFFECT), headline(study), []
    for row in study.rows:
        comparison = row.comparisons.get((dataset, HEADLINE))
        if comparison is not None and comparison.half_width is not None and row.name in paper:
            networks.append(
                Wanted(
                    name=row.name, published=paper[row.name] - paper[BASELINE], measured=comparison.difference,
                    half_width=comparison.half_width, stands=comparison.verdict == "", seeds=comparison.seeds,
                )
            )  # fmt: skip
    return networks


@dataclass(frozen=True, kw_only=True)
class Collapsing:
    """A network whose training collapsed in the paper, or here."""

    name: str
    in_paper: bool
    seen: Sequence[tuple[Record, str]]
    """Those that collapsed, by other trainings too, with what is otherwise there."""
    spared: Mapping[str, int]
    """What is otherwise than in the study, nothing first -> how many runs did not collapse there."""
    planned: int

    @property
    def all_runs(self) -> int:
        """By whatever training."""
        return len(self.seen) + sum(self.spared.values())


def collapsing(study: Study) -> list[Collapsing]:
    """In the order of the rows; those of the paper that were not run are left out."""
    networks = []
    for row in study.rows:
        usual = row.records[0]
        others = [(record, changed_keys(record, usual)) for record in study.elsewhere if record.variant == row.name]
        runs = [*((record, "") for record in row.records), *others]
        seen = [(record, differs) for record, differs in runs if record.status == "collapsed"]
        if seen or row.name in starred():
            networks.append(
                Collapsing(
                    name=row.name, in_paper=row.name in starred(), seen=seen, planned=planned_iterations(usual),
                    spared=Counter(differs for record, differs in runs if record.status != "collapsed"),
                )
            )  # fmt: skip
    return networks
