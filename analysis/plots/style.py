"""The style of all figures: colours that the colour-blind tell apart, sizes for print, and three files per figure.

Colours are Okabe and Ito's, and no line is told by its colour alone: each has a dash pattern or a marker of its own.
Text is 6.5 to 9 points, and no figure is wider than the page of a paper in two columns: it stands there unscaled.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font

from safmn_bench.models.errors import printable
from safmn_bench.profiling.common.files import write_atomically

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D00")
DASHES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (1, 1)), (0, (3, 1, 1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
COLUMN_INCHES, PAGE_INCHES = 3.25, 6.875  # a column and both of the narrowest usual paper (CVPR's; IEEE's are wider)
FORMATS = ("pdf", "svg", "png")
PNG_DPI = 300

_STYLE: dict[Any, Any] = {
    "backend": "agg",
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "grid.linewidth": 0.4,
    "grid.color": "#DDDDDD",
    "text.parse_math": False,  # a name with two dollars is a name
    "svg.fonttype": "none",  # text stays text: searchable, and small
    "pdf.fonttype": 42,
    "svg.hashsalt": "safmn-bench",  # the same figure gives the same file
}


_LABELS: ContextVar[Mapping[str, str]] = ContextVar("labels", default={})  # noqa: B039 (never written to)


@contextmanager
def style(labels: Mapping[str, str] | None = None) -> Iterator[None]:
    """The figures' settings, for as long as one is drawn and written; `labels`: name -> how it is shown."""
    before = _LABELS.set(labels or {})
    try:
        with matplotlib.rc_context(_STYLE):
            yield
    finally:
        _LABELS.reset(before)


def save(figure: Figure, folder: Path, name: str) -> list[Path]:
    """Write `folder/name.pdf`, `.svg` and `.png`, each atomically. Raises UserError where that fails."""
    paths = []
    for kind in FORMATS:
        undated = {"pdf": {"CreationDate": None}, "svg": {"Date": None}}.get(kind)
        path = folder / f"{name}.{kind}"
        write_atomically(
            path, lambda handle, k=kind, m=undated: figure.savefig(handle, format=k, dpi=PNG_DPI, metadata=m)
        )
        paths.append(path)
    return paths


def label(text: str, limit: int = 40) -> str:
    """A name as it may stand in a figure: one line, not longer than `limit` characters."""
    clean = printable(_LABELS.get().get(text, text))
    return clean if len(clean) <= limit else f"{clean[: limit - 1]}…"


def text_width(text: str, points: float) -> float:
    """Points that a line of text takes in the figures' letters at most."""
    return _HINTED * points * sum(_advance(character) for character in text)


_HINTED = 1.015  # letters on whole pixels are wider than designed, by 1 % at 100 dpi


@cache
def _advance(character: str) -> float:
    """A character's width in em."""
    font = get_font(findfont(FontProperties(family=_STYLE["font.family"])))
    font.set_size(1.0, 72)  # an em is a point
    return font.load_char(ord(character)).linearHoriAdvance / 2**16  # 16.16 fixed


def lines_within(text: str, width: float, points: float, most: int | None = None) -> list[str]:
    """The text in lines of `width` points, broken behind a blank, `_`, `-`, `/` or `.` where one is near the end.

    What passes `most` lines is cut, which … says.
    """
    lines: list[str] = []
    while text:
        if most is not None and len(lines) == most - 1:
            return [*lines, _cut(text, width, points)]
        end = _fitting(text, width, points)
        if end < len(text):
            breaks = [i + 1 for i in range(end // 2, end) if text[i] in " _-/."]
            end = max(breaks, default=end)
        lines.append(text[:end].rstrip())
        text = text[end:].lstrip()
    return lines


def _cut(text: str, width: float, points: float) -> str:
    if text_width(text, points) <= width:
        return text
    return f"{text[: _fitting(text, width - text_width('…', points), points)]}…"


def _fitting(text: str, width: float, points: float) -> int:
    """How many of the first characters fit; one at least."""
    ends = accumulate(text_width(character, points) for character in text)
    return max(1, sum(end <= width for end in ends))
