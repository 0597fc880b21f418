"""The records under a runs folder: where every table, figure and page of this package starts."""

from collections.abc import Sequence
from pathlib import Path

from safmn_bench.ablations.record import Record, RunFolder, read_record
from safmn_bench.models.errors import UserError

RECORDS = "*/x[234]/seed*/record.json"


def find_runs(runs: Path) -> list[tuple[RunFolder, Record]]:
    """Every finished or collapsed run below `runs`, by variant, scale and seed.

    Raises UserError where the folder is missing or holds no record, and where a record cannot be read.
    """
    if not runs.is_dir():
        raise UserError(f"{runs} is not a folder. Give the folder that run.py wrote to (its --out).")
    found: list[tuple[RunFolder, Record]] = []
    for path in runs.glob(RECORDS):
        folder = RunFolder(path.parent)
        record = read_record(folder)
        if record is not None and record.status != "failed":
            found.append((folder, record))
    if not found:
        raise UserError(f"{runs} holds no finished run ({RECORDS}). Run ablations/run.py --out {runs} first.")
    return sorted(found, key=lambda item: (item[1].variant, item[1].scale, item[1].seed))


def variants_of(records: Sequence[Record]) -> dict[str, list[Record]]:
    """Records by variant, in the order met."""
    groups: dict[str, list[Record]] = {}
    for record in records:
        groups.setdefault(record.variant, []).append(record)
    return groups
