"""A table as CSV (every field, to 12 digits), LaTeX (booktabs) or Markdown (best bold, second best in italics)."""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby, pairwise

from safmn_bench.analysis.escaping import latex, markdown, printable
from safmn_bench.analysis.table import Column, Row, Table, Value, text


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
    titles = [_title(column) for column in table.columns]
    lines = [f"**Table {table.number}.** {markdown(table.title)}", ""]
    lines += [_line(map(markdown, titles)), _line("--:" if column.band else ":--" for column in table.columns)]
    lines += [_line(cells) for cells in _cells(table, markdown, {1: "**{}**", 2: "*{}*"}, r"\*")]
    notes = [markdown(note) for note in table.notes]
    return "\n".join([*lines, "", *(f"{note}\n" for note in notes)])


def _unit(table: Table, column: Column) -> str:
    """A column's unit; nothing above a column of dashes, which stays narrow."""
    return column.unit if any(row.values.get(column.pieces[0].key) is not None for row in table.rows) else ""


def _title(column: Column) -> str:
    """A column's header in one line."""
    title = f"{column.band.lower()}: {column.title}" if column.band else column.title
    return f"{title} {column.unit}" if column.unit else title


def to_latex(table: Table) -> str:
    """A floating table for pdflatex or tectonic; scaled down where it is wider than the text."""
    columns = table.columns
    body = [
        rf"\begin{{tabular}}{{{''.join('r' if column.band else 'l' for column in columns)}}}",
        r"\toprule",
        *_bands(table),
        " & ".join(latex(column.title) for column in columns) + r" \\",
        " & ".join(latex(_unit(table, column)) for column in columns) + r" \\",
    ]
    cells = _cells(table, latex, {1: r"\textbf{{{}}}", 2: r"\underline{{{}}}"}, "$^{*}$")
    for _, section in groupby(zip(table.rows, cells, strict=True), key=lambda pair: pair[0].section):
        lines = _without_repeats(columns, [line for _, line in section])
        body += [r"\midrule", *(" & ".join(line) + r" \\" for line in lines)]
    body += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*_HEAD, rf"\caption{{{latex(table.title)}}}", *_fitted(body), *_footnotes(table), _END])


_HEAD = (r"% needs \usepackage{booktabs,graphicx}", r"\begin{table*}", r"\centering")
_END = "\\end{table*}\n"


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
    return [r"\par\smallskip", rf"\begin{{minipage}}{{\linewidth}}\footnotesize{{}}{lines}\end{{minipage}}"]


def _bands(table: Table) -> list[str]:
    """The header's first line, with a rule under each band."""
    titles, rules, first = [], [], 1
    for band, group in groupby(column.band for column in table.columns):
        width = len(list(group))
        titles.append(rf"\multicolumn{{{width}}}{{{'c' if band else 'l'}}}{{{latex(band)}}}")
        if band:
            rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        first += width
    return [" & ".join(titles) + r" \\", "".join(rules)]


def _cells(table: Table, escape: Callable[[str], str], marks: dict[int, str], star: str) -> Iterator[list[str]]:
    """The shown cells of each row, escaped and marked."""
    ranks = table.ranks()
    for index, row in enumerate(table.rows):
        yield [_cell(row, column, {key: marks[r] for (i, key), r in ranks.items() if i == index}, escape, star)
               for column in table.columns]  # fmt: skip


def _cell(row: Row, column: Column, marks: dict[str, str], escape: Callable[[str], str], star: str) -> str:
    if row.values.get(column.pieces[0].key) in (None, ""):
        return escape("–") if column.band else ""
    shown = ""
    for piece in column.pieces:
        if part := escape(text(row.values.get(piece.key), piece)):
            shown += escape(piece.before) + marks.get(piece.key, "{}").format(part)
    return shown + (star if column.starred and column.band in row.collapsed else "")


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


FORMATS: dict[str, Callable[[Table], str]] = {"csv": to_csv, "latex": to_latex, "markdown": to_markdown}
