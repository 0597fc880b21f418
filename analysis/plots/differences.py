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
    found = [(row, one) for row in rows if (one := row.comparisons.get((dataset, HEADLINE)))]
    found.sort(key=lambda pair: pair[1].difference)
    with style():
        figure = Figure(figsize=(6.0, 0.7 + _ROW_INCHES * len(found)), layout="constrained")
        axes = figure.add_subplot()
        for y, (_, one) in enumerate(found):
            stands = one.verdict in ("", "(alone)")
            axes.errorbar(
                one.difference, y, xerr=one.half_width, fmt="o", color=COLOURS[0 if stands else 1], capsize=2.5,
                markersize=5, linewidth=1.2, markerfacecolor=COLOURS[0] if stands else "none",
            )  # fmt: skip
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_yticks(range(len(found)), [label(row.name) for row, _ in found])
        axes.set_ylim(-0.7, len(found) - 0.3)
        axes.set_xlabel(
            f"{metric.heading(f'{metric.label} minus that of {BASELINE} on {label(dataset)}')}, 95 % interval"
        )
        axes.grid(True, axis="x")
        axes.set_axisbelow(True)
    return figure
