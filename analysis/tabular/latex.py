"""A table in LaTeX: booktabs, for pdflatex or tectonic.

One float where a line of it can be read at a page's width. A wider table becomes several floats of one number: the
published columns, then the measured ones as far as they fit, each with the names of its rows; a part leaves out the
rows that have no figure in it.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby, pairwise

from safmn_bench.analysis.escaping import latex
from safmn_bench.analysis.tabular.table import MEASURED, Column, Table, cells_of

WIDEST = 120
"""Characters that a line may have, gaps between columns included: 5 pt at 345 pt of text, 7 pt at a paper's 500 pt."""
_GAP = 3
_NAME = 25  # characters of the names that are repeated in a continued table
_LONG = 1500  # characters of footnotes that fit below a table of a page's height in its size
_MARKS = {1: r"\textbf{{{}}}", 2: r"\underline{{{}}}"}
_HEAD = r"% needs \usepackage{booktabs,graphicx}"


def to_latex(table: Table) -> str:
    """The whole table; its footnotes stand below the last part."""
    parts = list(_parts(table))
    floats = []
    for number, columns in enumerate(parts):
        first, last = number == 0, number == len(parts) - 1
        caption = latex(table.title if first else f"{table.title.rstrip('.')} (continued).")
        floats += [r"\begin{table*}", *([] if first else [r"\addtocounter{table}{-1}"]), r"\centering\scriptsize"]
        floats += [rf"\caption{{{caption}}}\par\smallskip", *_fitted(_tabular(table, columns, whole=len(parts) == 1))]
        floats += [*(_footnotes(table) if last else ()), r"\end{table*}"]
    return "\n".join([_HEAD, *floats, ""])


def _parts(table: Table) -> Iterator[list[Column]]:
    """The columns of each float: all in one, or the published ones and then the measured ones, cut where full."""
    shown = table.shown()
    width = {id(column): _width(table, column) for column in shown}

    def total(columns: Sequence[Column]) -> int:
        return sum(width[id(column)] for column in columns)

    measured = [column for column in shown if column.band == MEASURED and table.filled(column)]
    if total(shown) <= WIDEST:
        yield shown
        return
    yield [column for column in shown if column.band != MEASURED]
    names = [column for column in shown if not column.band]
    while len(names) > 1 and total(names) > _NAME:
        names = names[1:]
    part = list(names)
    for column in measured:
        if len(part) > len(names) and total([*part, column]) > WIDEST:
            yield part
            part = list(names)
        part.append(column)
    if measured:
        yield part


def _width(table: Table, column: Column) -> int:
    """Characters of the widest cell, header included, and the gap beside it."""
    cells = [cell for [cell] in cells_of(table, [column], str, {1: "{}", 2: "{}"}, "*")]
    return _GAP + max(map(len, (column.title, _unit(table, column), *cells)))


def _tabular(table: Table, columns: Sequence[Column], *, whole: bool) -> list[str]:
    """Header and rows; those without a figure in these columns only in a `whole` table."""
    body = [
        rf"\begin{{tabular}}{{{''.join('r' if column.band else 'l' for column in columns)}}}",
        r"\toprule",
        *_bands(columns),
        " & ".join(latex(column.title) for column in columns) + r" \\",
        " & ".join(latex(_unit(table, column)) for column in columns) + r" \\",
    ]
    keys = [column.pieces[0].key for column in columns if column.band]
    rows = [
        (row, cells)
        for row, cells in zip(table.rows, cells_of(table, columns, latex, _MARKS, "$^{*}$"), strict=True)
        if whole or any(row.values.get(key) not in (None, "") for key in keys)
    ]
    for _, section in groupby(rows, key=lambda pair: pair[0].section):
        lines = _without_repeats(columns, [cells for _, cells in section])
        body += [r"\midrule", *(" & ".join(line) + r" \\" for line in lines)]
    return [*body, r"\bottomrule", r"\end{tabular}"]


def _unit(table: Table, column: Column) -> str:
    """A column's unit; nothing above a column of dashes, which stays narrow."""
    return column.unit if table.filled(column) else ""


def _fitted(body: list[str]) -> list[str]:
    """The tabular, no wider than the text."""
    boxed = [r"\sbox0{%", *(f"{line}%" for line in body), "}%"]
    return [*boxed, r"\ifdim\wd0>\linewidth\resizebox{\linewidth}{!}{\usebox0}\else\usebox0\fi"]


def _without_repeats(columns: Sequence[Column], lines: Sequence[list[str]]) -> list[list[str]]:
    """The lines of a section; a group's name stands in the first of them only."""
    repeats = [[column.once and line[i] == above[i] for i, column in enumerate(columns)]
               for above, line in pairwise(lines)]  # fmt: skip
    blank = [[False] * len(columns), *repeats]
    return [
        ["" if b else cell for cell, b in zip(line, bs, strict=True)] for line, bs in zip(lines, blank, strict=True)
    ]


def _footnotes(table: Table) -> list[str]:
    if not table.notes:
        return []
    lines = "\\par\n".join(latex(note) for note in table.notes)
    size = r"\tiny" if sum(map(len, table.notes)) > _LONG else r"\scriptsize"
    return [r"\par\smallskip", rf"\begin{{minipage}}{{\linewidth}}{size}{{}}{lines}\end{{minipage}}"]


def _bands(columns: Sequence[Column]) -> list[str]:
    """The header's first line, with a rule under each band."""
    titles, rules, first = [], [], 1
    for band, group in groupby(column.band for column in columns):
        width = len(list(group))
        titles.append(rf"\multicolumn{{{width}}}{{{'c' if band else 'l'}}}{{{latex(band)}}}")
        if band:
            rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        first += width
    return [" & ".join(titles) + r" \\", "".join(rules)]
