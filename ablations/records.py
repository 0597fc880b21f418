"""Records read back: each one checked, and those of a folder with what could not be read.

A record that is damaged, or no record, is named once on stderr and left out; what lists runs shows it among those
without a result, as `unreadable`.
"""

import dataclasses
import math
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safmn_bench.ablations.metrics import finite_mean
from safmn_bench.ablations.record import WITHOUT_RESULT, Record, RunFolder
from safmn_bench.ablations.record_schema import check_record
from safmn_bench.models.errors import UserError, printable
from safmn_bench.profiling.common.layout import say
from safmn_bench.profiling.common.sealed import read_sealed

RECORDS = "*/x[234]/seed*/record.json"
_FIELDS = frozenset(field.name for field in dataclasses.fields(Record))
_SHOWN = 300  # characters of a reason
_told: set[Path] = set()


def read_record(folder: RunFolder) -> Record | None:
    """The record of a run, or None where there is none. Raises UserError for a file that is not one of this version."""
    if not folder.record.exists():
        return None
    try:
        values = read_sealed(folder.record, required=False)  # those of before had no digest
        if unknown := sorted(values.keys() - _FIELDS):
            raise ValueError(f"its key {unknown[0]!r} is not known")
        check_record(values)
        return Record(**{**values, **{kind: with_means(values[kind]) for kind in ("scores", "bicubic")}})
    except (OSError, ValueError) as error:
        reason = printable(str(error))[:_SHOWN]
        raise UserError(
            f"{folder.record} is not a record of this version ({reason}). Move it away to run again."
        ) from None


def records_below(runs: Path) -> list[tuple[RunFolder, Record]]:
    """Every record below `runs`, by variant, scale and seed; in place of one that cannot be read stands `unreadable`.

    Raises UserError where the folder is missing.
    """
    if not runs.is_dir():
        raise UserError(f"{runs} is not a folder. Give the folder that run.py wrote to (its --out).")
    read: list[tuple[RunFolder, Record]] = []
    for path in runs.glob(RECORDS):
        folder = RunFolder(path.parent)
        try:
            record = read_record(folder)
        except UserError as error:
            record = unreadable(folder, str(error))
            if path not in _told:
                say(f"warning: left out: {error}", sys.stderr)
            _told.add(path)
        if record is not None:
            read.append((folder, record))
    return sorted(read, key=lambda item: (item[1].variant, item[1].scale, item[1].seed))


def unreadable(folder: RunFolder, cause: str) -> Record:
    """The stand-in for a run whose record cannot be read: named by its folder, without a result."""
    seed, scale = folder.path.name.removeprefix("seed"), folder.path.parent.name.removeprefix("x")
    nothing: dict[str, Any] = dict.fromkeys(("params", "flops", "acts", "iterations"), 0)
    empty: dict[str, Any] = {
        key: {} for key in ("config", "scores", "bicubic", "uncounted_ops", "data", "machine", "versions")
    }
    return Record(
        variant=folder.path.parent.parent.name,
        model="",
        scale=int(scale),
        seed=int(seed) if seed.isdecimal() else 0,
        status="unreadable",
        error=cause,
        recipe={"train": {"iterations": 0}},
        train_seconds=0.0,
        images_per_second=0.0,
        protocol="",
        commit="",
        date="",
        **nothing,
        **empty,
    )


def with_means(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Scores whose means are those of the finite images, as they are now written: before, one infinite made none."""
    by_dataset = {}
    for dataset, values in scores.items():
        images = values.get("images", {}).values()
        means = {
            metric: finite_mean(image[metric] for image in images)
            for metric, mean in values.items()
            if mean is None and all(metric in image for image in images)
        }
        by_dataset[dataset] = {**values, **{metric: mean for metric, mean in means.items() if math.isfinite(mean)}}
    return by_dataset


def forget_no_result(folder: RunFolder) -> None:
    """Remove a record without a result: the run is tried again or goes on, and its folder will say how it ends."""
    record = read_record(folder)
    if record is not None and record.status in WITHOUT_RESULT:
        folder.record.unlink(missing_ok=True)
