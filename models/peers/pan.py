"""PAN: Efficient Image Super-Resolution Using Pixel Attention (Zhao et al., ECCVW 2020).

What is notable about it:
- pixel attention: a 1x1 convolution and a sigmoid give a gate for every value, not one per channel or per pixel;
- self-calibrated blocks (SCPA) of two halves, one plain and one gated, with no bias but the gate's;
- it enlarges by nearest neighbour and convolves at HR size, with pixel attention there too: few parameters (272 K at
  x4) and many activations;
- the image itself, enlarged bilinearly, is added at the end.
"""

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.peers.layers import PixelAttention, steps

_C = 40  # channels at LR size
_HALF = _C // 2
_UP = 24  # channels at HR size
_BLOCKS = 16
_SLOPE = 0.2


def _conv(inputs: int, outputs: int, kernel: int = 3, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)


class GatedConv(nn.Module):
    """k4(k3(x) * sigmoid(k2(x))), (B, 20, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.k2 = _conv(_HALF, _HALF, 1)
        self.k3 = _conv(_HALF, _HALF, bias=False)
        self.k4 = _conv(_HALF, _HALF, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.k4(self.k3(x) * torch.sigmoid(self.k2(x)))


class SCPA(nn.Module):
    """Self-calibrated block with pixel attention, (B, 40, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1_a = _conv(_C, _HALF, 1, bias=False)
        self.conv1_b = _conv(_C, _HALF, 1, bias=False)
        self.k1 = nn.Sequential(_conv(_HALF, _HALF, bias=False))
        self.PAConv = GatedConv()
        self.conv3 = _conv(_C, _C, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        plain = self.k1(F.leaky_relu(self.conv1_a(x), _SLOPE))
        gated = self.PAConv(F.leaky_relu(self.conv1_b(x), _SLOPE))
        return self.conv3(F.leaky_relu(torch.cat([plain, gated], dim=1), _SLOPE)) + x


class PAN(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W)."""

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.conv_first = _conv(3, _C)
        self.SCPA_trunk = nn.Sequential(*(SCPA() for _ in range(_BLOCKS)))
        self.trunk_conv = _conv(_C, _C)
        for i in range(1, len(steps(scale)) + 1):
            self.add_module(f"upconv{i}", _conv(_C if i == 1 else _UP, _UP))
            self.add_module(f"att{i}", PixelAttention(_UP))
            self.add_module(f"HRconv{i}", _conv(_UP, _UP))
        self.conv_last = _conv(_UP, 3)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        shallow = self.conv_first(rgb)  # (B, 40, H, W)
        x = self.trunk_conv(self.SCPA_trunk(shallow)) + shallow
        for i, factor in enumerate(steps(self.scale), start=1):
            x = F.interpolate(x, scale_factor=factor, mode="nearest")
            x = F.leaky_relu(self.get_submodule(f"att{i}")(self.get_submodule(f"upconv{i}")(x)), _SLOPE)
            x = F.leaky_relu(self.get_submodule(f"HRconv{i}")(x), _SLOPE)
        image = F.interpolate(rgb, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return self.conv_last(x) + image
