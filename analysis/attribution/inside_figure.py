"""Figures of inside.py: a map per network and kind of inputs, and spectra as curves over frequency."""

from dataclasses import replace

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from safmn_bench.analysis.attribution.diffusion_index import Map
from safmn_bench.analysis.attribution.inside_command import Inside, Seen
from safmn_bench.analysis.attribution.receptive_field import SHARES, sides_at
from safmn_bench.analysis.attribution.spectrum import Spectrum
from safmn_bench.analysis.plots.style import COLOURS, COLUMN_INCHES, DASHES, PAGE_INCHES, label, lines_within

_DECADES = 4  # of a field that are told apart: below, it is black
_COLUMNS, _PANEL_IN = 4, 1.6
_MOST = 8  # networks on a page: as many as there are colours
_BOXES = dict(zip(SHARES, ("#FFFFFF", "#56B4E9", "#E69F00", "#009E73"), strict=True))


def pages_of(seen: Seen) -> list[Seen]:
    """The same in parts that a page holds, eight networks in each."""
    starts = range(0, len(seen.networks), _MOST)
    return [replace(seen, networks=seen.networks[start : start + _MOST]) for start in starts]


def draw_fields(seen: Seen) -> Figure:
    """A column per network, noise above photographs; squares hold the shares. More than four go on below."""
    kinds = list(seen.networks[0].fields)
    columns = min(_COLUMNS, len(seen.networks))
    rows = len(kinds) * -(-len(seen.networks) // columns)
    wide, tall = max(COLUMN_INCHES, _PANEL_IN * columns + 0.4), (_PANEL_IN + 0.2) * rows + 0.6
    figure = Figure(figsize=(wide, tall))
    axes = figure.subplots(rows, columns, squeeze=False)
    for index, inside in enumerate(seen.networks):
        row, column = index // columns * len(kinds), index % columns
        name = lines_within(label(inside.subject.title), 72 * _PANEL_IN, 8, 2)
        axes[row, column].set_title("\n".join(name))
        for axis, kind in zip(axes[row : row + len(kinds), column], kinds, strict=True):
            _show_field(axis, inside.fields[kind])
            axis.set_ylabel(kind if column == 0 else "")
    for axis in axes.T.ravel()[[not each.images for each in axes.T.ravel()]]:
        axis.set_axis_off()
    handles = [Rectangle((0, 0), 1, 1, fc="#333333", ec=colour, lw=1.5) for colour in _BOXES.values()]
    figure.legend(
        handles, [f"{share:.0%}" for share in SHARES], loc="lower center", ncols=len(SHARES), frameon=False,
        title="squares that hold this share of the gradient", title_fontsize=7,
    )  # fmt: skip
    figure.subplots_adjust(
        left=0.3 / wide, right=1 - 0.1 / wide, top=1 - 0.35 / tall, bottom=0.7 / tall, wspace=0.08, hspace=0.32
    )
    return figure


def _show_field(axis: Axes, field: Map) -> None:
    brightness = np.log10(np.maximum(field / (field.max() or 1), 10.0**-_DECADES)) / _DECADES + 1
    axis.imshow(brightness, cmap="magma", vmin=0, vmax=1, interpolation="nearest")
    axis.set_xticks([])
    axis.set_yticks([])
    row, column = (length // 2 for length in field.shape)
    sides = sides_at(field)
    for colour, side in zip(_BOXES.values(), sides, strict=True):
        corner = (column - side // 2 - 0.5, row - side // 2 - 0.5)
        axis.add_patch(Rectangle(corner, side, side, fill=False, lw=0.9, ec=colour))
    axis.set_xlabel("sides " + ", ".join(map(str, sides)), fontsize=7, labelpad=2)


def draw_spectra(seen: Seen) -> Figure:
    """The error of every network beside HR, then a panel per network that has blocks."""
    with_blocks = [inside for inside in seen.networks if inside.features]
    panels = 1 + len(with_blocks)
    across = min(panels, 3)
    down = -(-panels // across)
    names = -(-(1 + len(seen.networks)) // across)
    size = (PAGE_INCHES * max(across, 2) / 3, 2.3 * down + 0.15 * names)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).flatten()
    _draw_errors(axes[0], seen)
    for axis, inside in zip(axes[1:], with_blocks, strict=False):
        _draw_features(axis, inside)
    for axis in axes[panels:]:
        axis.set_axis_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=across, frameon=False)
    return figure


def _draw_errors(axis: Axes, seen: Seen) -> None:
    _curve(axis, seen.target, color="#777777", label="HR")
    for number, inside in enumerate(seen.networks):
        colour, dash = COLOURS[number % len(COLOURS)], DASHES[number % len(DASHES)]
        _curve(axis, inside.error, color=colour, linestyle=dash, label=label(inside.subject.title, 22))
    axis.axvline(0.5 / seen.scale, color="#AAAAAA", lw=0.6)
    axis.annotate(" limit of LR", (0.5 / seen.scale, 0.03), xycoords=("data", "axes fraction"), ha="left", fontsize=6.5)
    axis.set_title("error of luma")
    axis.set_xlabel("cycles per SR pixel")
    axis.set_ylabel("power [dB]")


def _draw_features(axis: Axes, inside: Inside) -> None:
    blocks = list(inside.features)
    shades = colormaps["viridis"](np.linspace(0, 0.9, len(blocks)))
    for position, (name, shade) in enumerate(zip(blocks, shades, strict=True)):
        ends = position in (0, len(blocks) - 1)
        _curve(axis, inside.features[name], color=shade, label=label(name, 18) if ends else "_")
    title = f"{label(inside.subject.title, 30)}: features"
    axis.set_title("\n".join(lines_within(title, 72 * _PANEL_IN, 8, 2)))
    axis.set_xlabel("cycles per LR pixel")
    axis.set_ylabel("power [dB]")
    axis.legend(frameon=False)


def _curve(axis: Axes, spectrum: Spectrum, **look: object) -> None:
    # in dB on a plain axis: the style leaves no mathematics to the labels of a logarithmic one
    decibel = 10 * np.log10(np.maximum(spectrum.power, np.finfo(float).tiny))
    axis.plot(spectrum.frequency, decibel, lw=0.9, **look)  # type: ignore[arg-type]
    axis.grid(visible=True)
