"""Parts that several rivals share: spatial attention at a sixth of the size, windows of an eighth, least sizes."""

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.errors import UserError

POOLED = 8
"""SMFANet and SAFMN++ pool to floor(H / 8), floor(W / 8)."""


def conv(inputs: int, outputs: int, kernel: int = 3, *, bias: bool = True, groups: int = 1) -> nn.Conv2d:
    """A convolution that keeps height and width, zero-padded."""
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias, groups=groups)


def require_sides(rgb: torch.Tensor, least: int, network: str) -> None:
    """Raise UserError for an image (B, 3, H, W) with a side below `least`: its pooling would have no window."""
    height, width = rgb.shape[-2:]
    if height < least or width < least:
        raise UserError(
            f"{network} needs LR images of at least {least}x{least} pixels, and this one is {width}x{height} "
            "(width x height). Give larger images, patches or tiles."
        )


def pooled_size(x: torch.Tensor) -> tuple[int, int]:
    """Height and width of the pooled map of x (B, C, H, W)."""
    height, width = x.shape[-2:]
    return height // POOLED, width // POOLED


class ESA(nn.Module):
    """Enhanced spatial attention (RFANet, Liu et al. 2020): x (B, C, H, W) times a gate for every value.

    The gate sees far at little cost: a convolution of stride 2, a max pool of 7x7 and stride 3, then `_between` at that
    size. No side is padded, so H and W are at least 15.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.conv1 = conv(channels, hidden, 1)
        self.conv_f = conv(hidden, hidden, 1)
        self.conv2 = nn.Conv2d(hidden, hidden, 3, stride=2)
        self.conv3 = conv(hidden, hidden)
        self.conv4 = conv(hidden, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        squeezed = self.conv1(x)
        far = self._between(F.max_pool2d(self.conv2(squeezed), 7, 3))
        far = F.interpolate(far, size=x.shape[-2:], mode="bilinear", align_corners=False)
        return x * torch.sigmoid(self.conv4(far + self.conv_f(squeezed)))

    def _between(self, x: torch.Tensor) -> torch.Tensor:
        """The layers at the small size."""
        return self.conv3(x)


ESA_LEAST_SIDE = 15  # (15 - 3) // 2 + 1 = 7, one window of the max pool
