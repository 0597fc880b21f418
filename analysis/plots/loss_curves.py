"""Figure 7: training loss against iterations; smoothed, the raw curves faint, seeds as a band, collapses marked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.analysis.plots.style import COLOURS, DASHES, label
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import csv_rows


@dataclass(frozen=True)
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


def smoothed(curve: Curve, window: int) -> np.ndarray:
    """Mean loss within `window` iterations around each point, (n,); one-sided at both ends, NaN left out."""
    means = np.full(len(curve.loss), math.nan)
    for index, at in enumerate(curve.iterations):
        near = curve.loss[np.abs(curve.iterations - at) <= window / 2]
        finite = near[np.isfinite(near)]
        means[index] = finite.mean() if len(finite) else math.nan
    return means


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
        with path.open(newline="", encoding="utf-8") as handle:
            rows = [(float(row["iteration"]), float(row["loss"])) for row in csv_rows(handle)]
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Run that seed again.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no losses.csv of a run ({error}). Delete its folder and run that seed again."
        ) from error
    if not rows:
        raise UserError(f"{path} holds no losses. Delete its folder and run that seed again.")
    columns = np.array(rows).T
    return columns[0], np.where(np.isfinite(columns[1]), columns[1], math.nan)


MOST = len(COLOURS)
_HIGHEST = 30  # medians of the raw losses: a crash may go to 1e8, and would press all else together


def draw(curves: Mapping[str, Sequence[Curve]], *, window: int) -> Figure:
    """The figure, 6.0 x 3.8 inches: a line per network, in its order. Raises UserError for more than can be told apart.

    `window`: iterations to smooth over. The loss axis is logarithmic, since a crash is far above all else.
    """
    if len(curves) > MOST:
        raise UserError(f"{len(curves)} loss curves cannot be told apart. Choose up to {MOST} with --variants.")
    figure = Figure(figsize=(6.0, 3.8), layout="constrained")
    axes = figure.add_subplot()
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    top = _limit(axes, curves, window)
    for index, (name, runs) in enumerate(curves.items()):
        _draw_one(axes, name, runs, window, index)
        _mark_collapses(axes, runs, window, index, top)
    axes.set_xlabel("iteration")
    axes.set_ylabel(f"training loss, mean over {window} iterations")
    axes.grid(True)
    axes.set_axisbelow(True)
    _legend(figure, axes, curves)
    return figure


def _draw_one(axes: Axes, name: str, runs: Sequence[Curve], window: int, index: int) -> None:
    """Raw curves, the seeds' band and mean; beyond the end of the shortest run, each longer one by itself."""
    colour, dashes = COLOURS[index], DASHES[index]
    of_seeds = band(runs, window)
    for run in runs:
        axes.plot(run.iterations, run.loss, color=colour, linewidth=0.4, alpha=0.25, zorder=1)
        beyond = run.iterations >= of_seeds.iterations[-1] if len(of_seeds.iterations) else run.iterations > 0
        axes.plot(run.iterations[beyond], smoothed(run, window)[beyond], color=colour, linewidth=0.8, zorder=3)
    axes.fill_between(of_seeds.iterations, of_seeds.low, of_seeds.high, color=colour, alpha=0.2, linewidth=0, zorder=2)
    star = " *" if any(run.collapsed_at for run in runs) else ""
    title = f"{label(name, 30)}{star} ({len(runs)} seed{'s' if len(runs) > 1 else ''})"
    axes.plot(of_seeds.iterations, of_seeds.mean, color=colour, linestyle=dashes, linewidth=1.3, zorder=3, label=title)


def _mark_collapses(axes: Axes, runs: Sequence[Curve], window: int, index: int, top: float) -> None:
    """A cross on each collapsed run's own smoothed curve, or at the top where that has left the figure."""
    for run in runs:
        if run.collapsed_at is None:
            continue
        nearest = np.argmin(np.abs(run.iterations - run.collapsed_at))
        height = smoothed(run, window)[nearest]
        y = min(height, top) if np.isfinite(height) else top
        axes.plot([run.collapsed_at], [y], "X", color=COLOURS[index], markersize=7, markeredgecolor="black", zorder=4)


def _legend(figure: Figure, axes: Axes, curves: Mapping[str, Sequence[Curve]]) -> None:
    """Under the axes: the networks, and what bands, faint lines and crosses are."""
    handles, titles = axes.get_legend_handles_labels()
    handles.append(Line2D([], [], color="#555555", linewidth=0.4))
    titles.append("raw, each seed")
    if any(len(runs) > 1 for runs in curves.values()):
        handles.append(Patch(color="#555555", alpha=0.2, linewidth=0))
        titles.append("lowest to highest seed")
    if any(run.collapsed_at for runs in curves.values() for run in runs):
        handles.append(Line2D([], [], linestyle="", marker="X", color="white", markeredgecolor="black"))
        titles.append("* training collapsed")
    longest = max(len(title) for title in titles)
    columns = 4 if longest <= 16 else 3 if longest <= 26 else 2
    figure.legend(handles, titles, loc="outside lower center", ncols=columns, frameon=False, handlelength=3.2)


def _limit(axes: Axes, curves: Mapping[str, Sequence[Curve]], window: int) -> float:
    """Show all smoothed curves and 99 % of the raw points, up to `_HIGHEST` medians; returns where marks still show."""
    runs = [run for group in curves.values() for run in group]
    raw = np.concatenate([run.loss[np.isfinite(run.loss)] for run in runs])
    smooth = np.concatenate([smoothed(run, window) for run in runs])
    low = min(np.nanmin(smooth), np.quantile(raw, 0.005))
    high = min(max(np.nanmax(smooth), np.quantile(raw, 0.995)), _HIGHEST * np.median(raw))
    axes.set_ylim(max(low, 1e-8) / 1.1, high * 1.15)
    return float(high)
