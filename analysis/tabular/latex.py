"""A table in LaTeX for a paper: booktabs, nothing scaled, no figure below 7 pt.

One float with a caption and a label. Benchmarks stand side by side as far as they fit the width; what is wider goes on
below in panels of the same float, each with the names of its rows, without the rows that have no figure in it. Panels
that pass a page's height go into further floats of the same number. Notes that no page holds follow as a paragraph.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from safmn_bench.analysis.escaping import latex
from safmn_bench.analysis.tabular.table import Column, Table, cells_of


@dataclass(frozen=True, kw_only=True)
class Room:
    """What a class leaves for a table, in points; `em` widens or narrows characters for its font."""

    width: float
    height: float
    em: float = 1.0


ROOMS = {
    "column": Room(width=237.0, height=620.0, em=0.88),
    "page": Room(width=496.0, height=620.0, em=0.88),
    "text": Room(width=347.0, height=510.0),
}
"""The narrowest of the usual classes: CVPR's column and page (IEEE's are 252 and 516 pt) in Times, LNCS's text."""
_LINE, _RULE_PT = 1.22, 4.0  # height of a line in its size; points of a rule
_EM = {
    **dict.fromkeys(" .,:;()[]{}'!|ijlI", 0.36), **dict.fromkeys("mwMW%@", 1.0), **dict.fromkeys("±−Δ–", 0.89),
    **dict.fromkeys("ABCDEFGHKLNOPQRSTUVXYZ_", 0.82),
}  # fmt: skip
_USUAL_EM = 0.575
"""Widths of characters in em: Computer Modern's at 7 pt, the widest that stands here."""
_BOLD = " " * 2  # the best is bold, and as wide as if it had two blanks more
_MARKS = {1: r"\textbf{{{}}}", 2: r"\underline{{{}}}"}
_HEAD = r"% needs \usepackage{booktabs}"


@dataclass(frozen=True, kw_only=True)
class Paper:
    """How a table stands in a paper."""

    fit: str = "page"
    """A key of ROOMS."""
    label: str | None = None
    caption: str | None = None


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A size of letters, and the points between columns."""

    size: str
    points: float
    gap: float


_SETTINGS = (
    Setting(size=r"\footnotesize", points=8.0, gap=6.0),
    Setting(size=r"\scriptsize", points=7.0, gap=6.0),
    Setting(size=r"\scriptsize", points=7.0, gap=4.0),
)
"""From the roomiest on; what passes the last one's width goes into panels."""


def to_latex(table: Table, paper: Paper | None = None) -> str:
    """The whole table; its footnotes stand below the last float, or behind it where they are too long."""
    paper = paper or Paper()
    room, shown = ROOMS[paper.fit], table.shown()
    fitting = (each for each in _SETTINGS if _total(table, shown, each, room) <= room.width)
    setting = next(fitting, _SETTINGS[-1])
    parts = _panels(table, shown, setting, room)
    panels = [_tabular(table, columns, whole=columns == shown) for columns in parts]
    floats = list(_floats(panels, room.height, setting.points))
    below = _notes_height(table, room) + _height(floats[-1], setting.points) <= room.height
    lines = [_HEAD]
    for number, inside in enumerate(floats):
        last = number == len(floats) - 1
        lines += _float(table, paper, inside, setting, again=number > 0, notes=below and last)
    return "\n".join([*lines, *([] if below else _paragraph(table, paper)), ""])


def _float(
    table: Table, paper: Paper, panels: Sequence[Sequence[str]], setting: Setting, *, again: bool, notes: bool
) -> list[str]:
    kind = "table*" if paper.fit == "page" else "table"
    caption = latex(table.title) if paper.caption is None else paper.caption
    head = [rf"\begin{{{kind}}}[tbp]", *([r"\addtocounter{table}{-1}"] if again else []), r"\centering"]
    named = f"{caption.rstrip('.')} (continued)." if again else rf"{caption}}}\label{{{_label(table, paper)}"
    head += [rf"\caption{{{named}}}", rf"{setting.size}\setlength{{\tabcolsep}}{{{setting.gap / 2:g}pt}}\par\smallskip"]
    inside = [line for panel in panels for line in (*panel, r"\par\medskip")][:-1]
    return [*head, *inside, *(_footnotes(table) if notes else []), rf"\end{{{kind}}}"]


def _label(table: Table, paper: Paper) -> str:
    number = "".join(character for character in table.heading if character.isdigit())
    return paper.label or f"tab:safmn-bench{'-' if number else ''}{number}"


def _panels(table: Table, shown: Sequence[Column], setting: Setting, room: Room) -> Iterator[list[Column]]:
    """The columns of each panel: all, or the names and as many as fit beside them, in their order."""
    if _total(table, shown, setting, room) <= room.width:
        yield list(shown)
        return
    names = [column for column in shown if not column.band]
    while len(names) > 1 and _total(table, names, setting, room) > room.width / 3:
        names = names[1:]
    part = list(names)
    filled = [column for column in shown if column.band and table.filled(column)]
    for _, group in groupby(filled, key=lambda column: (column.band, column.benchmark or id(column))):
        together = list(group)  # a benchmark's score and its difference
        if len(part) > len(names) and _total(table, [*part, *together], setting, room) > room.width:
            yield part
            part = list(names)
        for column in together:
            if len(part) > len(names) and _total(table, [*part, column], setting, room) > room.width:
                yield part
                part = list(names)
            part.append(column)
    yield part


def _floats(panels: Sequence[list[str]], height: float, points: float) -> Iterator[list[list[str]]]:
    """Panels that fit a page's height together."""
    inside: list[list[str]] = []
    for panel in panels:
        if inside and _height([*inside, panel], points) > height:
            yield inside
            inside = []
        inside.append(panel)
    yield inside


def _height(panels: Sequence[Sequence[str]], points: float) -> float:
    lines = sum(line.endswith(r"\\") for panel in panels for line in panel)
    rules = sum(line.count("rule") for panel in panels for line in panel)
    return lines * points * _LINE + rules * _RULE_PT + len(panels) * points * _LINE


def _notes_height(table: Table, room: Room) -> float:
    """In 7 pt; a line more for each, since words are not broken."""
    lines = sum(1 + _USUAL_EM * room.em * 7.0 * len(note) / room.width for note in table.notes)
    return lines * 7.0 * _LINE


def _total(table: Table, columns: Sequence[Column], setting: Setting, room: Room) -> float:
    """Points of the columns side by side."""
    return sum(_width(table, column, setting.points * room.em) + setting.gap for column in columns)


def _width(table: Table, column: Column, points: float) -> float:
    """Points of the widest cell, header included."""
    cells = [cell for [cell] in cells_of(table, [column], str, {1: "{}" + _BOLD, 2: "{}"}, "*")]
    return (
        max(sum(_EM.get(c, _USUAL_EM) for c in cell) for cell in (column.title, _unit(table, column), *cells)) * points
    )


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
    return [r"\par\smallskip", rf"\begin{{minipage}}{{\linewidth}}\scriptsize\raggedright{{}}{lines}\end{{minipage}}"]


def _paragraph(table: Table, paper: Paper) -> list[str]:
    """The notes as text, to be moved where they suit."""
    lines = " ".join(latex(note) for note in table.notes)
    return [rf"{{\footnotesize\noindent\textbf{{Notes to Table~\ref{{{_label(table, paper)}}}.}} {lines}\par}}"]


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
