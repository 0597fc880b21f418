"""SAFMN++: the network of team 23 (Sun et al.) in NTIRE 2024's challenge on efficient super-resolution, x4.

What is notable about it:
- SAFMN cut down for time: one level at an eighth of the size on a third of the channels instead of four on all, one
  skip around a block instead of two, no norm, no bias anywhere, no trunk skip;
- the order of the two parts is swapped after the modulation, and the GELU covers both;
- the image itself, enlarged bilinearly, is added at the end.

Products without a norm: on noise its outputs grow to 1e22 and beyond (images are fine), so float16 may overflow; time
it and compare its forms on an image. Published files hold `params` and `params_ema`; the averaged ones are scored.
"""

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.rivals.parts import POOLED, conv, pooled_size, require_sides

_C = 36  # channels
_POOLED_CHANNELS = 12
_HIDDEN = 54
_BLOCKS = 6


class SwappedSAFM(nn.Module):
    """SAFM on the first third of the channels, which comes last: (B, 36, H, W) to the same, H and W from 8 up."""

    size_multiple = POOLED
    """At multiples of it the pooling's windows stand side by side."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = F.adaptive_max_pool2d
        self.proj = conv(_C, _C, bias=False)
        self.dwconv = conv(_POOLED_CHANNELS, _POOLED_CHANNELS, bias=False, groups=_POOLED_CHANNELS)
        self.out = conv(_C, _C, 1, bias=False)
        self.act = nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        far, rest = self.proj(x).split((_POOLED_CHANNELS, _C - _POOLED_CHANNELS), dim=1)
        gate = self.dwconv(self.pool(far, pooled_size(far)))
        gate = F.interpolate(gate, size=far.shape[-2:], mode="bilinear", align_corners=False)
        return self.out(self.act(torch.cat([rest, self.act(gate) * far], dim=1)))


class Mixer(nn.Module):
    """3x3 to 54 channels, GELU, 1x1 back: (B, 36, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv(_C, _HIDDEN, bias=False), conv(_HIDDEN, _C, 1, bias=False)
        self.act = nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2(self.act(self.conv1(x)))


class Block(nn.Module):
    """Modulation and mixer with one skip around both, (B, 36, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = SwappedSAFM(), Mixer()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv2(self.conv1(x)) + x


class SAFMNPP(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, 4 H, 4 W), H and W from 8 up."""

    least_side = POOLED

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.to_feat = conv(3, _C, bias=False)
        self.feats = nn.Sequential(*(Block() for _ in range(_BLOCKS)))
        self.to_img = nn.Sequential(conv(_C, 3 * scale**2, bias=False), nn.PixelShuffle(scale))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        require_sides(rgb, self.least_side, "SAFMN++")
        image = F.interpolate(rgb, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return self.to_img(self.feats(self.to_feat(rgb))) + image
