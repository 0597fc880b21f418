"""Figure 5: LR, and what the SAFM of one block makes of it: each level, their aggregation, the attended output."""

from dataclasses import dataclass

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import nn

from safmn_bench.ablations.scoring.score import evaluating
from safmn_bench.analysis.plots.style import PAGE_INCHES, label
from safmn_bench.models.errors import UserError
from safmn_bench.models.safmn import SAFM, SAFMN


@dataclass(frozen=True)
class Features:
    """Maps of one block, each (h, w), float32: the mean over channels of the magnitude."""

    levels: tuple[np.ndarray, ...]
    """Eq. 1, by level: full size, 1/2, 1/4, 1/8."""
    aggregated: np.ndarray
    """Eq. 2, before the activation."""
    attended: np.ndarray
    """Eq. 3: what leaves the SAFM."""


def safm_of(network: nn.Module, block: int) -> SAFM:
    """The SAFM of a block, counted from 1. Raises UserError: not SAFMN, no such block, or a variant without SAFM."""
    if not isinstance(network, SAFMN):
        raise UserError(
            f"Figure 5 looks into the SAFM, which {type(network).__name__} has not. Give safmn or a variant."
        )
    if not 1 <= block <= len(network.feats):
        raise UserError(f"--block {block}: this network has blocks 1 to {len(network.feats)}.")
    safm = getattr(network.feats[block - 1], "safm", None)
    if safm is None:
        raise UserError("This variant has no SAFM to look into. Give another variant.")
    return safm


def features(network: nn.Module, lr: torch.Tensor, block: int) -> Features:
    """Run `network` on `lr`, uint8 (3, h, w), and take the maps of a block, counted from 1."""
    safm = safm_of(network, block)
    seen: list[torch.Tensor] = []
    hook = safm.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    try:
        with evaluating(network):
            network(lr.unsqueeze(0).float() / 255.0)
            levels = tuple(_map(level) for level in safm.pyramid(seen[0]))
            return Features(levels, _map(safm.aggregated(seen[0])), _map(safm(seen[0])))
    finally:
        hook.remove()


def _map(x: torch.Tensor) -> np.ndarray:
    """(1, C, h, w) to (h, w)."""
    return x[0].abs().mean(dim=0).cpu().numpy()


_COLUMNS = 4
_CUT = (1, 99)  # percentiles that a panel's colours reach from and to
_COLOURS = "cividis"  # made for colour-blind and colour-seeing readers alike; monotone in grey


def draw(lr: torch.Tensor, features: Features, *, title: str) -> Figure:
    """The figure, a page wide: `lr` is uint8 (3, h, w). Each panel has its own colour scale, written under it."""
    panels: list[tuple[str, np.ndarray | None]] = [("LR input", None)]
    panels += [(_level(index), level) for index, level in enumerate(features.levels)]
    panels += [("aggregated", features.aggregated), ("attended output", features.attended)]
    rows = -(-len(panels) // _COLUMNS)
    cell = PAGE_INCHES / _COLUMNS
    height = rows * (cell * 0.96 * lr.shape[1] / lr.shape[2] + 0.36) + 0.2
    figure = Figure(figsize=(PAGE_INCHES, height), layout="constrained")
    axes = figure.subplots(rows, _COLUMNS, squeeze=False).ravel()
    for index, (panel_axes, (name, values)) in enumerate(zip(axes, panels, strict=False)):
        _panel(panel_axes, f"({chr(ord('a') + index)}) {name}", values, lr)
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
