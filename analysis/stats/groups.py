"""Measurements gathered from run records: one `Measured` per network and setting, with its seeds together.

Runs of one network that differ in what decides a score (training budget, training images, protocol, the images of a
benchmark) are never averaged, nor compared with a baseline of another setting: each setting is a row of its own.
"""

import contextlib
import functools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from safmn_bench.ablations.judging.family import Family, Scores
from safmn_bench.ablations.judging.power import Noise
from safmn_bench.ablations.judging.sequential import Looks, compare_at_looks
from safmn_bench.ablations.judging.significance import (
    Comparison,
    Interval,
    compare,
    interval,
    noise_of,
)
from safmn_bench.ablations.metrics import HEADLINE, Metric, metrics_in
from safmn_bench.ablations.recipe import LATER
from safmn_bench.ablations.record import WITHOUT_RESULT, Record
from safmn_bench.ablations.scoring.score import comparable
from safmn_bench.analysis.stats.contents import contents_of, differing
from safmn_bench.models.errors import UserError
from safmn_bench.models.safmn import SAFMNConfig
from safmn_bench.models.twins import twins
from safmn_bench.models.variants import VARIANTS, paper_order

BASELINE = "baseline"
_BUDGET = ("iterations", "patch", "batch", "sampling")  # of recipe.train: what a variant does not change, a budget does
_STARTS = "initialisation"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One network in one setting: its runs by seed, and how it compares with the baseline of the same setting."""

    name: str
    """The variant's, as the run folder is named."""
    scale: int
    setting: str
    """The conditions that the runs share; equal settings compare."""
    records: Sequence[Record]
    comparisons: Mapping[tuple[str, str], Comparison] = field(default_factory=dict)
    """(dataset, metric) -> this network minus the baseline; without an entry where nothing is to compare."""
    tuned: "Measured | None" = None
    """The same network at its own learning rate, compared with the baseline at its own."""

    @property
    def rate(self) -> float | None:
        """The network's own learning rate, as a multiple of the recipe's; None where it was not tuned."""
        return self.tuned.records[0].tuned if self.tuned else None

    @property
    def collapsed(self) -> int:
        """How many of the runs collapsed; the scores of such a run are of the last weights before."""
        return sum(record.status == "collapsed" for record in self.records)

    def score(self, dataset: str, metric: str) -> Interval | None:
        """Mean over seeds of a run's mean over images, with its interval; None where no run has it."""
        values = [record.scores[dataset].get(metric) for record in self.records if dataset in record.scores]
        finite = [value for value in values if value is not None]
        return interval(finite) if finite else None

    def by_seed(self, dataset: str, metric: str) -> dict[int, dict[str, float]]:
        """Seed -> image -> score, where it is finite, of the runs that have the metric and did not collapse."""
        runs = {
            record.seed: {
                image: scores[metric]
                for image, scores in record.scores[dataset]["images"].items()
                if scores[metric] is not None
            }
            for record in self.records
            if metric in record.scores.get(dataset, {}) and record.status == "finished"
        }
        return {seed: images for seed, images in runs.items() if images}


def measure(
    records: Sequence[Record],
    scale: int,
    baseline: str = BASELINE,
    unfinished: Sequence[Record] = (),
    tuned: Sequence[Record] = (),
) -> list[Measured]:
    """The networks of `records` at one scale, in the order met, each compared with `baseline` of its own setting.

    `unfinished`: runs without a result (`find_unfinished`); networks that halving stopped count in their family.
    `tuned`: runs at each network's own learning rate (`find_tuned`), a family of their own beside that.
    """
    rows = grouped(records, scale)
    for shared in dict.fromkeys(row.setting for row in rows):
        alike = [row for row in rows if row.setting == shared]
        compared = _comparisons(alike, baseline, unfinished)
        rows = [replace(row, comparisons=compared.get(row.name, {})) if row.setting == shared else row for row in rows]
    own = {(row.name, row.setting): row for row in measure(tuned, scale, baseline)} if tuned else {}
    return [replace(row, tuned=own.get((row.name, row.setting))) for row in rows]


def grouped(records: Sequence[Record], scale: int) -> list[Measured]:
    """The rows of `measure` without their comparisons, which are most of its work."""
    groups: dict[tuple[str, str], list[Record]] = {}
    ended = [record for record in records if record.scale == scale and record.status not in WITHOUT_RESULT]
    several = differing(ended)
    for record in ended:
        groups.setdefault((record.variant, setting(record) + contents_of(record, several)), []).append(record)
    return [Measured(name=name, scale=scale, setting=shared, records=runs) for (name, shared), runs in groups.items()]


def setting(record: Record) -> str:
    """The conditions that must be equal for two runs to compare, in words: budget, training images, protocol."""
    content = record.data.get("train", {}).get("content", "")
    return f"{budget_of(record)}; trained on {training_images(record)} {content}; {comparable(record.protocol)}"


def budget_of(record: Record) -> str:
    """How long and on what patches a run trained, and how it started where that is not by torch's order."""
    train = record.recipe.get("train", {})
    parts = [f"{key} {train[key]}" for key in _BUDGET if key in train]
    if (starts := train.get(_STARTS, LATER[f"train.{_STARTS}"])) != LATER[f"train.{_STARTS}"]:
        parts.append(f"{_STARTS} by {starts}")
    return ", ".join(parts) or "unknown budget"


def training_images(record: Record) -> str:
    """The training sets by name, and how many images they hold."""
    images: Mapping[str, Any] = record.data.get("train", {})
    names = " + ".join(str(training_set.get("name")) for training_set in images.get("sets", [])) or "unknown images"
    return f"{names} ({images.get('images', '?')} images)"


def datasets_of(rows: Sequence[Measured]) -> list[str]:
    """Every dataset that some run was scored on, in the order met."""
    return list(dict.fromkeys(dataset for row in rows for record in row.records for dataset in record.scores))


def metrics_of(rows: Sequence[Measured]) -> list[Metric]:
    """The standard metrics, and every other that some run was scored by."""
    return metrics_in(
        {name for row in rows for record in row.records for scores in record.scores.values() for name in scores}
    )


def families(rows: Sequence[Measured], dataset: str) -> list[Family]:
    """The runs' PSNR on a dataset, a family for each setting."""
    alike = ([row for row in rows if row.setting == shared] for shared in dict.fromkeys(row.setting for row in rows))
    scores = (_family(group, dataset, HEADLINE) for group in alike)
    return [Family.of(runs) for runs in scores if _common_images(runs)]


def _family(rows: Sequence[Measured], dataset: str, metric: str) -> dict[str, dict[int, dict[str, float]]]:
    """Network -> seed -> image -> score, of the networks that have finished runs on the dataset."""
    scores = {row.name: row.by_seed(dataset, metric) for row in rows if not row.collapsed}
    return {name: runs for name, runs in scores.items() if runs}


def twins_of(rows: Sequence[Measured]) -> dict[str, str]:
    """Network -> another one of these that computes the same function and is trained alike (models/twins.py)."""
    networks: dict[str, tuple[SAFMNConfig, str]] = {}
    for row in sorted(rows, key=lambda row: paper_order(row.name)):
        record = row.records[0]
        known = VARIANTS[row.name].config if row.name in VARIANTS else None
        with contextlib.suppress(TypeError, UserError):  # a configuration of another version, or of no SAFMN
            config = known or (SAFMNConfig(**record.config) if record.config else None)
            if config is not None:
                networks[row.name] = config, json.dumps(record.recipe.get("optimizer"), sort_keys=True)
    return twins(networks)


def noise_floor(rows: Sequence[Measured], dataset: str, metric: str = HEADLINE) -> Noise | None:
    """The noise of rows of one setting; None where no seed is repeated or there is no baseline."""
    scores = _family(rows, dataset, metric)
    if BASELINE not in scores or not _common_images(scores):
        return None
    noise = noise_of(scores, BASELINE)
    return noise if noise.run.freedom else None


def looks_of(rows: Sequence[Measured]) -> Looks | None:
    """When these runs were looked at; None where seeds were not added by what was found.

    Raises UserError where they were by two different plans: no rule holds for both.
    """
    known = {Looks(**record.looks) for row in rows for record in row.records if record.looks}
    if len(known) > 1:
        plans = " and ".join(sorted(f"from {looks.first} to {looks.most}" for looks in known))
        raise UserError(
            f"Seeds were added by two plans ({plans} seeds), whose comparisons cannot be judged together. Take the "
            "runs of one of them to another folder."
        )
    return next(iter(known), None)


def _stopped_beside(rows: Sequence[Measured], unfinished: Sequence[Record]) -> list[Measured]:
    """Networks of the rows' setting of which halving stopped every run."""
    groups: dict[str, list[Record]] = {}
    for record in unfinished:
        alike = record.scale == rows[0].scale and rows[0].setting.startswith(setting(record))
        if record.status == "stopped" and alike and record.variant not in {row.name for row in rows}:
            groups.setdefault(record.variant, []).append(record)
    return [
        Measured(name=name, scale=rows[0].scale, setting=rows[0].setting, records=runs) for name, runs in groups.items()
    ]


def _comparisons(
    rows: Sequence[Measured], baseline: str, unfinished: Sequence[Record]
) -> dict[str, dict[tuple[str, str], Comparison]]:
    """Network -> (dataset, metric) -> comparison with the baseline; rows are of one setting."""
    judge = judge_of(rows, baseline, unfinished)
    compared: dict[str, dict[tuple[str, str], Comparison]] = {}
    for dataset in datasets_of(rows):
        for metric in (known.name for known in metrics_of(rows)):
            scores = _family(rows, dataset, metric)
            if baseline not in scores or not _common_images(scores):
                continue
            for name, comparison in judge(scores).items():
                compared.setdefault(name, {})[dataset, metric] = comparison
    return compared


def judge_of(
    rows: Sequence[Measured], baseline: str, unfinished: Sequence[Record]
) -> Callable[[Scores], dict[str, Comparison]]:
    """How scores of these networks, of one setting, are compared with the baseline's: as their sweep was run.

    Networks that compute the same count once, and those that halving stopped count too. Where seeds were added by what
    was found, as of each network's last look, and with p values for all its looks.
    """
    stopped = _stopped_beside(rows, unfinished)
    twins, names = twins_of([*rows, *stopped]), {row.name for row in stopped}
    dropped, looks = len(names - set(twins)), looks_of(rows)
    if looks:
        return functools.partial(compare_at_looks, baseline=baseline, looks=looks, twins=twins, dropped=dropped)
    return functools.partial(compare, baseline=baseline, twins=twins, dropped=dropped)


def _common_images(scores: Mapping[str, Mapping[int, Mapping[str, float]]]) -> set[str]:
    """Images that every run has; none where two folders of one name hold different ones."""
    runs = [set(run) for by_seed in scores.values() for run in by_seed.values()]
    return set.intersection(*runs) if runs else set()


def variants_of(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records by variant, in the order met."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.variant, []).append(record)
    return groups
