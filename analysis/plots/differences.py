"""Differences of variants from the baseline with their intervals, as a picture."""

from collections.abc import Sequence

from matplotlib.figure import Figure

from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.analysis.plots.style import COLOURS, label, style
from safmn_bench.analysis.stats.groups import BASELINE, Measured

_ROW_INCHES = 0.26


def delta_figure(rows: Sequence[Measured], dataset: str) -> Figure:
    """Differences from the baseline with their intervals, a line per network; filled where significant."""
    metric = METRICS[HEADLINE]
    compared = [(row, comparison) for row in rows if (comparison := row.comparisons.get((dataset, HEADLINE)))]
    compared.sort(key=lambda pair: pair[1].difference)
    with style():
        figure = Figure(figsize=(6.0, 0.7 + _ROW_INCHES * len(compared)), layout="constrained")
        axes = figure.add_subplot()
        for y, (_, comparison) in enumerate(compared):
            stands = comparison.verdict in ("", "(alone)")
            axes.errorbar(
                comparison.difference, y, xerr=comparison.half_width, fmt="o", color=COLOURS[0 if stands else 1],
                capsize=2.5, markersize=5, linewidth=1.2, markerfacecolor=COLOURS[0] if stands else "none",
            )  # fmt: skip
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks(range(len(compared)), [label(row.name) for row, _ in compared])
        axes.set_ylim(-0.7, len(compared) - 0.3)
        axes.set_xlabel(
            f"{metric.heading(f'{metric.label} minus that of {BASELINE} on {label(dataset)}')}, 95 % interval"
        )
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
    return figure
