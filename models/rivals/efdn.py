"""EFDN: Edge-enhanced Feature Distillation Network (Wang, CVPRW 2022), 48 channels: the baseline of NTIRE 2025.

What is notable about it:
- cells found by architecture search: a 1x1 and two 3x3 convolutions in series, each with PReLU, and half the channels
  of each and of the input joined by a 1x1;
- the third and fourth cell see their predecessor joined with the second cell's output, not with one another's;
- trained with edge branches beside each 3x3, as ECBSR. What is here is the deployed form, which the challenge counts
  (0.276 M, 16.70 G at 256x256) and times; the training form is not.

The challenge's code clamps the output to [0, 1]; scoring does that here.
"""

from collections import OrderedDict

import torch
from torch import nn

from safmn_bench.models.rivals.parts import ESA, ESA_LEAST_SIDE, conv, require_sides

_C = 48  # channels
_CELLS = 4


class DeepESA(ESA):
    """ESA with three convolutions at the small size."""

    def __init__(self) -> None:
        super().__init__(_C, _C // 4)
        self.conv_max, self.conv3_ = conv(_C // 4, _C // 4), conv(_C // 4, _C // 4)

    def _between(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv3_(torch.relu(self.conv3(torch.relu(self.conv_max(x)))))


def _activated(key: str, kernel: int) -> nn.Sequential:
    """A convolution under the published key, and PReLU per channel."""
    return nn.Sequential(OrderedDict({key: conv(_C, _C, kernel), "act": nn.PReLU(_C)}))


class Cell(nn.Module):
    """Distillation cell, (B, 48, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = _activated("conv1x1", 1)
        self.conv2, self.conv3 = _activated("rep_conv", 3), _activated("rep_conv", 3)
        self.fuse = conv(2 * _C, _C, 1)
        self.att = DeepESA()
        self.branch = nn.ModuleList(conv(_C, _C // 2, 1) for _ in range(4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        stages = [x]
        for convolution in (self.conv1, self.conv2, self.conv3):
            stages.append(convolution(stages[-1]))
        kept = [branch(stage) for branch, stage in zip(self.branch, stages, strict=True)]
        return self.att(self.fuse(torch.cat(kept, dim=1))) + x


class EFDN(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W), H and W from 15 up."""

    least_side = ESA_LEAST_SIDE

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.head = conv(3, _C)
        self.cells = nn.ModuleList(Cell() for _ in range(_CELLS))
        self.local_fuse = nn.ModuleList(conv(2 * _C, _C, 1) for _ in range(_CELLS - 1))
        self.tail = nn.Sequential(conv(_C, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        require_sides(rgb, self.least_side, "EFDN")
        shallow = self.head(rgb)  # (B, 48, H, W)
        first = self.cells[0](shallow)
        second = self.cells[1](first)
        third = self.cells[2](self._joined(0, first, second))
        fourth = self.cells[3](self._joined(1, second, third))
        return self.tail(self._joined(2, second, fourth) + shallow)

    def _joined(self, i: int, earlier: torch.Tensor, later: torch.Tensor) -> torch.Tensor:
        return self.local_fuse[i](torch.cat([earlier, later], dim=1))
