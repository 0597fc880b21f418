"""Figure 7's second form: training loss minus the baseline's of the same seed, smoothed, with a band over seeds.

Runs of one seed see the same patches, so the noise of the data, which is most of a loss curve's, cancels in the
difference of their losses (that of what they reach does not: see judging/significance.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from safmn_bench.analysis.plots.loss_curves import (
    MOST,
    Band,
    Curve,
    band,
    finish,
    first_panels,
    later,
    legend_columns,
    panels,
    seeds_title,
    share_iterations,
)
from safmn_bench.analysis.plots.style import COLOURS, DASHES, label
from safmn_bench.profiling.common.layout import counted

_SMOOTHED_SHARE = 10  # a difference is smoothed over one 10th of its length


def differences(curves: Mapping[str, Sequence[Curve]], baseline: str) -> dict[str, list[Curve]]:
    """Network -> its losses minus the baseline's, a curve per seed that both have, at the iterations that both have."""
    own = {curve.seed: curve for curve in curves.get(baseline, ())}
    by_network = {
        name: [_minus(curve, own[curve.seed]) for curve in runs if curve.seed in own]
        for name, runs in curves.items()
        if name != baseline
    }
    return {name: runs for name, runs in by_network.items() if runs and all(len(run.loss) for run in runs)}


def _minus(curve: Curve, other: Curve) -> Curve:
    iterations, ours, theirs = np.intersect1d(curve.iterations, other.iterations, return_indices=True)
    return Curve(curve.seed, iterations, curve.loss[ours] - other.loss[theirs], curve.collapsed_at)


def draw(curves: Mapping[str, Sequence[Curve]], baseline: str) -> Figure | None:
    """The figure, 6.0 inches wide; None where no network shares a seed with the baseline.

    More than `MOST` networks have a panel each, on common axes. The first tenth, where losses fall, is not shown.
    """
    every_loss = differences(curves, baseline)
    if not every_loss:
        return None
    losses = first_panels(every_loss)
    window = max(1, round(max(run.iterations[-1] for runs in losses.values() for run in runs) / _SMOOTHED_SHARE))
    bands = {name: band(runs, window) for name, runs in losses.items()}
    colours = {name: index % MOST for index, name in enumerate(curves)}
    figure, every = panels(list(losses), apart=len(losses) > MOST)
    for name, network_band in bands.items():
        dashes = DASHES[colours[name] if len(losses) <= MOST else 0]
        _draw_one(every[name], network_band, COLOURS[colours[name]], dashes, seeds_title(name, losses[name]))
    share_iterations(every.values())
    for axes in dict.fromkeys(every.values()):
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set_ylim(*_limits(list(bands.values())))
        axes.set_xlim(_start(list(bands.values())), None)
        axes.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axes.grid(True)
        axes.set_axisbelow(True)
    figure.supylabel(
        f"training loss minus that of {label(baseline)},\nsame seed, mean over {counted(window, 'iteration')}",
        fontsize=8,
    )
    _legend(figure, every, len(losses) > MOST, any(len(runs) > 1 for runs in losses.values()))
    finish(figure, len(losses), len(every_loss))
    return figure


def _draw_one(axes: Axes, network_band: Band, colour: str, dashes: Any, title: str) -> None:
    axes.fill_between(
        network_band.iterations, network_band.low, network_band.high, color=colour, alpha=0.22, linewidth=0
    )
    axes.plot(network_band.iterations, network_band.mean, color=colour, linestyle=dashes, linewidth=1.4, label=title)


def _start(bands: Sequence[Band]) -> float:
    return max(float(network_band.iterations[-1]) for network_band in bands if len(network_band.iterations)) / 10


def _limits(bands: Sequence[Band]) -> tuple[float, float]:
    """All of every band after the first tenth, but for what lies ten times as far out as most: that is a crash."""
    low, high = (np.concatenate([later(network_band, part) for network_band in bands]) for part in ("low", "high"))
    far = 10 * float(np.median(np.abs(np.concatenate([low, high])))) or 1e-6
    bottom, top = max(float(low.min()), -far), min(float(high.max()), far)
    room = 0.06 * max(top - bottom, 1e-9)
    return min(bottom, 0.0) - room, max(top, 0.0) + room


def _legend(figure: Figure, every: Mapping[str, Axes], apart: bool, several: bool) -> None:
    """Under the axes: the networks where they share axes, and what a band is."""
    handles, titles = ([], []) if apart else next(iter(every.values())).get_legend_handles_labels()
    if several:
        handles.append(Patch(color="#555555", alpha=0.22, linewidth=0))
        titles.append("lowest to highest seed")
    if titles:
        columns = legend_columns(titles)
        figure.legend(handles, titles, loc="outside lower center", ncols=columns, frameon=False, handlelength=3.2)
