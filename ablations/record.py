"""The files of one run: RUNS/<variant>/x<scale>/seed<n>/, and `record.json`, which is written last.

A folder with a record is finished. Everything in a record is raw (rounding belongs to tables) and enough to repeat
the run: the effective configuration, machine, versions and commit.
"""

import csv
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safmn_bench.ablations.metrics import HEADLINE, metrics_in
from safmn_bench.profiling.common.files import csv_rows, write_csv
from safmn_bench.profiling.common.layout import counted, say
from safmn_bench.profiling.common.sealed import write_sealed

WITHOUT_RESULT = ("failed", "stopped", "unreadable")
"""States of a record that holds no score: the run failed, its sweep stopped it at the cut, or the file is damaged."""
TRIALS = "tuning"
"""Below a sweep's folder, the runs that learning rates are chosen by."""
TUNED = "tuned"
"""The folder in OUT of runs at each network's own learning rate (sweeps/tuning.py)."""
LOSS_COLUMNS = ("iteration", "loss", "lr", "seconds")
VALIDATION_COLUMNS = ("iteration", "dataset")  # and a column per metric


@dataclass(frozen=True)
class RunFolder:
    """Where the files of one run are."""

    path: Path

    @classmethod
    def of(cls, runs: Path, variant: str, scale: int, seed: int) -> "RunFolder":
        """The contract's place for a run."""
        return cls(runs / variant / f"x{scale}" / f"seed{seed}")

    @property
    def config(self) -> Path:
        """The whole effective configuration."""
        return self.path / "config.yaml"

    @property
    def losses(self) -> Path:
        """Training losses, a line per `train.log_every` iterations."""
        return self.path / "losses.csv"

    @property
    def validation(self) -> Path:
        """Scores on the validation images during training."""
        return self.path / "validation.csv"

    @property
    def checkpoint(self) -> Path:
        """Everything that a resumed run needs."""
        return self.path / "last.pt"

    @property
    def weights(self) -> Path:
        """The averaged weights, under key `params`."""
        return self.path / "weights.pt"

    @property
    def record(self) -> Path:
        """The result, written last."""
        return self.path / "record.json"

    @property
    def lock(self) -> Path:
        """Who runs it at the moment."""
        return self.path / "lock.json"

    @property
    def slurm(self) -> Path:
        """Which Slurm job it was last given to."""
        return self.path / "slurm.json"

    @property
    def source(self) -> Path:
        """A copy of the code of a network of one's own, as it was when the run was claimed."""
        return self.path / "source"

    @property
    def log(self) -> Path:
        """The output of a run in a process of its own."""
        return self.path / "log.txt"


@dataclass(frozen=True, kw_only=True)
class Record:
    """One variant, trained with one seed and scored once. `scores` and `bicubic` map a benchmark to its scores."""

    variant: str
    model: str
    scale: int
    seed: int
    status: str
    """finished, collapsed, failed, or stopped (by its sweep's halving)."""
    iterations: int
    """Optimiser steps made; for a collapse, up to where it was noticed."""
    recipe: Mapping[str, Any]
    config: Mapping[str, Any]
    scores: Mapping[str, Any]
    bicubic: Mapping[str, Any]
    params: int
    flops: int
    acts: int
    uncounted_ops: Mapping[str, int]
    train_seconds: float
    """Of the steps: neither validation and saving nor what comes before the first step (`compile_seconds`)."""
    images_per_second: float
    protocol: str
    data: Mapping[str, Any]
    machine: Mapping[str, Any]
    versions: Mapping[str, str]
    commit: str
    date: str
    collapse: Mapping[str, Any] | None = None
    """For a collapse: the first bad iteration, the reason, and the iteration whose weights were kept, if any."""
    error: str = ""
    """For a failed or stopped run: the cause, in one line. Its counts and scores are zero or empty."""
    last_lines: Sequence[str] = ()
    """For a failed run: what it printed last."""
    config_hash: str = ""
    """Of the effective configuration: two runs with the same one are the same run."""
    compile_seconds: float = 0.0
    """Of compiling and tuning, before the first step of each sitting; 0 where nothing is compiled, on a CPU."""
    graph: str = ""
    """Whether the last sitting's steps ran as a CUDA graph (`captured`), or why not; empty where that was not asked."""
    scored_form: str = ""
    """The form of the network that was scored (scoring/loading.py); empty where nothing was, or before it was noted."""
    sittings: int = 1
    """How often training was started: 1, and one more for each time that it went on from a checkpoint."""
    command: str = ""
    """The command line that asked for the run, from the folder where it was typed; empty where there was none."""
    variant_file: str = ""
    """The text of the YAML file that describes the variant; empty for one of the suite's."""
    stopped: Mapping[str, Any] | None = None
    """For a run that halving stopped: dataset, metric and score at the iteration of the cut (sweeps/halving.py)."""
    looks: Mapping[str, int] | None = None
    """Where the sweep added seeds by what it found: `first` and `most` seeds of a network (judging/sequential.py)."""
    tuned: float | None = None
    """For a run below `TUNED`: the multiple of the recipe's learning rate that its network does best with."""
    extra: Mapping[str, Any] = field(default_factory=dict)

    def write(self, folder: RunFolder) -> None:
        """Write record.json, sealed with its digest."""
        write_sealed(folder.record, vars(self))


class RunLog:
    """losses.csv and validation.csv: rows in memory, written whole and atomically with every checkpoint."""

    def __init__(self, folder: RunFolder, log_every: int, validate_every: int) -> None:
        self.folder, self.log_every, self.validate_every = folder, log_every, validate_every
        self.losses: list[dict[str, Any]] = []
        self.validation: list[dict[str, Any]] = []

    def restore(self, iterations: int) -> None:
        """Read back what was written, up to the checkpoint's iteration: later rows will be made again.

        Says so where rows are gone that were written with the checkpoint: training does not need them, figures do.
        """
        self.losses = _read_rows(self.folder.losses, iterations)
        self.validation = _read_rows(self.folder.validation, iterations)
        _tell_missing(self.folder.losses, self.losses, range(self.log_every, iterations + 1, self.log_every))
        due = range(self.validate_every, iterations + 1, self.validate_every)
        _tell_missing(self.folder.validation, self.validation, due)

    def write(self) -> None:
        """Write both files."""
        write_csv(self.folder.losses, LOSS_COLUMNS, self.losses)
        metrics = [metric.name for metric in metrics_in(key for row in self.validation for key in row)]
        write_csv(self.folder.validation, (*VALIDATION_COLUMNS, *metrics), self.validation)


def validation_at(folder: RunFolder, iteration: int) -> tuple[str, float] | None:
    """The first dataset's name and headline score after an iteration, from validation.csv; None without a score."""
    rows = [row for row in _read_rows(folder.validation, iteration) if row["iteration"] == iteration]
    return (rows[0]["dataset"], rows[0][HEADLINE]) if rows and math.isfinite(rows[0][HEADLINE]) else None


def _read_rows(path: Path, iterations: int) -> list[dict[str, Any]]:
    """The rows up to an iteration; none of a file that is missing or damaged."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            return [row for row in map(_parsed, csv_rows(handle)) if row["iteration"] <= iterations]
    except (OSError, ValueError, KeyError, TypeError, csv.Error):
        return []


def _tell_missing(path: Path, rows: Sequence[Mapping[str, Any]], due: range) -> None:
    if missing := set(due) - {row["iteration"] for row in rows}:
        say(
            f"warning: {path} lacks {len(missing)} of {counted(len(due), 'row')} up to iteration {due.stop - 1}, the "
            f"first of them {min(missing)}: it is damaged, or was removed or emptied. Training goes on; they are lost.",
            sys.stderr,
        )


def _parsed(row: Mapping[str, str]) -> dict[str, Any]:
    """The row as it was before it was written: floats are written so that they read back exactly."""
    kinds = {"iteration": int, "dataset": str}
    return {column: kinds.get(column, float)(text) for column, text in row.items()}
