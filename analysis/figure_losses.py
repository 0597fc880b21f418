"""Figure 7: training loss against iterations; smoothed, the raw curves faint, seeds as a band, collapses marked."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from safmn_bench.analysis.figure_style import COLOURS, DASHES, label
from safmn_bench.analysis.losses import Band, Curve, band
from safmn_bench.models.errors import UserError

MOST = len(COLOURS)


def draw(curves: Mapping[str, Sequence[Curve]], *, window: int) -> Figure:
    """The figure, 6.0 x 3.6 inches: a line per network, in its order. Raises UserError for more than can be told apart.

    `window`: iterations to smooth over. The loss axis is logarithmic, since a crash is far above all else.
    """
    if len(curves) > MOST:
        raise UserError(f"{len(curves)} loss curves cannot be told apart. Choose up to {MOST} with --variants.")
    figure = Figure(figsize=(6.0, 3.6), layout="constrained")
    axes = figure.add_subplot()
    bands = {name: band(runs, window) for name, runs in curves.items()}
    for index, (name, runs) in enumerate(curves.items()):
        _draw_one(axes, name, runs, bands[name], index)
    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 3, 5)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
    _limit(axes, bands, curves)
    axes.set_xlabel("iteration")
    axes.set_ylabel(f"training loss, mean over {window} iterations")
    axes.grid(True, which="both")
    axes.set_axisbelow(True)
    handles, titles = axes.get_legend_handles_labels()
    figure.legend(handles, titles, loc="outside lower center", ncols=3, frameon=False, handlelength=3.2)
    return figure


def _draw_one(axes: Axes, name: str, runs: Sequence[Curve], of_seeds: Band, index: int) -> None:
    colour, dashes = COLOURS[index], DASHES[index]
    for run in runs:
        axes.plot(run.iterations, run.loss, color=colour, linewidth=0.4, alpha=0.25, zorder=1)
    if len(runs) > 1:
        axes.fill_between(
            of_seeds.iterations, of_seeds.low, of_seeds.high, color=colour, alpha=0.2, linewidth=0, zorder=2
        )
    title = f"{label(name)}{' *' if any(run.collapsed_at for run in runs) else ''} ({_seeds(runs)})"
    axes.plot(of_seeds.iterations, of_seeds.mean, color=colour, linestyle=dashes, linewidth=1.3, zorder=3, label=title)
    ends = [(run.collapsed_at, _loss_near(of_seeds, run.collapsed_at)) for run in runs if run.collapsed_at]
    if ends:
        xs, ys = zip(*ends, strict=True)
        axes.plot(
            xs, ys, "X", color=colour, markersize=7, markeredgecolor="black", zorder=4, label=f"{label(name)}: collapse"
        )


def _seeds(runs: Sequence[Curve]) -> str:
    return "1 seed" if len(runs) == 1 else f"{len(runs)} seeds: mean, lowest to highest"


def _loss_near(of_seeds: Band, iteration: int) -> float:
    """The smoothed loss at the iteration nearest to a collapse."""
    return float(of_seeds.mean[np.argmin(np.abs(of_seeds.iterations - iteration))])


def _limit(axes: Axes, bands: Mapping[str, Band], curves: Mapping[str, Sequence[Curve]]) -> None:
    """All smoothed curves, and 99 % of the raw points: single spikes do not set the scale."""
    raw = np.concatenate([run.loss[np.isfinite(run.loss)] for runs in curves.values() for run in runs])
    low = min(*(one.low.min() for one in bands.values()), np.quantile(raw, 0.005))
    high = max(*(one.high.max() for one in bands.values()), np.quantile(raw, 0.995))
    axes.set_ylim(max(low, 1e-8) / 1.1, high * 1.1)
