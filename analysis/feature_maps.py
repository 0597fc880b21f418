"""What the SAFM of one block computes on an image: each level, their aggregation, the attended output (Figure 5)."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from safmn_bench.ablations.scoring import evaluating
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
