"""Does a difference hold by another training? The study's networks trained longer, on larger patches, at other rates.

Runs below `trainings/<label>/` (any recipe, one a label, with a baseline of their own), and those at each network's own
learning rate (`tuned/`). Each training is put into one family with the study's runs, so that a difference there is
judged even where it has one seed: by how far the study's own runs scatter, which is taken to be the same there.
`change` is how far the difference from the baseline moves, paired over seeds and images: the question that is asked.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from safmn_bench.ablations.judging.family import Family
from safmn_bench.ablations.judging.significance import Comparison, contrast, holm_once
from safmn_bench.ablations.metrics import HEADLINE
from safmn_bench.analysis.findings.findings import SIZE_OF_EFFECT
from safmn_bench.analysis.findings.runs import Study, published, seed_means
from safmn_bench.analysis.stats.caveats import changed_keys
from safmn_bench.analysis.stats.groups import BASELINE, Measured
from safmn_bench.analysis.stats.rank_correlation import FEWEST, Correlation, spearman

OWN_RATE = "tuned/"  # no label, which is a folder's name, holds a stroke
COLUMNS = (
    *("training", "differs", "variant", "status", "seeds", "dataset", "metric", "gain", "gain_half_width"),
    *("difference", "half_width", "study_difference", "change", "change_half_width", "p", "p_holm", "changes_judged"),
)
ORDER_COLUMNS = (
    *("training", "dataset", "metric", "paper_column", "variants", "spearman", "ci95_low", "ci95_high"),
    *("study_spearman", "study_ci95_low", "study_ci95_high", "spearman_with_study", "names"),
)


@dataclass(frozen=True, kw_only=True)
class Elsewhere:
    """A network by another training, on one benchmark, in dB; None where there is nothing to compare."""

    training: str
    differs: str
    """Recipe keys and training images that it has otherwise than in the study, with the study's in brackets."""
    variant: str
    status: str
    """`finished`, or how many of its runs collapsed: then nothing is compared."""
    seeds: int
    dataset: str
    gain: Comparison | None = None
    """The network there minus the same network in the study."""
    difference: Comparison | None = None
    """It minus the baseline there."""
    study: Comparison | None = None
    """The same in the study."""
    change: Comparison | None = None
    """The one difference minus the other; `p_holm` holds for all changes on this benchmark at once."""
    lone: bool = False
    """One run of a network whose runs scatter far more in the study: nothing tells how far it lies from others."""


def elsewhere(study: Study) -> list[Elsewhere]:
    """Every network of every other training on each benchmark, training by training."""
    return [row for dataset in study.datasets for row in on_benchmark(study, dataset)] if _others(study) else []


def widest(rows: Sequence[Elsewhere]) -> tuple[str, dict[str, Comparison]]:
    """The training that has most differences, the first of several, with them; of rows on one benchmark."""
    trainings: dict[str, dict[str, Comparison]] = {}
    for row in rows:
        if row.difference is not None:
            trainings.setdefault(row.training, {})[row.variant] = row.difference
    return max(trainings.items(), key=lambda training: len(training[1]), default=("", {}))


@dataclass(frozen=True, kw_only=True)
class Order:
    """How another training orders its networks on one benchmark, by the means over seeds, none that collapsed."""

    training: str
    dataset: str
    names: Sequence[str]
    """Those that have a published figure and runs in the study; the coefficients are over them."""
    there: Correlation
    """With the paper's column."""
    study: Correlation
    """Of the study's scores with it, over the same networks."""
    both: Correlation
    """There with the study."""


def orders(study: Study) -> list[Order]:
    """Every training on each benchmark, where there are as many networks as an interval needs."""
    paper, found = published(SIZE_OF_EFFECT), []
    for dataset in study.datasets:
        here = seed_means(study.rows, dataset, HEADLINE)
        for training, networks in _others(study).items():
            means = seed_means(networks, dataset, HEADLINE)
            there = {name: mean for name, mean in means.items() if name in paper and name in here}
            if len(there) >= FEWEST:
                same = {name: here[name] for name in there}
                found.append(
                    Order(
                        training=training, dataset=dataset, names=[*there], there=spearman(there, paper),
                        study=spearman(same, paper), both=spearman(there, same),
                    )
                )  # fmt: skip
    return found


def _others(study: Study) -> dict[str, Sequence[Measured]]:
    """Label -> rows."""
    tuned = [row.tuned for row in study.rows if row.tuned is not None]
    return {**({OWN_RATE: tuned} if tuned else {}), **study.trainings}


def on_benchmark(study: Study, dataset: str) -> list[Elsewhere]:
    """The rows of `elsewhere` on one benchmark alone."""
    return _told([row for training in _others(study).items() for row in _of_training(study, dataset, *training)])


def _of_training(study: Study, dataset: str, training: str, networks: Sequence[Measured]) -> list[Elsewhere]:
    """One training, in a family with the study: how runs of a third one scatter changes nothing here."""
    here = {row.name: row for row in study.rows if not row.collapsed}
    scores = {name: runs for name, row in here.items() if (runs := row.by_seed(dataset, HEADLINE))}
    keys: dict[str, str] = {}
    rows: list[Elsewhere] = []
    for network in networks:
        usual = here.get(network.name, study.rows[0])
        differs = changed_keys(network.records[0], usual.records[0])
        rows.append(
            Elsewhere(
                training=training, differs=differs, variant=network.name, seeds=len(network.records), dataset=dataset,
                status=f"{network.collapsed} collapsed" if network.collapsed else "finished",
            )
        )  # fmt: skip
        runs = {} if network.collapsed else network.by_seed(dataset, HEADLINE)
        if network.name in scores and not differs:  # copies of the study's own
            keys[network.name] = network.name
        elif runs:
            keys[network.name] = f"{network.name}\n{training}"  # no name holds a line break
            scores[keys[network.name]] = runs
    images = [set(run) for by_seed in scores.values() for run in by_seed.values()]
    if not images or not set.intersection(*images):
        return rows
    main = {row.name: row.comparisons.get((dataset, HEADLINE)) for row in study.rows}
    family = Family.of(scores)
    compared = [_compared(row, family, keys, main.get(row.variant)) for row in rows]
    return [_untested(row) if _is_lone(row.variant, keys.get(row.variant), family) else row for row in compared]


def _is_lone(name: str, key: str | None, family: Family) -> bool:
    there = key is not None and key != name and family.seeds_of(key) == 1
    return there and name in family.networks and family.own_run(name) is not None


def _untested(row: Elsewhere) -> Elsewhere:
    """With its figures and without intervals, which would be those of runs that scatter as others do."""
    bare = {
        name: replace(comparison, half_width=None, p=None, degrees_of_freedom=None)
        for name in ("gain", "difference", "change")
        if (comparison := getattr(row, name)) is not None
    }
    return replace(row, lone=True, **bare)


def _compared(row: Elsewhere, family: Family, keys: Mapping[str, str], study: Comparison | None) -> Elsewhere:
    """One row with what the family says of it; `keys`: network -> what the family calls its runs there."""
    own, base = keys.get(row.variant), keys.get(BASELINE)
    if own is None:
        return row
    if row.variant in family.networks:
        row = replace(row, gain=_contrast(family, [(own, 1), (row.variant, -1)]))
    if row.variant == BASELINE or base is None:
        return row
    row = replace(row, difference=_contrast(family, [(own, 1), (base, -1)]), study=study)
    if study is None:
        return row
    return replace(row, change=_contrast(family, [(own, 1), (base, -1), (row.variant, -1), (BASELINE, 1)]))


def _told(rows: Sequence[Elsewhere]) -> list[Elsewhere]:
    """With Holm's correction: differences over those of their training, changes over all."""
    changes = holm_once({str(i): row.change for i, row in enumerate(rows) if row.change is not None}, {})
    differences: dict[str, Comparison] = {}
    for training in dict.fromkeys(row.training for row in rows):
        alike = {str(i): row.difference for i, row in enumerate(rows) if row.training == training and row.difference}
        differences |= holm_once(alike, {})
    return [replace(row, change=changes.get(str(i)), difference=differences.get(str(i))) for i, row in enumerate(rows)]


def _contrast(family: Family, weights: Sequence[tuple[str, float]]) -> Comparison | None:
    """The sum, a network that stands there twice once; None where nothing is left of it."""
    total: dict[str, float] = {}
    for name, weight in weights:
        total[name] = total.get(name, 0.0) + weight
    total = {name: weight for name, weight in total.items() if weight}
    return contrast(family, total) if total else None


def training_rows(rows: Sequence[Elsewhere]) -> Iterator[dict[str, Any]]:
    """Those of trainings.csv."""
    for row in rows:
        gain, there, change = row.gain, row.difference, row.change
        yield {
            "training": row.training, "differs": row.differs, "variant": row.variant, "status": row.status,
            "seeds": row.seeds, "dataset": row.dataset, "metric": HEADLINE,
            "gain": gain and gain.difference, "gain_half_width": gain and gain.half_width,
            "difference": there and there.difference, "half_width": there and there.half_width,
            "study_difference": row.study and row.study.difference,
            "change": change and change.difference, "change_half_width": change and change.half_width,
            "p": change and change.p, "p_holm": change and change.p_holm,
            "changes_judged": change and change.family,
        }  # fmt: skip


def order_rows(found: Sequence[Order]) -> Iterator[dict[str, Any]]:
    """Those of trainings_ranking.csv."""
    for order in found:
        yield {
            "training": order.training, "dataset": order.dataset, "metric": HEADLINE, "paper_column": SIZE_OF_EFFECT,
            "variants": order.there.n, "spearman": order.there.r, "ci95_low": order.there.low,
            "ci95_high": order.there.high, "study_spearman": order.study.r, "study_ci95_low": order.study.low,
            "study_ci95_high": order.study.high, "spearman_with_study": order.both.r, "names": " ".join(order.names),
        }  # fmt: skip
