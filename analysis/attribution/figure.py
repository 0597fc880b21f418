"""Figure 2: one picture and window, several networks side by side.

The first column is the picture (HR with the window in red, LR, and HR around the window); then a column per network:
its attribution map, the map's density, and its SR around the window. The DI is printed under each.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import PIL.Image
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from safmn_bench.analysis.attribution.attribute import Look, Picture
from safmn_bench.analysis.attribution.diffusion_index import Map, density
from safmn_bench.analysis.attribution.objective import Window
from safmn_bench.profiling.common.files import write_atomically

FORMATS = ("png", "pdf")
_CELL_IN = 2.1  # width of a panel, inches
_CAPTION_IN = 0.27  # room under a panel
_DPI = 200
_AROUND = 4  # the crop is this many windows high
_RED = "#e3000f"


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


def panels(look: Look, *, blend: bool) -> list[np.ndarray]:
    """A network's column: map, density, SR around the window."""
    views = [map_view(look), density_view(look)]
    if blend:
        views = [blended(view, look.picture) for view in views]
    return [*views, around(look.sr, look.window)]


def around(image: np.ndarray, window: Window) -> np.ndarray:
    """The part of `image` (H, W, 3) around the window, of the image's shape, four windows high where there is room."""
    height, width = image.shape[:2]
    tall = min(height, _AROUND * window.size)
    wide = min(width, round(tall * width / height))
    left = min(max(0, window.x + window.size // 2 - wide // 2), width - wide)
    top = min(max(0, window.y + window.size // 2 - tall // 2), height - tall)
    return image[top : top + tall, left : left + wide]


def draw(looks: Sequence[Look], *, blend: bool = False) -> Figure:
    """The figure of several networks on one picture and window."""
    picture, window = looks[0].picture, looks[0].window
    height, width = picture.hr.shape[:2]
    columns = 1 + len(looks)
    panel_in = _CELL_IN * height / width
    figure = Figure(figsize=(_CELL_IN * columns, 3 * (panel_in + _CAPTION_IN)))
    axes = figure.subplots(3, columns, squeeze=False)
    figure.subplots_adjust(
        left=0.004, right=0.996, top=0.996, bottom=_CAPTION_IN / (3 * (panel_in + _CAPTION_IN)), wspace=0.02,
        hspace=_CAPTION_IN / panel_in,
    )  # fmt: skip
    lr = enlarged(picture.lr, picture.scale, PIL.Image.Resampling.NEAREST)
    first = [picture.hr, lr, around(picture.hr, window)]
    captions = ["HR and window", f"LR x{picture.scale}", "HR around the window"]
    for axis, image, caption in zip(axes[:, 0], first, captions, strict=True):
        _show(axis, image, caption)
    for axis in axes[:2, 0]:
        box = Rectangle((window.x - 0.5, window.y - 0.5), window.size, window.size, fill=False, lw=1.2, ec=_RED)
        axis.add_patch(box)
    for column, look in zip(axes[:, 1:].T, looks, strict=True):
        names = [_map_caption(look), "density", look.subject.title]
        for axis, image, caption in zip(column, panels(look, blend=blend), names, strict=True):
            _show(axis, image, caption)
    return figure


def _map_caption(look: Look) -> str:
    index = "no attribution" if look.di is None else f"DI {look.di:.2f}"
    return f"{look.subject.title}: {index}"


def _show(axis: Axes, image: np.ndarray, caption: str) -> None:
    axis.imshow(image, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    size = min(9.0, 9.0 * 26 / max(26, len(caption)))  # 26 characters fill a panel at 9 pt
    axis.set_xlabel(caption, fontsize=size, labelpad=3, parse_math=False)
    for spine in axis.spines.values():
        spine.set_linewidth(0.4)


def save(figure: Figure, path: Path, formats: Sequence[str] = FORMATS, dpi: int = _DPI) -> list[Path]:
    """Write `path` with each suffix, atomically and undated; returns the files."""
    written = []
    for suffix in formats:
        written.append(path.with_name(f"{path.name}.{suffix}"))
        undated = {"CreationDate": None} if suffix == "pdf" else None
        write_atomically(written[-1], partial(figure.savefig, format=suffix, dpi=dpi, metadata=undated))
    return written
