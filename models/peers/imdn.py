"""IMDN: Lightweight Image Super-Resolution with Information Multi-distillation Network (Hui et al., ACM MM 2019).

What is notable about it:
- distillation: each of three convolutions in a block hands a quarter of its channels on to the block's end and the
  rest to the next one, so that later convolutions are cheaper;
- channel attention by contrast: standard deviation plus mean of a channel, where others take the mean alone;
- the outputs of all six blocks are joined at the end; winner of the AIM 2019 challenge on constrained SR.
"""

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.peers.layers import ChannelAttention

_C = 64  # channels
_KEPT = 16  # channels that a convolution hands to the block's end
_PASSED = _C - _KEPT
_BLOCKS = 6
_SLOPE = 0.05


def _conv(inputs: int, outputs: int, kernel: int = 3) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2)


class IMDB(nn.Module):
    """Information multi-distillation block, (B, 64, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = _conv(_C, _C)
        self.c2 = _conv(_PASSED, _C)
        self.c3 = _conv(_PASSED, _C)
        self.c4 = _conv(_PASSED, _KEPT)
        self.c5 = _conv(_C, _C, 1)
        self.cca = ChannelAttention(_C, contrast=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept, passed = [], x
        for conv in (self.c1, self.c2, self.c3):
            part, passed = F.leaky_relu(conv(passed), _SLOPE).split((_KEPT, _PASSED), dim=1)
            kept.append(part)
        joined = torch.cat([*kept, self.c4(passed)], dim=1)  # 4 x 16 channels
        return self.c5(self.cca(joined)) + x


class IMDN(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W)."""

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.fea_conv = _conv(3, _C)
        for i in range(1, _BLOCKS + 1):
            self.add_module(f"IMDB{i}", IMDB())
        self.c = nn.Sequential(_conv(_C * _BLOCKS, _C, 1), nn.LeakyReLU(_SLOPE))
        self.LR_conv = _conv(_C, _C)
        self.upsampler = nn.Sequential(_conv(_C, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        shallow = x = self.fea_conv(rgb)  # (B, 64, H, W)
        outputs = []
        for i in range(1, _BLOCKS + 1):
            x = self.get_submodule(f"IMDB{i}")(x)
            outputs.append(x)
        joined = self.LR_conv(self.c(torch.cat(outputs, dim=1))) + shallow
        return self.upsampler(joined)
