"""Figure 7: training loss against iterations; smoothed, the raw curves faint, seeds as a band, collapses marked."""

import functools
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.analysis.plots.style import COLOURS, DASHES, label, lines_within
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import csv_rows
from safmn_bench.profiling.common.layout import counted


@dataclass(frozen=True, eq=False)
class Curve:
    """The losses of one run: `iterations` and `loss` are (n,), float64; a loss that is not finite is NaN."""

    seed: int
    iterations: np.ndarray
    loss: np.ndarray
    collapsed_at: int | None
    """The first bad iteration, where training collapsed."""


@dataclass(frozen=True)
class Band:
    """Smoothed curves of several seeds at common iterations: mean, lowest and highest, all (n,)."""

    iterations: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def read_curve(folder: RunFolder, record: Record) -> Curve:
    """The losses of a run. Raises UserError where losses.csv is missing or not one."""
    collapse = record.collapse or {}
    iterations, loss = _read(folder.losses)
    return Curve(record.seed, iterations, loss, collapse.get("iteration") if record.status == "collapsed" else None)


@functools.lru_cache(maxsize=4096)
def smoothed(curve: Curve, window: int) -> np.ndarray:
    """Mean loss within `window` iterations around each point, (n,); one-sided at both ends, NaN left out.

    Remembered, since limits, band, line and cross of a figure ask for it.
    """
    known, loss = curve.iterations[finite := np.isfinite(curve.loss)], curve.loss[finite]
    first = np.searchsorted(known, curve.iterations - window / 2)
    end = np.searchsorted(known, curve.iterations + window / 2, side="right")
    # not by differences of one running sum: a crash to 1e8 would leave no digits of what follows it
    sums = np.add.reduceat(np.append(loss, 0.0), np.column_stack([first, end]).ravel())[::2]
    return np.where(first < end, sums / np.maximum(end - first, 1), math.nan)


def band(curves: Sequence[Curve], window: int) -> Band:
    """The smoothed curves of one network's seeds together, as far as all reach: a mean over fewer would jump."""
    iterations = np.unique(np.concatenate([curve.iterations for curve in curves]))
    iterations = iterations[iterations <= min(curve.iterations[-1] for curve in curves)]
    rows = np.array([_at(iterations, curve, smoothed(curve, window)) for curve in curves])
    kept = np.isfinite(rows).all(axis=0)
    rows = rows[:, kept]
    return Band(iterations[kept], rows.mean(axis=0), rows.min(axis=0), rows.max(axis=0))


def _at(iterations: np.ndarray, curve: Curve, values: np.ndarray) -> np.ndarray:
    """A curve's values at these iterations, in between along straight lines; NaN before its first one."""
    finite = np.isfinite(values)
    if not finite.any():
        return np.full(len(iterations), math.nan)
    return np.interp(iterations, curve.iterations[finite], values[finite], left=math.nan)


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        seen = path.stat()
        return _read_as_of(path, seen.st_mtime_ns, seen.st_size)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Run that seed again.") from error


@functools.lru_cache(maxsize=4096)
def _read_as_of(path: Path, mtime_ns: int, size_bytes: int) -> tuple[np.ndarray, np.ndarray]:
    """Remembered while the file is as it was: a study and the report that it writes both draw the curves."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = [(float(row["iteration"]), float(row["loss"])) for row in csv_rows(handle)]
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no losses.csv of a run ({error}). Delete its folder and run that seed again."
        ) from error
    if not rows:
        raise UserError(f"{path} holds no losses. Delete its folder and run that seed again.")
    columns = np.array(sorted(rows)).T
    return columns[0], np.where(np.isfinite(columns[1]), columns[1], math.nan)


MOST = len(COLOURS)
_HIGHEST = 30  # medians of the raw losses: a crash may go to 1e8, and would press all else together


def draw(curves: Mapping[str, Sequence[Curve]], *, window: int) -> Figure:
    """The figure, 6.0 inches wide: a line per network, in its order; more than `MOST` have a panel each.

    `window`: iterations to smooth over. The loss axis is as high as what is shown after the first tenth, where losses
    fall; it is logarithmic where a crash is far above all else.
    """
    networks, curves = len(curves), first_panels(curves)
    apart = len(curves) > MOST
    figure, every = panels(list(curves), apart=apart)
    low, high = _limits(curves, window)
    for axes in dict.fromkeys(every.values()):
        _scale(axes, low, high)
    for index, (name, runs) in enumerate(curves.items()):
        _draw_one(every[name], name, runs, window, index % MOST, dashed=not apart)
        _mark_collapses(every[name], runs, window, index % MOST, high)
    share_iterations(every.values())
    figure.supylabel(f"training loss, mean over {counted(window, 'iteration')}", fontsize=8)
    _legend(figure, next(iter(every.values())), curves, apart)
    finish(figure, len(curves), networks)
    return figure


_COLUMNS = 5  # of panels
_PANEL_INCHES = 1.25
_TITLE_POINTS = 72.0  # width of a panel's title: its axes' share of 6 inches, and the gap
MOST_PANELS = 40
"""In eight rows, a page. Beyond that nothing is read off any more, and matplotlib takes minutes for some hundred."""
_LAID_OUT_EACH = 15  # panels up to which each file is laid out anew, by its own format's widths of letters
T = TypeVar("T")


def first_panels(curves: Mapping[str, T]) -> dict[str, T]:
    """Those networks that are shown, where there are too many."""
    return dict(itertools.islice(curves.items(), MOST_PANELS))


def finish(figure: Figure, shown: int, networks: int) -> None:
    """Say in the figure how many networks it leaves out; and lay many panels out once, which is most of their time."""
    if shown < networks:
        figure.supxlabel(f"the first {shown} of {networks} networks", fontsize=7)
    if shown > _LAID_OUT_EACH:
        if (layout := figure.get_layout_engine()) is not None:
            layout.execute(figure)  # not draw_without_rendering, which goes through every line besides
        figure.set_layout_engine("none")


def panels(names: Sequence[str], *, apart: bool) -> tuple[Figure, dict[str, Axes]]:
    """A figure 6.0 inches wide and the axes of each name: one for all, or (`apart`) each their own on common scales."""
    if not apart:
        figure = Figure(figsize=(6.0, 3.8), layout="constrained")
        axes = figure.add_subplot()
        axes.set_xlabel("iteration")
        return figure, dict.fromkeys(names, axes)
    rows = math.ceil(len(names) / _COLUMNS)
    figure = Figure(figsize=(6.0, 0.6 + _PANEL_INCHES * rows), layout="constrained")
    # not by sharex and sharey: every look at a limit then asks all axes, and time grows with the square of the panels
    grid = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for index, (axes, name) in enumerate(zip(grid, names, strict=False)):
        # y: where it would stand; left out, matplotlib looks for ticks above every panel, in every layout
        axes.set_title("\n".join(lines_within(label(name), _TITLE_POINTS, 7, 2)), fontsize=7, y=1.0)
        axes.label_outer()
        if index + _COLUMNS >= len(names):  # the lowest of its column
            axes.set_xlabel("iteration")
            axes.tick_params(labelbottom=True)
    for axes in grid[len(names) :]:
        axes.set_visible(False)
    return figure, dict(zip(names, grid, strict=False))


def share_iterations(every: Iterable[Axes]) -> None:
    """Give all axes the limits along x that hold the data of each, with matplotlib's margins."""
    together = list(dict.fromkeys(every))
    low = min(axes.dataLim.x0 for axes in together)
    high = max(axes.dataLim.x1 for axes in together)
    margin = (high - low) * matplotlib.rcParams["axes.xmargin"]
    for axes in together if len(together) > 1 else ():
        axes.set_xlim(low - margin, high + margin)


def _scale(axes: Axes, low: float, high: float) -> None:
    """A linear axis, or a logarithmic one for more than a factor of three; with ticks in plain numbers."""
    if high > 3 * low:
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 3, 5)))
        axes.yaxis.set_minor_locator(NullLocator())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_ylim(low / 1.02, high * 1.04)
    axes.grid(True)
    axes.set_axisbelow(True)


def _draw_one(axes: Axes, name: str, runs: Sequence[Curve], window: int, index: int, *, dashed: bool) -> None:
    """Raw curves, the seeds' band and mean; beyond the end of the shortest run, each longer one by itself."""
    colour, dashes = COLOURS[index], DASHES[index if dashed else 0]
    of_seeds = band(runs, window)
    raw = [np.column_stack([run.iterations, run.loss]) for run in runs]
    axes.add_collection(LineCollection(raw, colors=colour, linewidths=0.4, alpha=0.25, zorder=1))
    for run in runs:
        beyond = run.iterations >= of_seeds.iterations[-1] if len(of_seeds.iterations) else run.iterations > 0
        if beyond.sum() > 1:
            axes.plot(run.iterations[beyond], smoothed(run, window)[beyond], color=colour, linewidth=0.8, zorder=3)
    axes.fill_between(of_seeds.iterations, of_seeds.low, of_seeds.high, color=colour, alpha=0.2, linewidth=0, zorder=2)
    axes.plot(
        of_seeds.iterations, of_seeds.mean, color=colour, linestyle=dashes, linewidth=1.3, zorder=3,
        label=seeds_title(name, runs),
    )  # fmt: skip


def seeds_title(name: str, runs: Sequence[Curve]) -> str:
    """A network in a legend: its name, a star for a collapse, and how many seeds it has."""
    star = " *" if any(run.collapsed_at for run in runs) else ""
    return f"{label(name, 30)}{star} ({len(runs)} seed{'s' if len(runs) > 1 else ''})"


def _mark_collapses(axes: Axes, runs: Sequence[Curve], window: int, index: int, top: float) -> None:
    """A cross on each collapsed run's own smoothed curve, or at the top where that has left the figure."""
    for run in runs:
        if run.collapsed_at is None:
            continue
        nearest = np.argmin(np.abs(run.iterations - run.collapsed_at))
        height = smoothed(run, window)[nearest]
        y = min(height, top) if np.isfinite(height) else top
        axes.plot([run.collapsed_at], [y], "X", color=COLOURS[index], markersize=7, markeredgecolor="black", zorder=4)


def _legend(figure: Figure, axes: Axes, curves: Mapping[str, Sequence[Curve]], apart: bool) -> None:
    """Under the axes: the networks where they share axes, and what bands, faint lines and crosses are."""
    handles, titles = ([], []) if apart else axes.get_legend_handles_labels()
    handles.append(Line2D([], [], color="#555555", linewidth=0.4))
    titles.append("raw, each seed")
    if any(len(runs) > 1 for runs in curves.values()):
        handles.append(Patch(color="#555555", alpha=0.2, linewidth=0))
        titles.append("lowest to highest seed")
    if any(run.collapsed_at for runs in curves.values() for run in runs):
        handles.append(Line2D([], [], linestyle="", marker="X", color="white", markeredgecolor="black"))
        titles.append("* training collapsed")
    columns = legend_columns(titles)
    figure.legend(handles, titles, loc="outside lower center", ncols=columns, frameon=False, handlelength=3.2)


def legend_columns(titles: Sequence[str]) -> int:
    """How many of such entries stand beside each other on 6 inches."""
    longest = max(len(title) for title in titles)
    return 4 if longest <= 16 else 3 if longest <= 26 else 2


def later(network_band: Band, part: str) -> np.ndarray:
    """`mean`, `low` or `high` of a band after its first tenth; all of it where that is all there is."""
    values = getattr(network_band, part)
    shown = (
        network_band.iterations > network_band.iterations[-1] / 10
        if len(network_band.iterations)
        else network_band.iterations > 0
    )
    return values[shown] if shown.any() else values


def _limits(curves: Mapping[str, Sequence[Curve]], window: int) -> tuple[float, float]:
    """Lowest and highest loss shown: of all smoothed curves after the first tenth, up to `_HIGHEST` medians."""
    runs = [run for group in curves.values() for run in group]
    late = [run.iterations > run.iterations[-1] / 10 for run in runs]
    smooth = np.concatenate([smoothed(run, window)[at] for run, at in zip(runs, late, strict=True)])
    raw = np.concatenate([run.loss[at & np.isfinite(run.loss)] for run, at in zip(runs, late, strict=True)])
    low = min(float(np.nanmin(smooth)), float(np.quantile(raw, 0.02)))
    high = min(max(float(np.nanmax(smooth)), float(np.quantile(raw, 0.98))), _HIGHEST * float(np.median(raw)))
    return max(low, 1e-8), max(high, 1.001e-8)
