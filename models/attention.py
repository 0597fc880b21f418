"""Attention modules that several peers share, with the state-dict keys of the published networks."""

import torch
import torch.nn.functional as F
from torch import nn


class ChannelAttention(nn.Module):
    """Rescale each channel of (B, C, H, W) by a gate computed from one number per channel (C -> C / ratio -> C).

    That number is the channel's mean (SMSR, after RCAN) or, with `contrast`, its standard deviation over pixels plus
    its mean (IMDN).
    """

    def __init__(self, channels: int, ratio: int = 16, *, contrast: bool = False) -> None:
        super().__init__()
        self.contrast = contrast
        self.conv_du = nn.Sequential(
            nn.Conv2d(channels, channels // ratio, 1),
            nn.ReLU(),
            nn.Conv2d(channels // ratio, channels, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        statistic = F.adaptive_avg_pool2d(x, 1)  # (B, C, 1, 1)
        if self.contrast:
            statistic = statistic + x.std(dim=(2, 3), correction=0, keepdim=True)
        return x * self.conv_du(statistic)


class PixelAttention(nn.Module):
    """Rescale every value of (B, C, H, W) by a gate computed from its pixel (PAN)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(self.conv(x))
