"""Charts as SVG inside the page: matplotlib's figures, in the page's own colours, so that they follow its scheme."""

import io
import math
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup, escape
from matplotlib.figure import Figure

from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.analysis.plots import loss_curves, tradeoff
from safmn_bench.analysis.plots.comparisons import delta_figure
from safmn_bench.analysis.plots.loss_curves import Curve
from safmn_bench.analysis.plots.options import AXES
from safmn_bench.analysis.plots.style import label, style
from safmn_bench.analysis.plots.tradeoff_points import MEASURED, Point
from safmn_bench.analysis.stats.groups import BASELINE, Measured

_SVG = "{http://www.w3.org/2000/svg}"
_INK = {  # what matplotlib draws in black or grey is drawn in the page's colours
    **dict.fromkeys(("#000000", "#555555", "#444444", "black"), "currentColor"),
    **{"#dddddd": "var(--line)", "#ffffff": "var(--page)"},
}
_MOST_POINTS = 400  # of a loss curve: more than a screen shows, and a hundredth of a long run


def inline_svg(figure: Figure, prefix: str, title: str) -> Markup:
    """The figure as an <svg> element with a title for screen readers; its ids begin with `prefix`."""
    buffer = io.BytesIO()
    with style():
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    root = ET.fromstring(buffer.getvalue())
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag == f"{_SVG}metadata"]:
            parent.remove(child)
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        element.attrib = {_plain(key): _recoloured(_owned(key, value, prefix)) for key, value in element.attrib.items()}
    for size in ("width", "height"):
        root.attrib.pop(size)  # the page decides; the viewBox keeps the shape
    root.attrib |= {"role": "img", "aria-label": title}
    return Markup(ET.tostring(root, encoding="unicode"))


def _plain(key: str) -> str:
    """An attribute's name without its namespace, as HTML writes it."""
    return key.rpartition("}")[2]


def _owned(key: str, value: str, prefix: str) -> str:
    """Ids, and references to them, made this figure's own."""
    if key == "id":
        return f"{prefix}-{value}"
    if _plain(key) == "href" and value.startswith("#"):
        return f"#{prefix}-{value[1:]}"
    return value.replace("url(#", f"url(#{prefix}-")


def _recoloured(value: str) -> str:
    for ink, own in _INK.items():
        value = value.replace(f": {ink}", f": {own}")
    return value


def loss_chart(curves: dict[str, list[Curve]], window: int, prefix: str) -> Markup:
    """Loss curves of all networks: in one plot, or a panel for each of more than loss_curves.MOST."""
    longest = max(len(run.loss) for runs in curves.values() for run in runs)
    group = math.ceil(longest / _MOST_POINTS)  # one for all: seeds meet at the same iterations
    thin = {name: [thinned(run, group) for run in runs] for name, runs in curves.items()}
    with style():
        figure = loss_curves.draw(thin, window=window)
    return inline_svg(figure, prefix, f"Training loss of {', '.join(curves)}")


def thinned(curve: Curve, group: int) -> Curve:
    """The curve with a point for every `group` points: their mean."""
    starts = np.arange(0, len(curve.loss), group)
    counts = np.diff(np.append(starts, len(curve.loss)))
    iterations, loss = (np.add.reduceat(values, starts) / counts for values in (curve.iterations, curve.loss))
    return Curve(curve.seed, iterations, loss, curve.collapsed_at)


def tradeoff_chart(points: Sequence[Point], axis: str, dataset: str, prefix: str) -> Markup:
    """Cost against the headline score, circles by parameters."""
    metric = METRICS[HEADLINE]
    with style():
        figure = tradeoff.draw(points, x_title=AXES[axis], y_title=metric.heading(f"{label(dataset)} {metric.label}"))
    return inline_svg(figure, prefix, f"{AXES[axis]} against {metric.title} on {dataset}")


def measured_points(rows: Sequence[Measured], dataset: str) -> list[Point]:
    """A point per network, of its own measurements only."""
    points = []
    for row in rows:
        record, score = row.records[0], row.score(dataset, HEADLINE)
        if score is not None:
            points.append(
                Point(
                    label=row.name, cost=record.flops / 1e9, score=score.mean, params_k=record.params / 1e3,
                    source=MEASURED,
                )
            )  # fmt: skip
    return points


def delta_chart(rows: Sequence[Measured], dataset: str, prefix: str) -> Markup:
    """Differences from the baseline on one benchmark."""
    return inline_svg(delta_figure(rows, dataset), prefix, f"Differences from {BASELINE} on {escape(dataset)}")
