"""SPANv2: the network of team 22 (Xiaomi) in NTIRE 2026's challenge on efficient super-resolution, 32 channels, x4.

What is notable about it:
- the image reaches the end through a grouped convolution that starts as nearest-neighbour enlargement and is trained
  (the published one ends up to 0.89 away from that);
- a 1x1 convolution with bias gates each block but the first, without a sigmoid; nothing else has a bias;
- the end is a depthwise 3x3 and a 1x1, no activation between.

The authors run the gate of a block as one CUDA operator of their own. This is its twin without it: the same values,
any device, and the form that is counted. Their challenge figures (1.59 G, 42.99 M activations at 256x256) lack what the
operator hides from fvcore: 9.108 G and 51.38 M in truth. A time measured here is that of the twin; theirs is 5.24 ms.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.rivals.parts import conv

_C = 32  # channels
_BLOCKS = 5


def _plain(inputs: int, outputs: int) -> nn.Sequential:
    """A 3x3 convolution without bias, under the published key."""
    return nn.Sequential(OrderedDict(conv=conv(inputs, outputs, bias=False)))


class GatedBlock(nn.Module):
    """(x + e) * G(e), where e is three convolutions of x and G a 1x1; the block that widens has neither gate nor skip.

    (B, inputs, H, W) to (B, 32, H, W).
    """

    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.c1, self.c2, self.c3 = _plain(inputs, _C), _plain(_C, _C), _plain(_C, _C)
        self.gated = inputs == _C
        if self.gated:
            self.guidance_map_conv = conv(_C, _C, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        edge = self.c3(torch.relu(self.c2(torch.relu(self.c1(x)))))
        return (x + edge) * self.guidance_map_conv(edge) if self.gated else torch.relu(edge)


class SPANv2(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, 4 H, 4 W)."""

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        enlarged = 3 * scale**2
        for i in range(1, _BLOCKS + 1):
            self.add_module(f"block_{i}", GatedBlock(3 if i == 1 else _C))
        self.conv_near = conv(3, enlarged, bias=False, groups=3)
        self.depthwise_conv = conv(enlarged + _C, enlarged + _C, bias=False, groups=enlarged + _C)
        self.pointwise_conv = conv(enlarged + _C, enlarged, 1, bias=False)
        with torch.no_grad():  # each colour to the scale^2 channels that the shuffle makes its pixels of
            self.conv_near.weight.zero_()[:, :, 1, 1] = 1.0

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        x = rgb
        for i in range(1, _BLOCKS + 1):
            x = self.get_submodule(f"block_{i}")(x)
        joined = torch.cat([self.conv_near(rgb), x], dim=1)
        return F.pixel_shuffle(self.pointwise_conv(self.depthwise_conv(joined)), self.scale)
