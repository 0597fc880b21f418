"""Upsampler tails: convolutions to r^2 as many channels, each followed by a pixel shuffle.

Scale 4 is two steps of 2 in most networks (EDSR, CARN, ShuffleMixer); what stands between the convolution and the
shuffle, and after the shuffle, differs, and with it the numbers in the state-dict keys.
"""

from collections.abc import Callable

from torch import nn

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
