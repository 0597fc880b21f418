"""The complexity columns of Tables 1, 3, 4 and 6: what is counted, what was published, and why the two differ."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safmn_bench.models.catalog import MODELS
from safmn_bench.models.errors import UserError
from safmn_bench.models.names import find_candidate
from safmn_bench.models.variants import TABLE3, TABLE4, Candidate
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.files import write_csv
from safmn_bench.profiling.common.paper import COLUMNS, compare, published_figure, table_rows
from safmn_bench.profiling.counting.flops import Complexity, complexity

CSV_COLUMNS = (
    *("model", "scale", "params", "flops", "acts", "uncounted_ops"),
    *("paper_params_k", "paper_flops_g", "paper_acts_m", "input_shape", "note"),
)
TABLES = {3: TABLE3, 4: TABLE4}
UNITS = {"params_k": 1e3, "flops_g": 1e9, "acts_m": 1e6}


def rows_of_table(table: int, scale: int | None) -> list[tuple[Candidate, int]]:
    """The candidates and scales of a table, in its order; Tables 1 and 6 at all scales unless one is asked for.

    Raises UserError for a scale that the table does not have.
    """
    if table in TABLES:
        if scale not in (None, 4):
            raise UserError(f"Table {table} is at scale 4 in the paper; for scale {scale} name the --models.")
        return [(variant, 4) for variant in TABLES[table]]
    rows = [
        (find_candidate(row["method"]), row_scale)
        for (_, row_scale), row in table_rows(table).items()
        if (row["params_k"] or table == 6) and scale in (None, row_scale)  # bicubic costs nothing
    ]
    if not rows:
        raise UserError(f"Table {table} has no scale {scale}. Allowed: 2, 3, 4.")
    return rows


def count_all(wanted: Sequence[tuple[Candidate, int]]) -> list[Complexity]:
    """Count each, with a progress bar."""
    with console.progress() as bar:
        return [complexity(candidate, scale) for candidate, scale in bar.track(wanted, description="Counting")]


def paper_table_of(candidate: Candidate) -> int | None:
    """Which table has this candidate's complexity: 3 or 4 for a variant, 1 or 6 for a network."""
    if candidate.name in MODELS:
        return MODELS[candidate.name].table
    for table, variants in TABLES.items():
        if candidate in variants:
            return table
    return None


def csv_row(candidate: Candidate, scale: int, counted: Complexity, table: int | None) -> dict[str, Any]:
    """One line of the CSV contract: exact integers for what was counted, the paper's figures as printed."""
    paper: dict[str, str | None] = dict.fromkeys(COLUMNS)
    notes: list[str] = list(counted.remarks)
    if table is not None:
        paper = {column: published_figure(table, candidate.title, scale, column) for column in COLUMNS}
        exact = dict(zip(COLUMNS, (counted.params, counted.flops, counted.acts), strict=True))
        remarks = (compare(table, candidate.title, scale, column, exact[column] / UNITS[column]) for column in COLUMNS)
        notes += [remark for remark in remarks if remark]
    return {
        "model": candidate.title,
        "scale": scale,
        "params": counted.params,
        "flops": counted.flops,
        "acts": counted.acts,
        "uncounted_ops": ";".join(f"{name}={calls}" for name, calls in counted.uncounted_ops.items()),
        **{f"paper_{column}": figure for column, figure in paper.items()},
        "input_shape": "x".join(str(length) for length in counted.input_shape),
        "note": "; ".join(notes),
    }


def show(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print the rows, each difference from the paper numbered and explained below, and the uncounted operators."""
    notes: list[str] = []
    cells = []
    for row in rows:
        mark = ""
        if row["note"]:
            notes.append(f"({len(notes) + 1}) {row['model']} x{row['scale']}: {row['note']}")
            mark = f" ({len(notes)})"
        paper = [str(row[f"paper_{column}"] or "-") for column in COLUMNS]
        counts = [
            console.thousands(int(row["params"])),
            console.giga(int(row["flops"])),
            console.mega(int(row["acts"])),
        ]
        cells.append([f"{row['model']}{mark}", f"x{row['scale']}", *counts, *paper])
    header = ["model", "scale", "params [K]", "FLOPs (MACs) [G]", "acts [M]"]
    header += ["paper params [K]", "paper FLOPs [G]", "paper acts [M]"]
    notes.append("FLOPs are multiply-adds as fvcore counts them; activations are all convolution outputs.")
    notes.append("Seen and not counted by fvcore (calls):")
    notes += [f"  {row['model']} x{row['scale']}: {row['uncounted_ops'] or 'none'}" for row in rows]
    console.print_table(title, header, cells, notes, text_columns=2)


def write(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write the CSV contract of complexity.py."""
    write_csv(path, CSV_COLUMNS, rows)
