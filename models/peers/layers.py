"""Layers that several peers share, with the state-dict keys of the published networks.

- attention by channel and by pixel;
- upsampler tails: convolutions to r^2 as many channels, each followed by a pixel shuffle. Scale 4 is two steps of 2 in
  most networks (EDSR, CARN, ShuffleMixer); what stands between the convolution and the shuffle, and after the shuffle,
  differs, and with it the numbers in the state-dict keys;
- the mean colour of DIV2K, and the frozen 1x1 convolution by which several networks take it away and put it back;
- initial weights that the papers state; where none is stated, torch's own are left;
- `Part`: what is counted of a network, where that is not its `forward`.
"""

import math
from collections.abc import Callable

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


Convolution = nn.Conv2d | nn.ConvTranspose2d


def normal(conv: Convolution, std: float) -> None:
    """Weights N(0, std^2), biases zero."""
    nn.init.normal_(conv.weight, 0.0, std)
    if conv.bias is not None:
        nn.init.zeros_(conv.bias)


def normal_by_outputs(conv: nn.Conv2d) -> None:
    """Weights N(0, 2 / (outputs x kernel pixels)), biases zero (He et al. 2015, backward form)."""
    height, width = conv.kernel_size
    normal(conv, math.sqrt(2.0 / (conv.out_channels * height * width)))


@torch.no_grad()
def bilinear(conv: nn.ConvTranspose2d) -> None:
    """A transposed convolution of one channel, 4x4 and stride 2, that enlarges bilinearly."""
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    conv.weight.copy_(torch.outer(line, line).expand_as(conv.weight))


RGB_MEAN = (0.4488, 0.4371, 0.4040)
"""Mean colour of DIV2K's training images, RGB in [0, 1]."""


class MeanShift(nn.Conv2d):
    """x + sign * full_scale * RGB_MEAN, as the published networks have it: 12 frozen parameters, counted as such."""

    def __init__(self, sign: int, full_scale: float = 1.0) -> None:
        super().__init__(3, 3, 1)
        with torch.no_grad():
            self.weight.copy_(torch.eye(3).view(3, 3, 1, 1))
            assert self.bias is not None
            self.bias.copy_(sign * full_scale * torch.tensor(RGB_MEAN))
        self.requires_grad_(False)


def rgb_mean() -> torch.Tensor:
    """RGB_MEAN as (1, 3, 1, 1), float32."""
    return torch.tensor(RGB_MEAN).view(1, 3, 1, 1)


class Part(nn.Module):
    """One method of a network as a module: `Part(network, 'refine')(x)` is `network.refine(x)`."""

    def __init__(self, network: nn.Module, method: str) -> None:
        super().__init__()
        self.network = network
        self.method = method

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return getattr(self.network, self.method)(x)

    def uncounted_parameters(self) -> set[str]:
        """The network's own, under the names that they have here."""
        own = getattr(self.network, "uncounted_parameters", set)()
        return {f"network.{name}" for name in own}


Layer = Callable[[], nn.Module]


def steps(scale: int) -> tuple[int, ...]:
    """Factors of an upsampling in stages: 4 is 2 x 2; 2 and 3 are one stage."""
    return (2, 2) if scale == 4 else (scale,)


def shuffle_tail(
    scale: int,
    channels: int,
    conv: Callable[[int], nn.Module],
    *,
    before: tuple[Layer, ...] = (),
    after: tuple[Layer, ...] = (),
) -> nn.Sequential:
    """(B, C, H, W) to (B, C, scale H, scale W).

    `conv(outputs)` makes a convolution from C to `outputs` channels; `before` and `after` are the layers on either
    side of each shuffle.
    """
    layers: list[nn.Module] = []
    for factor in steps(scale):
        layers += [conv(channels * factor**2), *(layer() for layer in before)]
        layers += [nn.PixelShuffle(factor), *(layer() for layer in after)]
    return nn.Sequential(*layers)
