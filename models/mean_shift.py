"""The mean colour of DIV2K, and the frozen 1x1 convolution by which several networks take it away and put it back."""

import torch
from torch import nn

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
