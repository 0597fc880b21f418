"""The rows of a study's own CSV files: ranking against the paper, budgets against the full one, collapses."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from safmn_bench.ablations.record import Record
from safmn_bench.analysis.findings.runs import (
    PAPER_DATASETS,
    Study,
    of_seed,
    planned_iterations,
    published,
    seed_means,
    seeds_of,
    starred,
)
from safmn_bench.analysis.stats.rank_correlation import largest_change, spearman

RANKING_COLUMNS = (
    *("dataset", "metric", "paper_column", "variants", "spearman", "ci95_low", "ci95_high", "p"),
    *("seeds", "lowest_of_a_seed", "highest_of_a_seed", "names"),
)
BUDGET_COLUMNS = (
    *("iterations", "share", "seed", "compared_with", "dataset", "metric", "variants", "spearman"),
    *("largest_change_of_place", "by_variant", "train_seconds", "share_of_seconds"),
)
COLLAPSE_COLUMNS = (
    *("variant", "seed", "planned_iterations", "status", "iteration", "reason", "weights_from_iteration", "lr"),
    *("collapsed_in_paper", "config_hash", "commit"),
)
MEAN = "mean of seeds"
Rows = list[dict[str, Any]]
BySeed = dict[int, list[Record]]
"""Seed -> its runs, in order."""


def ranking(study: Study) -> Rows:
    """A row per dataset, metric and column of the paper; collapsed networks, here or there, are not ranked."""
    return [
        _ranked(study, dataset, metric.name, f"{paper}_{metric.published}")
        for dataset in study.datasets
        for metric in study.metrics
        if metric.published
        for paper in PAPER_DATASETS
    ]


def _ranked(study: Study, dataset: str, metric: str, column: str) -> dict[str, Any]:
    """The means over seeds against the column, and the range when each seed alone is ranked.

    A network without a run of some seed is ranked there by the mean of the seeds it has.
    """
    paper = published(column)
    means = {name: mean for name, mean in seed_means(study.rows, dataset, metric).items() if name in paper}
    correlation = spearman(means, paper)
    alone = []
    for seed in seeds_of(study.records):
        own = of_seed(study.records, seed, dataset, metric)
        alone.append(spearman({name: own.get(name, mean) for name, mean in means.items()}, paper).r)
    rs = [r for r in alone if r is not None]
    return {
        "dataset": dataset, "metric": metric, "paper_column": column, "variants": correlation.n,
        "spearman": correlation.r, "ci95_low": correlation.low, "ci95_high": correlation.high, "p": correlation.p,
        "seeds": len(alone), "lowest_of_a_seed": min(rs, default=None), "highest_of_a_seed": max(rs, default=None),
        "names": " ".join(means),
    }  # fmt: skip


def budgets(study: Study) -> Rows:
    """Shorter runs against the full ones: with the same seed, and with the mean of seeds; then full seeds among
    themselves, which no shorter run can be expected to beat.
    """
    rows: Rows = []
    full, longest = _by_seed(study.records), _longest(study)
    for iterations, records in study.shorter.items():
        for seed, runs in _by_seed(records).items():
            for dataset, metric in _scored(study):
                ours = of_seed(runs, seed, dataset, metric)
                same = of_seed(full.get(seed, []), seed, dataset, metric)
                means = seed_means(study.rows, dataset, metric)
                for words, theirs in ((f"seed {seed}", same), (MEAN, means)):
                    what = {"iterations": iterations, "share": iterations / longest, "seed": seed}
                    what |= {"compared_with": words}
                    rows += _compared(full, runs, what, (dataset, metric), ours, theirs)
    return rows + _seeds_compared(study, full)


def _by_seed(records: Sequence[Record]) -> BySeed:
    """Found once: pairs of seeds grow with the square of their number."""
    return {seed: [record for record in records if record.seed == seed] for seed in seeds_of(records)}


def _seeds_compared(study: Study, full: BySeed) -> Rows:
    """The full runs of each pair of seeds."""
    rows: Rows = []
    longest = _longest(study)
    scores = {(seed, where): of_seed(runs, seed, *where) for seed, runs in full.items() for where in _scored(study)}
    for first, second in ((a, b) for a in full for b in full if a < b):
        for where in _scored(study):
            what = {"iterations": longest, "share": 1.0, "seed": first, "compared_with": f"seed {second}"}
            rows += _compared(full, full[first], what, where, scores[first, where], scores[second, where])
    return rows


def _longest(study: Study) -> int:
    """The most iterations of any full run."""
    return max(map(planned_iterations, study.records))


def _scored(study: Study) -> Iterator[tuple[str, str]]:
    return ((dataset, metric.name) for dataset in study.datasets for metric in study.metrics)


def _compared(
    full: BySeed,
    runs: Sequence[Record],
    what: Mapping[str, Any],
    where: tuple[str, str],
    ours: Mapping[str, float],
    theirs: Mapping[str, float],
) -> Rows:
    """One row, or none where fewer than two networks are in both; seconds are those of the networks in both.

    `runs`: those of `what`'s seed, which `ours` are the scores of.
    """
    common = [name for name in ours if name in theirs]
    if len(common) < 2:
        return []
    name, change = largest_change(ours, theirs)
    seconds, whole = _seconds(runs, common), _seconds(full.get(what["seed"], []), common)
    return [
        {
            **what, "dataset": where[0], "metric": where[1],
            "variants": len(common), "spearman": spearman(ours, theirs).r, "largest_change_of_place": change,
            "by_variant": name if change else "", "train_seconds": round(seconds, 3),
            "share_of_seconds": round(seconds / whole, 4) if whole else None,
        }
    ]  # fmt: skip


def _seconds(runs: Sequence[Record], names: Sequence[str]) -> float:
    return sum(record.train_seconds for record in runs if record.variant in names)


def collapses(study: Study) -> Rows:
    """A row per run, the study's and those by other trainings: whether it collapsed, when and why."""
    return [_collapse(record) for record in [*study.records, *study.elsewhere]]


def _collapse(record: Record) -> dict[str, Any]:
    collapse = record.collapse or {}
    return {
        "variant": record.variant, "seed": record.seed, "planned_iterations": planned_iterations(record),
        "status": record.status, "iteration": collapse.get("iteration"), "reason": collapse.get("reason", ""),
        "weights_from_iteration": collapse.get("weights_from_iteration"),
        "lr": record.recipe.get("optimizer", {}).get("lr"),
        "collapsed_in_paper": "yes" if record.variant in starred() else "no",
        "config_hash": record.config_hash, "commit": record.commit,
    }  # fmt: skip
