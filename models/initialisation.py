"""Initial weights that the peers' papers state; where none is stated, torch's own are left."""

import math

import torch
from torch import nn

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
