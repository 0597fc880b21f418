"""The effective receptive field: how much each LR pixel moves the output at the centre.

Luo et al., Understanding the Effective Receptive Field (NeurIPS 2016): the absolute gradient of the centre's output by
the input, averaged over inputs. Its area at a share is the smallest centred square that holds that share of it (Ding et
al., RepLKNet, CVPR 2022). Noise shows what the architecture reaches, photographs what it uses on them.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
from torch import nn

from safmn_bench.analysis.attribution.diffusion_index import Map

SHARES = (0.2, 0.5, 0.9, 0.99)


def receptive_field(network: nn.Module, inputs: Iterable[torch.Tensor]) -> Map:
    """Mean over LR inputs (1, 3, H, W), all of one size, of |d SR at the centre / d LR|, summed over colours: (H, W).

    SR at the centre is the sum of all pixels and colours that the LR pixel (H // 2, W // 2) is enlarged to.
    """
    gradients = [_gradient(network, lr) for lr in inputs]
    return torch.stack(gradients).mean(dim=0).cpu().numpy().astype(np.float64)


def _gradient(network: nn.Module, lr: torch.Tensor) -> torch.Tensor:
    lr = lr.detach().clone().requires_grad_(True)
    sr = network(lr)
    scale = sr.shape[-1] // lr.shape[-1]
    top, left = (side // 2 * scale for side in lr.shape[-2:])
    [gradient] = torch.autograd.grad(sr[..., top : top + scale, left : left + scale].sum(), lr)
    return gradient[0].abs().sum(dim=0)


def sides_at(field: Map, shares: Sequence[float] = SHARES) -> list[int]:
    """Side in LR pixels of the smallest square around the centre that holds each share of a field (H, W).

    Where a share lies beyond every such square that fits, the longer side of the input. A field of zeros has side 0.
    """
    total = field.sum()
    if total == 0:
        return [0 for _ in shares]
    row, column = (side // 2 for side in field.shape)
    radii = range(max(field.shape))
    held = [field[max(0, row - r) : row + r + 1, max(0, column - r) : column + r + 1].sum() / total for r in radii]
    sides = []
    for share in shares:
        radius = next((r for r in radii if held[r] >= share - 1e-9), len(held))  # 1e-9: rounding of the sums
        sides.append(min(2 * radius + 1, max(field.shape)))
    return sides
