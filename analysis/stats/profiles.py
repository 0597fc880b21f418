"""Measurements without a run: the CSV files that complexity.py, latency.py, operators.py and evaluate.py write."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from safmn_bench.ablations.metrics import HEADLINE, metrics_in
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import csv_rows

Rows = list[dict[str, str]]
_TELLING = {
    "latency": ("model", "scale", "median_ms", "peak_memory_mib"),
    "operators": ("operation", "self_time_us"),
    "scores": ("model", "scale", "weights", "dataset", "image", *(metric.name for metric in metrics_in([]))),
    "complexity": ("model", "scale", "params", "flops", "acts"),
}


@dataclass
class Profiles:
    """Rows as text, by the script that wrote them; `operators` by the file's name, since each is one measurement."""

    latency: Rows = field(default_factory=list)
    operators: dict[str, Rows] = field(default_factory=dict)
    scores: Rows = field(default_factory=list)
    """The mean of each dataset; rows of single images are left out."""
    complexity: Rows = field(default_factory=list)


def read_profiles(files: Sequence[Path]) -> Profiles:
    """All files, each told by its columns.

    Raises UserError: unreadable, written by no script of the suite, or two scores of one network on one dataset.
    """
    profiles = Profiles()
    for file in files:
        kind, rows = _read(file)
        if kind == "latency":
            profiles.latency += rows
        elif kind == "complexity":
            profiles.complexity += rows
        elif kind == "scores":
            profiles.scores += _new_means(rows, profiles.scores, file)
        else:
            profiles.operators[file.stem] = rows
    return profiles


def _new_means(rows: Rows, known: Rows, file: Path) -> Rows:
    """The means of a file of scores. Raises UserError where an earlier file has another score of the same."""
    key = ("model", "scale", "weights", "dataset", "conventions")
    scores = {tuple(row.get(column, "") for column in key): row[HEADLINE] for row in known}
    means = [row for row in rows if row["image"] == "mean"]
    for row in means:
        before = scores.get(tuple(row.get(column, "") for column in key), row[HEADLINE])
        if before != row[HEADLINE]:
            raise UserError(
                f"{file} scores {row['model']} x{row['scale']} on {row['dataset']} with {row[HEADLINE]} dB, an "
                f"earlier file with {before} dB (another --grey?). Give one of them."
            )
    return means


def file_name(path: str) -> str:
    """The last part of a path as somebody wrote it, on whatever system."""
    return path.replace("\\", "/").rpartition("/")[2]


def number(cell: str | None) -> float | None:
    """A cell as a number; None where it is empty, no number, or not finite."""
    try:
        value = float(cell or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _read(file: Path) -> tuple[str, Rows]:
    try:
        with file.open(newline="", encoding="utf-8") as handle:
            columns = next(csv.reader(handle), [])
            handle.seek(0)
            rows = list(csv_rows(handle))
    except OSError as error:
        raise UserError(f"Cannot read {file}: {error.strerror}. Give a CSV file that exists.") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{file} is not a CSV file ({error}). Give what a --csv option wrote.") from error
    for kind, telling in _TELLING.items():
        if set(telling) <= set(columns):
            return kind, rows
    raise UserError(
        f"{file} has the columns {', '.join(columns) or '(none)'}, which no script of this suite writes. Allowed: the "
        "--csv of complexity.py, latency.py, operators.py and evaluate.py."
    )
