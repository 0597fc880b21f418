"""Comparisons with the baseline as pictures: differences with their intervals, and what a number of seeds finds."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, NullLocator

from safmn_bench.ablations.judging.power import CHANCE, Noise, lines_of_seeds
from safmn_bench.ablations.judging.significance import Comparison
from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.analysis.plots.style import COLOURS, COLUMN_INCHES, DASHES, label, style
from safmn_bench.analysis.stats.groups import BASELINE, Measured

SEEDS = (2, 3, 4, 5, 6, 8, 10, 14, 20, 30)
_TICKS = (2, 3, 5, 10, 20, 30)
_COLUMNS = 3
_PANEL_INCHES = (2.29, 2.2)
_ROW_INCHES = 0.26
_KINDS = {
    "": ("stands among all", COLOURS[0], COLOURS[0]),
    "(alone)": ("stands only by itself", COLOURS[0], "none"),
}
"""A comparison's verdict -> the title, colour and filling of its circle."""
_NOISE = ("may be noise", COLOURS[1], "none")
_BELOW = -0.25  # rows: a square's interval would lie on its circle's


def delta_figure(
    rows: Sequence[Measured],
    dataset: str,
    paper: Mapping[str, float] | None = None,
    told: str = "",
    other: Mapping[str, Comparison] | None = None,
    other_told: str = "",
) -> Figure:
    """Differences from the baseline with their intervals, a line per network; filled where it stands among all.

    `paper`: network -> its published difference, drawn beside the measured one as what the legend calls `told`.
    `other`: network -> its difference by another training, called `other_told`, drawn as squares below the circles.
    """
    metric = METRICS[HEADLINE]
    compared = [(row, comparison) for row in rows if (comparison := row.comparisons.get((dataset, HEADLINE)))]
    compared.sort(key=lambda pair: pair[1].difference)
    squares = {y: other[row.name] for y, (row, _) in enumerate(compared) if other and row.name in other}
    diamonds = {y: paper[row.name] for y, (row, _) in enumerate(compared) if paper and row.name in paper}
    with style():
        height = 0.7 + 0.45 * bool(squares or diamonds) + _ROW_INCHES * len(compared)
        figure = Figure(figsize=(6.0, height), layout="constrained")
        axes = figure.add_subplot()
        for y, (_, comparison) in enumerate(compared):
            _, colour, face = _KINDS.get(comparison.verdict, _NOISE)
            _draw(axes, y, comparison, "o", colour, face)
        for y, comparison in squares.items():
            _draw(axes, y + _BELOW, comparison, "s", COLOURS[6], "none" if comparison.verdict else COLOURS[6])
        if diamonds:
            axes.plot([*diamonds.values()], [*diamonds], "D", color=COLOURS[2], markersize=5, markerfacecolor="none")
        marks = [(f"measured here: {other_told}", "s", COLOURS[6])] if squares else []
        marks += [(told, "D", COLOURS[2])] if diamonds else []
        if marks:
            kinds = [_KINDS.get(comparison.verdict, _NOISE) for _, comparison in compared]
            figure.legend(handles=_told(marks, kinds), loc="outside lower center", ncols=2, frameon=False)
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks(range(len(compared)), [label(row.name) for row, _ in compared])
        axes.set_ylim(-0.7, len(compared) - 0.3)
        axes.set_xlabel(
            f"{metric.heading(f'{metric.label} minus that of {BASELINE} on {label(dataset)}')}, 95 % interval"
        )
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
    return figure


def _draw(axes: Axes, y: float, comparison: Comparison, marker: str, colour: str, face: str) -> None:
    """One difference with its interval."""
    axes.errorbar(
        comparison.difference, y, xerr=comparison.half_width, fmt=marker, color=colour,
        capsize=2.5, markersize=5, linewidth=1.2, markerfacecolor=face,
    )  # fmt: skip


def _told(further: Sequence[tuple[str, str, str]], kinds: Sequence[tuple[str, str, str]]) -> list[Line2D]:
    """Handles of a legend: circles are measured, of the kinds that are drawn; then further marks."""
    drawn = [kind for kind in (*_KINDS.values(), _NOISE) if kind in kinds]
    marks = {f"measured here: {title}": ("o", colour, face) for title, colour, face in drawn}
    marks |= {title: (shape, colour, "none") for title, shape, colour in further}
    return [
        Line2D([], [], linestyle="", marker=shape, color=colour, markerfacecolor=face, markersize=5, label=title)
        for title, (shape, colour, face) in marks.items()
    ]


def power_figure(known: Mapping[tuple[str, str], Noise], *, networks: int, chance: float = CHANCE) -> Figure:
    """The difference that a number of seeds finds, alone and within the family.

    A panel for each (benchmark, metric) of `known`; the bands are the 95 % intervals of the estimate.
    """
    columns = min(_COLUMNS, len(known))
    rows = -(-len(known) // columns)
    width, height = _PANEL_INCHES
    figure = Figure(figsize=(max(COLUMN_INCHES, width * columns), height * rows + 0.6), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, ((dataset, metric), noise) in zip(panels, known.items(), strict=False):
        _draw_panel(axes, dataset, metric, noise, networks, chance)
    for axes in panels[len(known) :]:
        axes.set_visible(False)
    handles, titles = panels[0].get_legend_handles_labels()
    figure.legend(handles, titles, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _draw_panel(axes: Axes, dataset: str, metric: str, noise: Noise, networks: int, chance: float) -> None:
    lines = lines_of_seeds(dataset, metric, noise, networks, SEEDS, chance)
    for index, judged in enumerate(dict.fromkeys(line.judged for line in lines)):
        own = [line for line in lines if line.judged == judged]
        title = "alone" if judged == "alone" else f"among {own[0].comparisons} (Holm)"
        middle, low, high = (
            [value or 0.0 for value in column]
            for column in (
                [line.detectable for line in own],
                [line.detectable_low for line in own],
                [line.detectable_high for line in own],
            )
        )
        axes.fill_between(SEEDS, low, high, color=COLOURS[index], alpha=0.15, linewidth=0)
        axes.plot(SEEDS, middle, color=COLOURS[index], linestyle=DASHES[index], linewidth=1.3, label=title)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator(_TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 3, 5, 7)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_title(f"{label(dataset)} (sd {noise.run.sd:.3g}, {noise.run.freedom} df)")
    axes.set_xlabel("seeds of each network")
    axes.set_ylabel(METRICS[metric].heading(f"Δ {METRICS[metric].label} found in {chance:.0%}"))
    axes.grid(True)
    axes.set_axisbelow(True)
