"""The published figures (results/paper/*.csv, installed as package data), and how a count compares with them.

Tables 1 to 5 are the paper's; Table 6 is the suite's, of networks that came later, each with its own paper's figures.
"""

import csv
import functools

from safmn_bench.models.errors import normalised
from safmn_bench.models.keeping import package_folder

_NAME_COLUMN = {1: "method", 3: "variant", 4: "variant", 6: "method"}
COLUMNS = ("params_k", "flops_g", "acts_m")
_TOLERANCE = {"params_k": 0.005, "flops_g": 0.01, "acts_m": 0.005}  # printed digits; FLOPs of Table 3 waver by 0.01
_INTEGER_TOLERANCE = 0.5


def read_table(file: str) -> list[dict[str, str]]:
    """Rows of results/paper/<file>, as text, in the paper's order."""
    text = (package_folder("safmn_bench.paper") / file).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@functools.lru_cache(maxsize=8)
def table_rows(table: int) -> dict[tuple[str, int], dict[str, str]]:
    """Rows of Table 1, 3, 4 or 6 by (folded name, scale); Tables 3 and 4 are at x4."""
    column = _NAME_COLUMN[table]
    return {(normalised(row[column]), int(row.get("scale", 4))): row for row in read_table(f"table{table}.csv")}


@functools.lru_cache(maxsize=8)
def table_notes(table: int) -> dict[tuple[str, int, str], str]:
    """Why a published figure differs from the count: (folded name, scale, column) -> reason."""
    notes = read_table(f"table{table}_notes.csv")
    return {(normalised(n["model"]), int(n["scale"]), n["column"]): n["reason"] for n in notes}


def published_figure(table: int, name: str, scale: int, column: str) -> str | None:
    """The figure as printed, or None where the paper has none."""
    row = table_rows(table).get((normalised(name), scale))
    return (row or {}).get(column) or None


def compare(table: int, name: str, scale: int, column: str, counted: float) -> str | None:
    """None where `counted` (in the paper's unit) prints as published; else the reason, or that none is known.

    Tables 1 and 6 print integers, rounded half up; Tables 3 and 4 print two decimals.
    """
    printed = published_figure(table, name, scale, column)
    if printed is None:
        return None
    tolerance = _TOLERANCE[column] if "." in printed else _INTEGER_TOLERANCE
    # decimals are no binary fractions: half a unit of the last one may come out a hair larger
    if abs(counted - float(printed)) <= tolerance + 1e-9:
        return None
    reason = table_notes(table).get((normalised(name), scale, column), "no reason known")
    return f"{column}: {reason}"
