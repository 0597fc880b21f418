"""The runs of a folder, read: those with a result, those without one, and those at networks' own learning rates.

A record is a file to open, a digest to check and a schema to hold it against: milliseconds, with its images' scores. So
a command that shows a folder reads it once, by `gather`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safmn_bench.ablations.record import TRIALS, TUNED, WITHOUT_RESULT, Record, RunFolder
from safmn_bench.ablations.records import RECORDS, records_below
from safmn_bench.models.errors import UserError

Run = tuple[RunFolder, Record]


@dataclass(frozen=True, kw_only=True)
class Gathered:
    """A folder of runs, each list by variant, scale and seed."""

    runs: list[Run]
    """Finished or collapsed."""
    unfinished: list[Record]
    """Those that failed, that halving stopped, or whose record cannot be read."""
    tuned: list[Record]
    """Finished or collapsed ones at their network's own learning rate."""

    @property
    def records(self) -> list[Record]:
        """Those of `runs`."""
        return [record for _, record in self.runs]


def gather(runs: Path) -> Gathered:
    """Everything below `runs`, each record read once; one that cannot be read is told.

    Raises UserError where the folder is missing or holds no run with a result, and where a run stands there twice.
    """
    everything = records_below(runs)
    return Gathered(runs=_with_result(runs, everything), unfinished=_without_result(everything), tuned=find_tuned(runs))


def find_runs(runs: Path) -> list[Run]:
    """`gather`'s runs alone. Raises UserError as it does."""
    return _with_result(runs, records_below(runs))


def find_unfinished(runs: Path) -> list[Record]:
    """`gather`'s runs without a result alone, also of a folder that holds no others."""
    return _without_result(records_below(runs))


def find_tuned(runs: Path) -> list[Record]:
    """`gather`'s runs at own learning rates alone."""
    return _results_in(runs / TUNED)


def find_trials(runs: Path) -> list[Record]:
    """The runs that learning rates were chosen by, finished or collapsed, rate by rate."""
    return [record for rate in sorted((runs / TRIALS).glob("*/")) for record in _results_in(rate)]


def _results_in(folder: Path) -> list[Record]:
    records = [record for _, record in records_below(folder)] if folder.is_dir() else []
    return [record for record in records if record.status not in WITHOUT_RESULT]


def _with_result(runs: Path, everything: Sequence[Run]) -> list[Run]:
    finished = [run for run in everything if run[1].status not in WITHOUT_RESULT]
    if not finished:
        failed = "".join(f" {len(everything)} failed, such as {r.variant}: {r.error}." for _, r in everything[:1])
        raise UserError(f"{runs} holds no finished run ({RECORDS}).{failed} Run ablations/run.py --out {runs} first.")
    _require_each_once(finished)
    return finished


def _without_result(everything: Sequence[Run]) -> list[Record]:
    return [record for _, record in everything if record.status in WITHOUT_RESULT]


def _require_each_once(runs: Sequence[Run]) -> None:
    """Raise UserError for a copied folder: one run would count as two."""
    seen: dict[tuple[str, str, int, int], RunFolder] = {}
    for folder, record in runs:
        key = (record.config_hash, record.variant, record.scale, record.seed)
        if (other := seen.setdefault(key, folder)) is not folder:
            raise UserError(
                f"{other.path} and {folder.path} hold one run: the same configuration and seed {record.seed}. One is a "
                "copy, which would count as a run of its own: take it away."
            )
