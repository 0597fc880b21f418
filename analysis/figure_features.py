"""Figure 5: the LR image, the features of each level, aggregated, and attended."""

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from safmn_bench.analysis.feature_maps import Features
from safmn_bench.analysis.figure_style import PAGE_INCHES, label

_COLUMNS = 4
_CUT = (1, 99)  # percentiles that a panel's colours reach from and to
_COLOURS = "cividis"  # made for colour-blind and colour-seeing readers alike; monotone in grey


def draw(lr: torch.Tensor, found: Features, *, title: str) -> Figure:
    """The figure, 7 inches wide: `lr` is uint8 (3, h, w). Each panel has its own colour scale, written under it."""
    panels: list[tuple[str, np.ndarray | None]] = [("LR input", None)]
    panels += [(_level(index), level) for index, level in enumerate(found.levels)]
    panels += [("aggregated", found.aggregated), ("attended output", found.attended)]
    rows = -(-len(panels) // _COLUMNS)
    cell = PAGE_INCHES / _COLUMNS
    height = rows * (cell * 0.96 * lr.shape[1] / lr.shape[2] + 0.36) + 0.2
    figure = Figure(figsize=(PAGE_INCHES, height), layout="constrained")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for index, (one, (name, values)) in enumerate(zip(axes, panels, strict=False)):
        _panel(one, f"({chr(ord('a') + index)}) {name}", values, lr)
    for empty in axes[len(panels) :]:
        empty.remove()
    figure.suptitle(label(title, 110), fontsize=7)
    return figure


def _level(index: int) -> str:
    return "level 1, full size" if index == 0 else f"level {index + 1}, 1/{2**index} of the size"


def _panel(axes: Axes, caption: str, values: np.ndarray | None, lr: torch.Tensor) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if values is None:
        axes.imshow(lr.permute(1, 2, 0).numpy(), interpolation="nearest")
        axes.set_xlabel(f"{caption}\n{lr.shape[2]}x{lr.shape[1]} pixels", fontsize=7)
        return
    low, high = np.percentile(values, _CUT)
    axes.imshow(values, cmap=_COLOURS, vmin=low, vmax=high, interpolation="nearest")
    axes.set_xlabel(f"{caption}\ndark {low:.3g}, light {high:.3g}", fontsize=7)
