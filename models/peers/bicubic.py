"""Bicubic interpolation as a model: what every network is compared with.

What is notable about it:
- no parameters: it is scored without weights, and there is nothing to train;
- it is MATLAB's `imresize`: `forward` is the exact, differentiable interpolation in floating point;
  `enlarge_uint8` is what is scored, since the published figures come from uint8 images, which `imresize` rounds after
  each axis.
"""

import torch
from torch import nn

from safmn_bench.models.resize import bicubic_uint8, bicubic_up


class Bicubic(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W)."""

    compilable = False  # nothing to compile

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return bicubic_up(rgb, self.scale)

    def enlarge_uint8(self, lr: torch.Tensor) -> torch.Tensor:
        """LR uint8 (..., h, w) to uint8 (..., scale h, scale w), as MATLAB's `imresize(lr, scale)`."""
        height, width = lr.shape[-2:]
        return bicubic_uint8(lr, height * self.scale, width * self.scale)
