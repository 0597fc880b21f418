"""A table before it has a format: fields (one value each, as in the CSV), columns (what is shown), rows, notes.

Published figures are text, as printed in the paper; measured ones are numbers, rounded only where they are shown.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from safmn_bench.analysis.stats.entries import Value

PUBLISHED, MEASURED = "Published", "Measured"


@dataclass(frozen=True, kw_only=True)
class Piece:
    """One field within a shown column; left out, with what stands before it, where the row has no value."""

    key: str
    before: str = ""
    digits: int | None = None
    """Decimals of a number."""
    unit: float = 1.0
    """The divisor of a number before it is shown: 1e3 shows 239520 as 239.52."""
    signed: bool = False
    figure: str = ""
    """By what name --columns takes it; none: it goes with the piece before it, or names the row."""
    heading: str = ""
    """Its part of the column's unit, where columns are made of pieces that can be left out."""
    by_setting: bool = False
    """Whether only rows of one training compare in it: marked among those that share `Row.setting`."""
    better: int = 0
    """1 where more is better, -1 where less is, 0 where best and second best are not marked."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column: `pieces` side by side, a dash where the first has no value."""

    title: str
    pieces: Sequence[Piece]
    unit: str = ""
    """The figures' name with their unit: a second line of the header."""
    once: bool = False
    """Whether a value that repeats that of the row above may be left out."""
    band: str = ""
    """PUBLISHED, MEASURED, or nothing for what names the row."""
    benchmark: str = ""
    """Whose scores it shows."""
    starred: bool = False
    """Whether an asterisk stands here for training that collapsed."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """`values` by field; a rule parts the sections of a table."""

    values: Mapping[str, Value]
    section: str = ""
    ranked_with: str = ""
    """Best and second best are marked among rows that share this."""
    setting: str = ""
    """How its measured scores came about: training, data and conventions."""
    collapsed: frozenset[str] = frozenset()
    """Bands in which training collapsed: starred, and not ranked."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table: of the paper, published beside measured, or of one's own. `fields` are the CSV's columns, in order."""

    heading: str
    """The words before the title where a document does not number its tables, such as "Table 3."; or nothing."""
    title: str
    fields: Sequence[str]
    columns: Sequence[Column]
    rows: Sequence[Row]
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def bands(self) -> list[str]:
        """The bands that its columns stand in."""
        return list(dict.fromkeys(column.band for column in self.columns if column.band))

    def shown(self) -> list[Column]:
        """The columns to show: those in which nothing was measured are left out, unless nothing was at all."""
        empty = [column for column in self.columns if column.band == MEASURED and not self.filled(column)]
        everything = all(column in empty for column in self.columns if column.band == MEASURED)
        return [column for column in self.columns if everything or column not in empty]

    def filled(self, column: Column) -> bool:
        """Whether some row has a value in it."""
        return any(row.values.get(column.pieces[0].key) not in (None, "") for row in self.rows)

    def ranks(self) -> dict[tuple[int, str], int]:
        """(row index, field) -> 1 for the best of its group as it is shown, 2 for the second best."""
        places: dict[tuple[int, str], int] = {}
        for column in self.columns:
            for piece in (piece for piece in column.pieces if piece.better):
                for group in dict.fromkeys(_group(row, piece) for row in self.rows):
                    places |= self._ranked(piece, column.band, group)
        return places

    def _ranked(self, piece: Piece, band: str, group: tuple[str, str]) -> dict[tuple[int, str], int]:
        shown = {
            index: float(text(row.values.get(piece.key), piece))
            for index, row in enumerate(self.rows)
            if _group(row, piece) == group and band not in row.collapsed and row.values.get(piece.key) is not None
        }
        best_first = sorted(set(shown.values()), reverse=piece.better > 0)
        if len(shown) < 2:
            return {}
        return {(i, piece.key): best_first.index(v) + 1 for i, v in shown.items() if v in best_first[:2]}


def _group(row: Row, piece: Piece) -> tuple[str, str]:
    """Rows of one group compare in this piece."""
    return row.ranked_with, row.setting if piece.by_setting else ""


def text(value: Value, piece: Piece) -> str:
    """A value as it is shown: published text unchanged, numbers rounded to the piece's digits."""
    if value is None or isinstance(value, str):
        return value or ""
    shown = f"{value / piece.unit:{'+' if piece.signed else ''}.{piece.digits or 0}f}"
    if not float(shown):
        shown = shown.lstrip("+-")  # what rounds to zero has no sign
    return shown.replace("-", "−") if piece.signed else shown


Escape = Callable[[str], str]


def cells_of(
    table: Table, columns: Sequence[Column], escape: Escape, marks: dict[int, str], star: str
) -> Iterator[list[str]]:
    """Each row's cells in `columns`; `marks`: templates for the best (1) and second (2); `star`: for a collapse."""
    ranks = table.ranks()
    for index, row in enumerate(table.rows):
        own = {key: marks[rank] for (i, key), rank in ranks.items() if i == index}
        yield [_cell(row, column, own, escape, star) for column in columns]


def _cell(row: Row, column: Column, marks: dict[str, str], escape: Escape, star: str) -> str:
    if row.values.get(column.pieces[0].key) in (None, ""):
        return escape("–") if column.band else ""
    shown = ""
    for piece in column.pieces:
        if part := escape(text(row.values.get(piece.key), piece)):
            shown += escape(piece.before) + marks.get(piece.key, "{}").format(part)
    return shown + (star if column.starred and column.band in row.collapsed else "")
