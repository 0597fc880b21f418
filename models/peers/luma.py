"""Networks that work on luma, made to take and give RGB like all others.

What is notable about it:
- the network enlarges Y alone; Cb and Cr are enlarged by MATLAB-style bicubic, as the papers' own scripts do;
- Y is BT.601's, 16/255 to 235/255, on the [0, 1] scale that these networks were trained with;
- what is counted is the luma network on one channel, as the literature does: colour costs nothing there;
- the conversions stay in float32 under autocast: bfloat16 has no 8-bit colour.
"""

import torch
from torch import nn

from safmn_bench.models.color import rgb_to_ycbcr, ycbcr_to_rgb
from safmn_bench.models.peers.layers import Part
from safmn_bench.models.resize import bicubic_up

HR_SIZE = (1280, 720)
"""The HR image of the literature's complexity figures; the longer side first, as in profiling/counting/flops.py."""


class LumaNetwork(nn.Module):
    """Base of networks on luma: a subclass defines `enlarge_luma`. RGB (B, 3, H, W) to (B, 3, scale H, scale W)."""

    compilable = False  # the taps of the bicubic colour are looked up by image size, which breaks torch.compile's graph

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale

    def enlarge_luma(self, y: torch.Tensor) -> torch.Tensor:
        """Y (B, 1, H, W) to (B, 1, scale H, scale W)."""
        raise NotImplementedError

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        with torch.autocast(rgb.device.type, enabled=False):
            ycbcr = rgb_to_ycbcr(rgb)
            colour = bicubic_up(ycbcr[:, 1:], self.scale)
        y = self.enlarge_luma(ycbcr[:, :1])
        with torch.autocast(rgb.device.type, enabled=False):
            return ycbcr_to_rgb(torch.cat([y.to(colour.dtype), colour], dim=1))

    def counted(self, lr_height: int, lr_width: int) -> tuple[nn.Module, tuple[int, ...]]:
        """The luma network on the LR luma."""
        return Part(self, "enlarge_luma"), (1, 1, lr_height, lr_width)


class RefiningNetwork(LumaNetwork):
    """Base of networks that refine an image enlarged beforehand: a subclass defines `refine`, at HR size."""

    def refine(self, y: torch.Tensor) -> torch.Tensor:
        """Y (B, 1, H, W), bicubically enlarged, to a better Y of the same size."""
        raise NotImplementedError

    def enlarge_luma(self, y: torch.Tensor) -> torch.Tensor:
        """Y (B, 1, H, W) to (B, 1, scale H, scale W)."""
        return self.refine(bicubic_up(y, self.scale))

    def counted(self, lr_height: int, lr_width: int) -> tuple[nn.Module, tuple[int, ...]]:
        """The network on HR luma. The LR 427x240 of x3 stands for 1280x720, not for 1281x720."""
        size = (lr_height * self.scale, lr_width * self.scale)
        if all(0 <= mine - table < self.scale for mine, table in zip(size, HR_SIZE, strict=True)):
            size = HR_SIZE
        return Part(self, "refine"), (1, 1, *size)
