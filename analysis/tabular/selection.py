"""What of a table is shown: rows by name, published or measured columns, figures, benchmarks, and which scatter.

A selection leaves values and fields alone; best and second best are marked among the rows that remain.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from safmn_bench.analysis.tabular.notes import DEVIATION, INTERVAL, OF_ANY_ROW
from safmn_bench.analysis.tabular.table import MEASURED, PUBLISHED, Column, Piece, Row, Table
from safmn_bench.models.errors import match_name
from safmn_bench.models.names import network_key

BANDS = {"measured": (MEASURED,), "published": (PUBLISHED,), "both": (PUBLISHED, MEASURED)}
_ENDS = {"interval": "_ci95", "sd": "_sd"}


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Names as they are typed; empty ones leave everything."""

    rows: Sequence[str] = ()
    """Names of rows, and at most one of BANDS."""
    columns: Sequence[str] = ()
    """Figures: params, flops, acts, runs, psnr, ssim, delta, time, rate, or another metric's name."""
    benchmarks: Sequence[str] = ()
    spread: str = "interval"
    """What stands behind ± of a mean."""


def selected(table: Table, choice: Selection) -> Table:
    """The chosen part. Raises UserError for a name that the table has not, with those that it has."""
    bands = [name for name in choice.rows if name in BANDS]
    kept = BANDS[bands[-1] if bands else "both"]
    columns = [column for column in table.columns if not column.band or column.band in kept]
    columns = _of_figures(_of_benchmarks(columns, choice.benchmarks), choice.columns)
    columns = [_with_spread(column, choice.spread) for column in columns]
    names = [name for name in choice.rows if name not in BANDS]
    rows = _named(table, names)
    if len(kept) == 1:
        rows = [row for row in rows if _has_figure(row, columns)]
    return replace(
        table, columns=columns, rows=rows, title=_title(table.title, kept), notes=_notes(table.notes, kept, choice)
    )


def _of_benchmarks(columns: Sequence[Column], wanted: Sequence[str]) -> Sequence[Column]:
    if not wanted:
        return columns
    known = dict.fromkeys(column.benchmark for column in columns if column.benchmark)
    names = [match_name("benchmark", name, known, "Choose with --benchmarks.") for name in wanted]
    return [column for column in columns if not column.benchmark or column.benchmark in names]


def _of_figures(columns: Sequence[Column], wanted: Sequence[str]) -> Sequence[Column]:
    """Columns without the pieces of other figures, their units told anew."""
    if not wanted:
        return columns
    known = dict.fromkeys(figure for column in columns for figure in _figures(column) if column.band)
    names = [match_name("column", name, known, "Choose with --columns.") for name in wanted]
    kept = [_with_figures(column, names) if column.band else column for column in columns]
    return [column for column in kept if column.pieces]


def _figures(column: Column) -> list[str]:
    """Each piece's figure; a piece without one goes with that before it."""
    told: list[str] = []
    for piece in column.pieces:
        last = told[-1] if told else piece.key.removeprefix("paper_").removeprefix("measured_")
        told.append(piece.figure or last)
    return told


def _with_figures(column: Column, names: Sequence[str]) -> Column:
    pieces = [piece for piece, figure in zip(column.pieces, _figures(column), strict=True) if figure in names]
    if pieces and pieces[0].before:
        pieces[0] = replace(pieces[0], before="")
    headings = [piece.heading for piece in pieces if piece.heading]
    return replace(column, pieces=pieces, unit=" / ".join(headings) if headings else column.unit)


def _with_spread(column: Column, spread: str) -> Column:
    """Behind a mean, the interval, the standard deviation or nothing; a difference keeps its interval."""
    pieces: list[Piece] = []
    for piece in column.pieces:
        if piece.key.endswith(_ENDS["interval"]) and not piece.key.endswith("_delta_ci95"):
            if spread == "none":
                continue
            piece = replace(piece, key=piece.key.removesuffix(_ENDS["interval"]) + _ENDS[spread])
        pieces.append(piece)
    return replace(column, pieces=pieces)


def _named(table: Table, names: Sequence[str]) -> Sequence[Row]:
    if not names:
        return table.rows
    key = [column.pieces[0].key for column in table.columns if not column.band][-1]  # after part and scale: the network
    known = dict.fromkeys(str(row.values.get(key, "")) for row in table.rows)
    wanted = {network_key(match_name("row", name, known, "Choose with --rows.")) for name in names}
    return [row for row in table.rows if network_key(str(row.values.get(key, ""))) in wanted]


def _has_figure(row: Row, columns: Iterable[Column]) -> bool:
    return any(row.values.get(column.pieces[0].key) not in (None, "") for column in columns if column.band)


def _title(title: str, kept: Sequence[str]) -> str:
    both = ": published, and measured here."
    if len(kept) == 2 or not title.endswith(both):
        return title
    return title.removesuffix(both) + (": measured." if MEASURED in kept else ": as published.")


def _notes(notes: Sequence[str], kept: Sequence[str], choice: Selection) -> list[str]:
    """Without what is said about figures that are not shown."""
    told = [note for note in notes if PUBLISHED in kept or not note.startswith("Published:")]
    if MEASURED not in kept:
        return [note for note in told if note.startswith("Published:") or note in OF_ANY_ROW]
    if choice.spread != "interval":
        told = [note for note in told if note != INTERVAL]
    if choice.spread == "sd" and INTERVAL in notes:
        told.append(DEVIATION)
    return told
