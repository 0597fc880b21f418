"""Figure 1: cost against PSNR; the area of a mark is the number of parameters, a stepped line the Pareto front.

Published and measured points differ in shape and fill as well as in colour: an empty circle, a full square, a diamond
of both kinds. Where they come from trainings of different lengths, the legend says so.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from safmn_bench.analysis.plots.label_placement import Anchor, Box, line_to, misleading, place
from safmn_bench.analysis.plots.style import COLOURS, PAGE_INCHES, label
from safmn_bench.analysis.plots.tradeoff_points import MEASURED, MIXED, PUBLISHED, Point, pareto_front

POINTS2_PER_K = 0.22  # area of a mark, in square points, per thousand parameters
_SMALLEST_POINTS2 = 4.0  # below, a mark could not be seen
_COLOUR = {PUBLISHED: COLOURS[0], MEASURED: COLOURS[1], MIXED: COLOURS[2]}
SHAPES = {PUBLISHED: "o", MEASURED: "s", MIXED: "D"}
_EDGE = {PUBLISHED: "-", MEASURED: "-", MIXED: "--"}
_TEXT_POINTS = 6.5
_MOST_NAMED = 12  # measured networks that have room for their names; more have numbers, and a list beside the axes
_SIZES_K = (100, 500, 1000)
_LINEAR_BELOW = 5.0  # largest cost over smallest, up to which a logarithmic axis would have too few ticks


def draw(points: Sequence[Point], *, x_title: str, y_title: str, trained: str = "") -> Figure:
    """The figure, 6.0 x 4.0 inches, or a page wide with a list of numbers.

    `trained`: how long the measured networks were, such as `3,000 iterations`.
    """
    names = shown_names(points)
    listed = [f"{name}  {label(point.label)}" for name, point in zip(names, points, strict=True) if name.isdecimal()]
    figure = Figure(figsize=(PAGE_INCHES if listed else 6.0, max(4.0, 1.1 + 0.122 * len(listed))), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_xlabel(x_title)
    axes.set_ylabel(y_title)
    axes.grid(True)
    axes.set_axisbelow(True)
    for source in dict.fromkeys(point.source for point in points):
        _draw_source(axes, [point for point in points if point.source == source], source)
    _scale(axes, points)
    axes.margins(0.12, 0.14)
    _legend(axes, points, trained)
    if listed:
        blanks = [axes.plot([], [], linestyle="none")[0] for _ in listed]
        figure.legend(
            blanks, listed, loc="outside right upper", handlelength=0, handletextpad=0, labelspacing=0.25, frameon=False
        )
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # the labels are placed for this very layout
    _draw_labels(figure, axes, points, names)
    return figure


def shown_names(points: Sequence[Point]) -> list[str]:
    """What stands beside each point: its name; a number for the measured ones where they are many."""
    ours = [point for point in points if point.source != PUBLISHED]
    if len(ours) <= _MOST_NAMED:
        return [label(point.label) for point in points]
    numbers = iter(range(1, len(ours) + 1))
    return [label(point.label) if point.source == PUBLISHED else str(next(numbers)) for point in points]


def area_points2(point: Point) -> float:
    """Area of a mark in square points."""
    return max(_SMALLEST_POINTS2, POINTS2_PER_K * point.params_k)


def _draw_source(axes: Axes, points: Sequence[Point], source: str) -> None:
    front = pareto_front(points)
    xs, ys = [p.cost for p in front], [p.score for p in front]
    axes.plot(
        xs, ys, drawstyle="steps-post", color=_COLOUR[source], linewidth=0.9, linestyle=":", zorder=1, gid="front"
    )
    at, shape = ([p.cost for p in points], [p.score for p in points]), SHAPES[source]
    areas, colour = [area_points2(p) for p in points], _COLOUR[source]
    if source != PUBLISHED:
        axes.scatter(*at, s=areas, marker=shape, facecolor=colour, alpha=0.45, edgecolor="none", zorder=2)
    edge: dict[str, Any] = {"edgecolor": colour, "linewidth": 0.9, "linestyle": _EDGE[source]}
    axes.scatter(*at, s=areas, marker=shape, facecolor="none", zorder=3, **edge)


def _scale(axes: Axes, points: Sequence[Point]) -> None:
    """A logarithmic axis where costs differ widely, with ticks at 1, 2, 5, 10, 20 ... instead of powers of ten."""
    costs = [point.cost for point in points]
    if max(costs) < _LINEAR_BELOW * min(costs):
        return
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_locator(LogLocator(base=10, subs=()))


def _source_title(source: str, trained: str) -> str:
    """A source's name; with how it was trained where that is known of the measured ones."""
    told = {PUBLISHED: " after full training", MEASURED: f" after {trained}"} if trained else {}
    return source + told.get(source, "")


def _legend(axes: Axes, points: Sequence[Point], trained: str) -> None:
    """Below the axes, where it covers no point: sources, the front, and three sizes."""
    handles: list[Any] = []
    for source in (sources := list(dict.fromkeys(point.source for point in points))):
        face: Any = "none" if source == PUBLISHED else [(*to_rgb(_COLOUR[source]), 0.45)]
        edge = _COLOUR[source]
        style: dict[str, Any] = {"facecolor": face, "edgecolor": edge, "linestyle": _EDGE[source]}
        handles.append(axes.scatter([], [], s=40, marker=SHAPES[source], **style))
    (front,) = axes.plot([], [], color="#555555", linewidth=0.9, linestyle=":", drawstyle="steps-post")
    sizes = [axes.scatter([], [], s=POINTS2_PER_K * k, facecolor="none", edgecolor="#555555") for k in _SIZES_K]
    handles += [front, *sizes]
    titles = [
        *(_source_title(source, trained) for source in sources),
        "Pareto front",
        *(f"{k} K parameters" for k in _SIZES_K),
    ]
    figure = axes.get_figure()
    assert isinstance(figure, Figure)
    figure.legend(handles, titles, loc="outside lower center", ncols=3, frameon=False, labelspacing=1.5)


def _draw_labels(figure: Figure, axes: Axes, points: Sequence[Point], names: Sequence[str]) -> None:
    """Names beside the marks, without overlap; those that might be read as another's are tied to their own."""
    texts = [
        axes.text(
            points[0].cost,
            points[0].score,
            name,
            fontsize=_TEXT_POINTS,
            va="center",
            ha="center",
            zorder=5,
        )
        for name in names
    ]
    per_point = figure.dpi / 72
    anchors = []
    for point, text in zip(points, texts, strict=True):
        x, y = axes.transData.transform((point.cost, point.score))
        size = text.get_window_extent()
        radius = (area_points2(point) / 3.1416) ** 0.5
        anchors.append(Anchor(x / per_point, y / per_point, radius, size.width / per_point, size.height / per_point))
    frame = axes.get_window_extent()
    bounds = Box(*(side / per_point for side in frame.extents))
    for anchor, text, box in zip(anchors, texts, place(anchors, bounds, _fronts(axes, points, per_point)), strict=True):
        centre = ((box.left + box.right) / 2 * per_point, (box.bottom + box.top) / 2 * per_point)
        text.set_position(tuple(axes.transData.inverted().transform(centre)))
        others = [other for other in anchors if other is not anchor]
        if line_to(anchor, box) or misleading(anchor, box, others):
            _tie(axes, anchor, box, per_point)


def _fronts(axes: Axes, points: Sequence[Point], per_point: float) -> list[Box]:
    """The steps of the fronts as flat boxes, which labels keep clear of."""
    boxes = []
    for source in dict.fromkeys(point.source for point in points):
        front = pareto_front([point for point in points if point.source == source])
        ends = [axes.transData.transform((p.cost, p.score)) / per_point for p in front]
        for (x, y), (next_x, next_y) in pairwise(ends):
            boxes += [Box(x, y, next_x, y).grown(0.5), Box(next_x, y, next_x, next_y).grown(0.5)]
    return boxes


def _tie(axes: Axes, anchor: Anchor, box: Box, per_point: float) -> None:
    """A thin line from the middle of a mark to its label."""
    x, y = min(max(anchor.x, box.left), box.right), min(max(anchor.y, box.bottom), box.top)
    ends = axes.transData.inverted().transform(
        [(anchor.x * per_point, anchor.y * per_point), (x * per_point, y * per_point)]
    )
    axes.plot(ends[:, 0], ends[:, 1], color="#444444", linewidth=0.5, zorder=4, scalex=False, scaley=False)
    axes.plot(ends[:1, 0], ends[:1, 1], ".", color="#444444", markersize=2, zorder=4, scalex=False, scaley=False)
