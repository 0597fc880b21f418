"""RLFN, RLFN-S and RLFN-NTIRE22: Residual Local Feature Network (Kong et al., CVPRW 2022).

What is notable about it:
- won the runtime track of NTIRE 2022: IMDN's and RFDN's distillation taken out again, since the concatenations cost
  more time than they save arithmetic;
- three plain convolutions, one skip, then a 1x1 and spatial attention at a sixth of the size (ESA, without its ReLUs);
- RGB on the 0-255 scale, in and out. The authors state it for no file; fed [0, 1] theirs score 27.67 dB on Set5 at x4
  instead of 32.24.

Nearly local: the attention's grid starts at the image's corner, so tiles change the result slightly.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.rivals.parts import ESA, ESA_LEAST_SIDE, conv, require_sides

_ESA = 16  # channels of the attention
_SLOPE = 0.05
_RANGE = 255.0  # the network sees and gives 0-255


@dataclass(frozen=True, kw_only=True)
class RLFNSize:
    """`middle` is the width between a block's convolutions; the challenge's network is the pruned one."""

    dim: int
    middle: int
    n_blocks: int


RLFN_FULL = RLFNSize(dim=52, middle=52, n_blocks=6)
RLFN_S = RLFNSize(dim=48, middle=48, n_blocks=6)
RLFN_NTIRE22 = RLFNSize(dim=46, middle=48, n_blocks=4)


class RLFB(nn.Module):
    """Residual local feature block, (B, dim, H, W) to the same."""

    def __init__(self, dim: int, middle: int) -> None:
        super().__init__()
        self.c1_r, self.c2_r, self.c3_r = conv(dim, middle), conv(middle, middle), conv(middle, dim)
        self.c5 = conv(dim, dim, 1)
        self.esa = ESA(dim, _ESA)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x
        for convolution in (self.c1_r, self.c2_r, self.c3_r):
            y = F.leaky_relu(convolution(y), _SLOPE)
        return self.esa(self.c5(y + x))


class RLFN(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W), H and W from 15 up."""

    least_side = ESA_LEAST_SIDE

    def __init__(self, *, scale: int, size: RLFNSize = RLFN_FULL) -> None:
        super().__init__()
        self.scale, self.n_blocks = scale, size.n_blocks
        self.conv_1 = conv(3, size.dim)
        for i in range(1, size.n_blocks + 1):
            self.add_module(f"block_{i}", RLFB(size.dim, size.middle))
        self.conv_2 = conv(size.dim, size.dim)
        self.upsampler = nn.Sequential(conv(size.dim, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        require_sides(rgb, self.least_side, "RLFN")
        shallow = x = self.conv_1(rgb * _RANGE)  # (B, dim, H, W)
        for i in range(1, self.n_blocks + 1):
            x = self.get_submodule(f"block_{i}")(x)
        return self.upsampler(self.conv_2(x) + shallow) / _RANGE
