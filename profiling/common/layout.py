"""What fits a terminal: words broken nowhere, and tables whose names and figures are never cut.

A table takes the first of these forms that fits the width; none leaves anything out:

1. as it is;
2. headings on several lines, at whole words, then texts beside the names too;
3. up to three rows: turned, a column for each;
4. in parts one below the other, the names again in each;
5. a paragraph for each row, under its name.

Where no terminal reads (a pipe, a file), nothing is wrapped, unless COLUMNS says how wide it is.
"""

import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TextIO

from safmn_bench.models.errors import printable

GUTTER = "  "
FEW = 3  # rows that read as well as columns side by side
USUAL = 80  # columns of a terminal that does not say
_INDENT = "  "
_SHORT = 6  # a heading up to here stays on one line: `95 %`
_SENTENCE = 16  # a text up to here stays on one line


def width_of(stream: TextIO | None) -> int | None:
    """Columns of the terminal that `stream` is, or as COLUMNS says; None: as many as are needed."""
    told = os.environ.get("COLUMNS", "")
    if told.isdecimal() and int(told) > 0:
        return int(told)
    if stream is None or not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or USUAL
    except (OSError, ValueError):  # a stand-in for a terminal
        return USUAL


def wrapped(text: str, width: int | None) -> str:
    """Text with each line broken before the word that passes `width`; a longer word, such as a path, stays whole."""
    if width is None:
        return text
    return "\n".join(broken for line in text.split("\n") for broken in _broken(line, width))


def _broken(line: str, width: int) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    whole_words = textwrap.TextWrapper(
        width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False, expand_tabs=False
    )
    return whole_words.wrap(line) or [""]


def shown(text: str) -> str:
    """Text for a terminal, without escapes that would move the cursor or change the title; lines stay lines."""
    return "\n".join(map(printable, text.split("\n")))


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a sentence or several on `stream` (default: stdout), at whole words where a terminal reads."""
    stream = stream or sys.stdout
    print(wrapped(shown(text), width_of(stream)), file=stream, flush=True)


def counted(number: int, name: str, names: str = "") -> str:
    """A number and its noun: '1 run', '3 runs'; `names` is a plural that does not end in s."""
    return f"{number} {name if number == 1 else names or name + 's'}"


@dataclass(frozen=True)
class Grid:
    """Cells as they stand; the first `texts` columns flush left, the figures right. A cell may have several lines."""

    header: Sequence[str]
    """Empty: rows without headings."""
    rows: Sequence[Sequence[str]]
    texts: int
    name: str = ""
    """What stands above."""

    def columns(self) -> list[tuple[str, ...]]:
        """Each column's cells, the heading first where there is one."""
        return list(zip(*([self.header] if self.header else []), *self.rows, strict=True))

    def widths(self) -> list[int]:
        """Columns of the terminal that each column takes."""
        return [max(map(_widest, column)) for column in self.columns()]

    def width(self) -> int:
        """Columns of the terminal that the grid takes."""
        widths = self.widths()
        return sum(widths) + len(GUTTER) * (len(widths) - 1)

    def picked(self, columns: Sequence[int]) -> "Grid":
        """Only these columns."""
        header, *rows = ([row[i] for i in columns] for row in (self.header, *self.rows))
        return replace(self, header=header, rows=rows)

    def narrowed(self, column: int, width: int) -> "Grid":
        """The cells of a column broken at whole words to `width`."""
        header, *rows = (
            [wrapped(cell, width) if i == column else cell for i, cell in enumerate(row)]
            for row in (self.header, *self.rows)
        )
        return replace(self, header=header, rows=rows)

    def lines(self, rule: str = "─") -> list[str]:
        """The lines to print, without trailing blanks."""
        lines = [self.name] if self.name else []
        widths = self.widths() if self.rows else [*map(_widest, self.header)]
        if self.header:
            lines += self._lines_of(self.header, widths, from_below=True)
            lines.append(GUTTER.join(rule * width for width in widths))
        for row in self.rows:
            lines += self._lines_of(row, widths)
        return lines

    def _lines_of(self, row: Sequence[str], widths: Sequence[int], *, from_below: bool = False) -> list[str]:
        cells = [cell.split("\n") for cell in row]
        height = max(map(len, cells))
        full = [_filled(cell, height, from_below=from_below) for cell in cells]
        return [
            GUTTER.join(map(_set, line, widths, (i < self.texts for i in range(len(line))))).rstrip()
            for line in zip(*full, strict=True)
        ]


def arranged(header: Sequence[str], rows: Sequence[Sequence[str]], texts: int, width: int | None) -> list[Grid]:
    """A table as one grid or several that fit `width` (None: any), as the module says."""
    whole = Grid(header, rows, texts)
    if width is None or whole.width() <= width:
        return [whole]
    narrow = _headings_narrowed(whole)
    broken = _texts_narrowed(narrow, width)
    if broken.width() <= width:
        return [broken]
    if len(rows) <= FEW and (turned := _turned(narrow, width)).width() <= width:
        return [turned]
    parts = _parts(narrow, width)
    if all(part.width() <= width for part in parts):
        return parts
    return [_paragraph(whole, row, width) for row in rows]


def _headings_narrowed(grid: Grid) -> Grid:
    """Headings no wider than they or their cells must be."""
    for i, (heading, *cells) in enumerate(grid.columns()):
        room = max([_SHORT, _longest_word(heading), *map(_widest, cells)])
        grid = replace(grid, header=[wrapped(cell, room) if i == j else cell for j, cell in enumerate(grid.header)])
    return grid


def _texts_narrowed(grid: Grid, width: int) -> Grid:
    """Sentences beside the names on several lines, the last column's first, as far as `width` asks for it."""
    for column in reversed(range(1, grid.texts)):
        if (over := grid.width() - width) > 0:
            least = max(_SENTENCE, *map(_longest_word, grid.columns()[column]))
            grid = grid.narrowed(column, max(least, grid.widths()[column] - over))
    return grid


def _turned(grid: Grid, width: int) -> Grid:
    """A column per row, its names above it (at whole words, if need be), and a row per figure."""
    names = ["\n".join(row[: grid.texts]) for row in (grid.header, *grid.rows)]
    rows = [[cell.replace("\n", " ") for cell in column] for column in grid.columns()[grid.texts :]]
    turned = Grid(names, rows, texts=1)
    if turned.width() <= width:
        return turned
    for column in range(1, len(names)):
        figures = max(_widest(row[column]) for row in rows)
        turned = turned.narrowed(column, max(figures, _longest_word(names[column])))
    return turned


def _parts(grid: Grid, width: int) -> list[Grid]:
    """As many columns in each as fit beside the names."""
    names = list(range(grid.texts))
    parts: list[list[int]] = [[]]
    for column in range(grid.texts, len(grid.header)):
        if parts[-1] and grid.picked([*names, *parts[-1], column]).width() > width:
            parts.append([])
        parts[-1].append(column)
    return [grid.picked([*names, *part]) for part in parts]


def _paragraph(grid: Grid, row: Sequence[str], width: int) -> Grid:
    """The names of a row, and below them a line per figure."""
    figures = zip(grid.header[grid.texts :], row[grid.texts :], strict=True)
    cells = [[_INDENT + heading.replace("\n", " "), cell] for heading, cell in figures]
    return Grid((), cells, texts=2, name=wrapped(GUTTER.join(row[: grid.texts]), width))


def _widest(cell: str) -> int:
    return max(map(_cells_of, cell.split("\n")))


def _longest_word(cell: str) -> int:
    return max(map(_cells_of, cell.split()), default=0)


def _cells_of(line: str) -> int:
    if line.isascii():
        return len(line)
    from rich.cells import cell_len  # costs as much as the rest of a `--help`: only for letters of double width

    return cell_len(line)


def _filled(lines: Sequence[str], height: int, *, from_below: bool) -> Iterable[str]:
    empty = [""] * (height - len(lines))
    return [*empty, *lines] if from_below else [*lines, *empty]


def _set(cell: str, width: int, left: bool) -> str:
    blank = " " * (width - _cells_of(cell))
    return cell + blank if left else blank + cell
