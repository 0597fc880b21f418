"""Figure 2: one picture and window, and what several networks look at there.

As in the paper: LR with the window in red and HR around it; then a cell per network: its attribution map laid over the
picture, its SR around the window, its name and DI. Five cells stand side by side on a page's width, the others below
them; where that passes a page's height, up to seven do.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from safmn_bench.analysis.attribution.attribute import Look, Picture
from safmn_bench.analysis.attribution.diffusion_index import Map, density
from safmn_bench.analysis.attribution.objective import Window
from safmn_bench.analysis.attribution.options import VIEWS
from safmn_bench.analysis.plots.style import PAGE_INCHES, label, lines_within, style
from safmn_bench.profiling.common.files import write_atomically

FORMATS = ("png", "pdf")
_DPI = 300
_AROUND = 4  # the crop is this many windows high
_RED = "#e3000f"
_COLUMNS = (5, 6, 7)  # cells side by side: the fewest that stay within a page
_PAGE_HIGH_IN = 9.0
_GAP_IN = 0.05
_POINTS, _LINE_IN = 7.0, 0.125
_LONGEST, _MOST_LINES = 60, 4  # of a name: characters, and lines at seven cells


def coloured(values: Map) -> np.ndarray:
    """Values (h, w) in [0, 1] by matplotlib's `seismic` at 0.5 + v/2, uint8 (h, w, 3): white is 0, dark red is 1."""
    return (colormaps["seismic"](0.5 + values / 2)[..., :3] * 255).round().astype(np.uint8)


def map_view(look: Look) -> np.ndarray:
    """The attribution map, uint8 (scale h, scale w, 3), enlarged by nearest neighbour."""
    return enlarged(coloured(look.magnitude), look.picture.scale, PIL.Image.Resampling.NEAREST)


def density_view(look: Look) -> np.ndarray:
    """Its density, uint8 (scale h, scale w, 3), enlarged bicubically."""
    return enlarged(coloured(density(look.magnitude)), look.picture.scale, PIL.Image.Resampling.BICUBIC)


def blended(view: np.ndarray, picture: Picture) -> np.ndarray:
    """Half `view`, half the bicubically enlarged LR, uint8."""
    lr = enlarged(picture.lr, picture.scale, PIL.Image.Resampling.BICUBIC)
    return ((view.astype(np.uint16) + lr + 1) // 2).astype(np.uint8)


def enlarged(rgb: np.ndarray, scale: int, how: PIL.Image.Resampling) -> np.ndarray:
    """uint8 (h, w, 3) to (scale h, scale w, 3)."""
    height, width = rgb.shape[:2]
    return np.array(PIL.Image.fromarray(rgb).resize((width * scale, height * scale), how))


def around(image: np.ndarray, window: Window) -> np.ndarray:
    """The part of `image` (H, W, 3) around the window, of the image's shape, four windows high where there is room."""
    height, width = image.shape[:2]
    tall = min(height, _AROUND * window.size)
    wide = min(width, round(tall * width / height))
    left = min(max(0, window.x + window.size // 2 - wide // 2), width - wide)
    top = min(max(0, window.y + window.size // 2 - tall // 2), height - tall)
    return image[top : top + tall, left : left + wide]


@dataclass(frozen=True)
class Cell:
    """Pictures of one shape, (H, W, 3) uint8, below each other; under them a name, and a line."""

    panels: Sequence[np.ndarray]
    name: str
    line: str
    framed: int = 0
    """The first so many panels show the window."""


def draw(
    looks: Sequence[Look], *, views: Sequence[str] = ("map",), blend: bool = True, missing: Sequence[str] = ()
) -> Figure:
    """The figure of networks on one picture and window, a page wide; narrower for fewer than four of them.

    `views`: of VIEWS, laid over the picture where `blend`; `missing`: networks without a map, named below.
    """
    cells = [_picture_cell(looks[0], len(views)), *(_network_cell(look, views, blend) for look in looks)]
    height, width = looks[0].picture.hr.shape[:2]
    with style():
        grid = _grid(cells, height / width)
        note = lines_within(f"No map: {', '.join(missing)}.", 72 * grid.width, _POINTS) if missing else []
        figure = Figure(figsize=(grid.width, tall := grid.height + len(note) * _LINE_IN))
        for index, cell in enumerate(cells):
            row, column = divmod(index, grid.columns)
            _show(figure, cell, grid, column * (grid.cell + _GAP_IN), tall - sum(grid.rows[:row]), looks[0].window)
        figure.text(0, 0, "\n".join(note), fontsize=_POINTS, va="bottom", linespacing=1.15)
    return figure


def _picture_cell(look: Look, views: int) -> Cell:
    """LR with the window, HR with it where there is room for that, and HR around it."""
    picture = look.picture
    lr = enlarged(picture.lr, picture.scale, PIL.Image.Resampling.NEAREST)
    whole = [lr, *[picture.hr] * (views - 1)]
    return Cell([*whole, around(picture.hr, look.window)], f"LR x{picture.scale}, HR", "window in red", len(whole))


_VIEWS: dict[str, Callable[[Look], np.ndarray]] = dict(zip(VIEWS, (map_view, density_view), strict=True))


def _network_cell(look: Look, views: Sequence[str], blend: bool) -> Cell:
    maps = [_VIEWS[view](look) for view in views]
    if blend:
        maps = [blended(view, look.picture) for view in maps]
    index = "no attribution" if look.di is None else f"DI {look.di:.2f}"
    return Cell([*maps, around(look.sr, look.window)], label(look.subject.title, _LONGEST), index)


@dataclass(frozen=True)
class Grid:
    """Cells side by side and below each other; sizes in inches."""

    columns: int
    cell: float
    """Width of a cell and its panels."""
    panel: float
    """Height of a panel."""
    rows: Sequence[float]
    """Height of each row of cells."""

    @property
    def width(self) -> float:
        """Of all cells."""
        return self.columns * (self.cell + _GAP_IN) - _GAP_IN

    @property
    def height(self) -> float:
        """Of all rows."""
        return sum(self.rows)


def _grid(cells: Sequence[Cell], ratio: float) -> Grid:
    """Five columns, or the fewest more that stay within a page's height; `ratio`: height over width of a panel."""
    grids = [_grid_of(columns, cells, ratio) for columns in _COLUMNS]
    return next((grid for grid in grids if grid.height <= _PAGE_HIGH_IN), grids[-1])


def _grid_of(columns: int, cells: Sequence[Cell], ratio: float) -> Grid:
    cell = (PAGE_INCHES + _GAP_IN) / columns - _GAP_IN
    rows = [
        len(row[0].panels) * (cell * ratio + _GAP_IN) + (1 + max(len(_name_lines(c, cell)) for c in row)) * _LINE_IN
        for row in (cells[first : first + columns] for first in range(0, len(cells), columns))
    ]
    return Grid(min(columns, len(cells)), cell, cell * ratio, [row + _GAP_IN for row in rows])


def _name_lines(cell: Cell, width: float) -> list[str]:
    return lines_within(cell.name, 72 * width, _POINTS, _MOST_LINES)


def _show(figure: Figure, cell: Cell, grid: Grid, left: float, top: float, window: Window) -> None:
    """A cell whose upper left corner is at (left, top) inches from the figure's lower left."""
    wide, tall = figure.get_size_inches()
    for index, image in enumerate(cell.panels):
        bottom = top - (index + 1) * grid.panel - index * _GAP_IN
        axes = figure.add_axes((left / wide, bottom / tall, grid.cell / wide, grid.panel / tall))
        axes.imshow(image, interpolation="nearest", aspect="auto")
        axes.set_axis_off()
        if index < cell.framed:
            corner = (window.x - 0.5, window.y - 0.5)
            axes.add_patch(Rectangle(corner, window.size, window.size, fill=False, lw=1.0, ec=_RED))
    below = top - len(cell.panels) * (grid.panel + _GAP_IN)
    words = "\n".join([*_name_lines(cell, grid.cell), cell.line])
    at = ((left + grid.cell / 2) / wide, below / tall)
    figure.text(*at, words, fontsize=_POINTS, ha="center", va="top", linespacing=1.15)


def save(figure: Figure, path: Path, formats: Sequence[str] = FORMATS, dpi: int = _DPI) -> list[Path]:
    """Write `path` with each suffix, atomically and undated; returns the files."""
    written = []
    for suffix in formats:
        written.append(path.with_name(f"{path.name}.{suffix}"))
        undated = {"CreationDate": None} if suffix == "pdf" else None
        with style():
            write_atomically(written[-1], partial(figure.savefig, format=suffix, dpi=dpi, metadata=undated))
    return written
