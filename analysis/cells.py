"""The shown cells of a table, escaped and marked for a format."""

from collections.abc import Callable, Iterator, Sequence

from safmn_bench.analysis.table import Column, Row, Table, text

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
