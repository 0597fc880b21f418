"""Attribution of a study's trained variants: DI over several windows of several photographs, and one figure.

Of every run whose weights are kept, on photographs that anybody may show (those inside scikit-image). What lam.csv
says already of a run whose weights are gone since then stays: a repository keeps the weights of one seed, the study is
of all. Nothing that differs between two runs on one machine is written: no times, and the path steps go through the
network in groups of a fixed size, since their sums round differently in others. Another processor rounds differently
too.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from safmn_bench.ablations.judging.significance import Comparison, compare
from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.analysis.attribution import figure as lam_figure
from safmn_bench.analysis.attribution.attribute import (
    LAM_WINDOW,
    PHOTOGRAPHS,
    STUDY_GRIDS,
    Look,
    embedded_places,
    grid_windows,
    look,
)
from safmn_bench.analysis.findings.runs import SCALE, Study
from safmn_bench.analysis.networks import subject_of
from safmn_bench.analysis.stats.groups import BASELINE
from safmn_bench.analysis.stats.profiles import number
from safmn_bench.profiling.common.console import progress
from safmn_bench.profiling.common.files import csv_rows_of, write_csv
from safmn_bench.profiling.common.layout import counted, say
from safmn_bench.profiling.common.memory import keep_freed_memory
from safmn_bench.profiling.common.provenance import files_of, is_of, write_sidecar

FILE = "lam.csv"
COLUMNS = (
    *("model", "seed", "config_hash", "scale", "method", "image", "hr_width", "hr_height"),
    *("window_x", "window_y", "window_size", "steps", "di", "completeness_gap", "objective", "undefined_gradients"),
)
STEP_BATCH = 10  # path steps at once: 2,000 small activations of 64x64 pixels, at home in any memory
_FIGURE_DPI = 150
Rows = list[dict[str, str]]


def write_lam(study: Study, out: Path, steps: int, device: torch.device, options: Sequence[str]) -> list[Path]:
    """Write lam.csv, how it was made beside it, and lam.png; nothing where no weights are kept. Returns the files.

    The provenance of equal figures is kept: that of when they were measured first.
    """
    runs = [run for run in study.runs if run[0].weights.exists() and run[1].scores and run[1].scale == SCALE]
    if not runs:
        return []
    if device.type == "cpu":
        keep_freed_memory()
    before, known = _kept(study, runs, steps), files_of(study.folder / FILE)
    places = {_key_of(record): place for place, (_, record) in enumerate(study.runs)}
    looks = _looks(runs, steps, device)
    rows = [_row(attributed, record) for record, attributed in looks]
    write_csv(out / FILE, COLUMNS, sorted([*rows, *before], key=lambda row: places[_key(row)]))
    if not is_of(out / FILE):
        told = {f"weights of {row['model']} seed {row['seed']}" for row in before}
        weights = {what: known[what] for what in known if what in told}
        weights |= {f"weights of {record.variant} seed {record.seed}": folder.weights for folder, record in runs}
        write_sidecar(out / FILE, "analysis/study.py", options, str(device), weights)
    figure = lam_figure.draw(_shown(looks), missing=_missing(study, runs))
    return [out / FILE, *lam_figure.save(figure, out / "lam", formats=("png",), dpi=_FIGURE_DPI)]


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["model"], str(row["seed"]), row["config_hash"]


def _key_of(record: Record) -> tuple[str, str, str]:
    return record.variant, str(record.seed), record.config_hash


def _kept(study: Study, runs: Sequence[tuple[RunFolder, Record]], steps: int) -> Rows:
    """The rows of lam.csv of the study's runs whose weights are gone, of as many steps; others are told and left."""
    gone = {_key_of(record) for _, record in study.runs} - {_key_of(record) for _, record in runs}
    before = [row for row in read_lam(study.folder) if _key(row) in gone]
    kept = [row for row in before if row["steps"] == str(steps)]
    if len(kept) < len(before):
        say(
            f"note: {counted(len(before) - len(kept), 'row')} of {study.folder / FILE} are not of {steps} steps and "
            "are left out: the weights that made them are gone",
            sys.stderr,
        )
    return kept


def _shown(looks: Sequence[tuple[Record, Look]]) -> list[Look]:
    """The first seed of each network, at the centre of the first photograph: a map at its edge would be cut off."""
    first = [(record, attributed) for record, attributed in looks if attributed.picture.name == PHOTOGRAPHS[0]]
    (centre,) = grid_windows(first[0][1].picture, 1, LAM_WINDOW)
    shown: dict[str, Look] = {}
    for record, attributed in first:
        if attributed.window == centre:
            shown.setdefault(record.variant, attributed)
    return list(shown.values())


def _missing(study: Study, runs: Sequence[tuple[RunFolder, Record]]) -> list[str]:
    """Networks of which no weights are kept."""
    shown = {record.variant for _, record in runs}
    return [name for name in dict.fromkeys(record.variant for _, record in study.runs) if name not in shown]


def _looks(runs: Sequence[tuple[RunFolder, Record]], steps: int, device: torch.device) -> list[tuple[Record, Look]]:
    """Every run on every window, with a progress bar over path steps."""
    places = embedded_places(SCALE, STUDY_GRIDS)
    looks = []
    with progress() as bar:
        task = bar.add_task("Attributing", total=len(places) * len(runs) * steps)
        for folder, record in runs:
            subject = subject_of(folder, record)
            subject.network.to(device)
            for picture, window in places:
                attributed = look(
                    subject, picture, window, method="lam", steps=steps, device=device, step_batch=STEP_BATCH,
                    advance=lambda done: bar.advance(task, done),
                )  # fmt: skip
                looks.append((record, attributed))
    return looks


def _row(attributed: Look, record: Record) -> dict[str, Any]:
    known = {**attributed.row(), "model": record.variant, "seed": record.seed, "config_hash": record.config_hash}
    return {column: known[column] for column in COLUMNS}


def read_lam(out: Path) -> Rows:
    """The rows of lam.csv; none where it is not there."""
    return csv_rows_of(out / FILE)


def di_scores(rows: Rows) -> dict[str, dict[int, dict[str, float]]]:
    """Network -> seed -> window of a picture -> DI."""
    scores: dict[str, dict[int, dict[str, float]]] = {}
    for row in rows:
        value = number(row["di"])
        if value is not None:
            place = f"{row['image']} {row['window_x']} {row['window_y']}"
            scores.setdefault(row["model"], {}).setdefault(int(row["seed"]), {})[place] = value
    return scores


def di_differences(scores: Mapping[str, Mapping[int, Mapping[str, float]]]) -> dict[str, Comparison]:
    """Each network's DI minus the baseline's, judged as scores are: paired over seeds and windows."""
    runs = [set(run) for seeds in scores.values() for run in seeds.values()]
    if BASELINE not in scores or not runs or not set.intersection(*runs):
        return {}
    return compare(scores, BASELINE)
