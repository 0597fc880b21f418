"""The noise of runs to come, as runs that are there tell it."""

import json
from collections.abc import Sequence
from pathlib import Path

from safmn_bench.ablations.judging.power import Noise
from safmn_bench.ablations.judging.significance import noise_of
from safmn_bench.ablations.metrics import metrics_in
from safmn_bench.ablations.record import Record
from safmn_bench.ablations.records import RECORDS, records_below
from safmn_bench.models.errors import UserError


def read_pilot(runs: Path) -> list[Record]:
    """The finished runs of a folder that compare: one scale, budget, training set and protocol, that of most of them.

    Raises UserError where the folder is missing or holds no finished run.
    """
    finished = [record for _, record in records_below(runs) if record.status == "finished"]
    if not finished:
        raise UserError(f"{runs} holds no finished run ({RECORDS}). Run ablations/run.py --out {runs} first.")
    groups: dict[str, list[Record]] = {}
    for record in finished:
        groups.setdefault(_setting(record), []).append(record)
    return max(groups.values(), key=len)


def _setting(record: Record) -> str:
    train = record.recipe.get("train", {})
    content = record.data.get("train", {}).get("content", "")
    return json.dumps([record.scale, train, content, record.protocol], sort_keys=True)


def networks_of(records: Sequence[Record]) -> list[str]:
    """Every network once, in the order met."""
    return list(dict.fromkeys(record.variant for record in records))


def scores_on(records: Sequence[Record], dataset: str, metric: str) -> dict[str, dict[int, dict[str, float]]]:
    """Network -> seed -> image -> score, of the runs of which every image has one."""
    scores: dict[str, dict[int, dict[str, float]]] = {}
    for record in records:
        images = record.scores.get(dataset, {}).get("images", {})
        if images and all(each.get(metric) is not None for each in images.values()):
            scores.setdefault(record.variant, {})[record.seed] = {name: each[metric] for name, each in images.items()}
    return scores


def noises(records: Sequence[Record], baseline: str = "baseline") -> dict[tuple[str, str], Noise]:
    """(benchmark, metric) -> what moves its scores. Raises UserError: no baseline, or no seed repeated."""
    by_score: dict[tuple[str, str], Noise] = {}
    if baseline not in networks_of(records):
        raise UserError(
            f"Among the runs is no {baseline}, which differences are taken from (there: "
            f"{', '.join(networks_of(records))}). Run it too."
        )
    for dataset in dict.fromkeys(name for record in records for name in record.scores):
        for metric in metrics_in(key for record in records for key in record.scores.get(dataset, {})):
            scores = scores_on(records, dataset, metric.name)
            if baseline in scores:
                by_score[dataset, metric.name] = noise_of(scores, baseline)
    known = {where: noise for where, noise in by_score.items() if noise.run.freedom}
    if not known:
        raise UserError(
            "The runs tell no noise: at least one network needs two seeds, finished and scored on the same images. "
            "Run more seeds (--seeds 0 1), or give a standard deviation with --sd."
        )
    return known
