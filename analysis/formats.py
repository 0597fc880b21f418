"""A table as CSV (every field, 12 digits), Markdown (best bold, second best in italics) or LaTeX (latex_table.py)."""

import csv
import io
from collections.abc import Callable, Iterable

from safmn_bench.analysis.cells import cells_of
from safmn_bench.analysis.escaping import markdown, printable
from safmn_bench.analysis.latex_table import to_latex
from safmn_bench.analysis.table import Column, Table, Value


def to_csv(table: Table) -> str:
    """A line per row, a column per field; an empty cell where there is no value."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(table.fields)
    for row in table.rows:
        writer.writerow([_plain(row.values.get(key)) for key in table.fields])
    return buffer.getvalue()


def stable(value: float) -> float:
    """A computed figure at 12 significant digits: beyond them another processor rounds sums otherwise."""
    return float(f"{value:.12g}")


def _plain(value: Value) -> Value:
    if isinstance(value, float):
        return stable(value)
    return printable(value) if isinstance(value, str) else value


def to_markdown(table: Table) -> str:
    """A GitHub table; bands stand before the columns' titles, since its header has one line."""
    columns = table.shown()
    lines = [f"**Table {table.number}.** {markdown(table.title)}", ""]
    lines += [_line(markdown(_title(column)) for column in columns)]
    lines += [_line("--:" if column.band else ":--" for column in columns)]
    lines += [_line(cells) for cells in cells_of(table, columns, markdown, {1: "**{}**", 2: "*{}*"}, r"\*")]
    notes = [markdown(note) for note in table.notes]
    return "\n".join([*lines, "", *(f"{note}\n" for note in notes)])


def _title(column: Column) -> str:
    """A column's header in one line."""
    title = f"{column.band.lower()}: {column.title}" if column.band else column.title
    return f"{title} {column.unit}" if column.unit else title


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


FORMATS: dict[str, Callable[[Table], str]] = {"csv": to_csv, "latex": to_latex, "markdown": to_markdown}
