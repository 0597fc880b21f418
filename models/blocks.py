"""The parts of SAFMN that its ablations exchange: norms, poolings, mixers and the activation of the modulation.

Each kind is one table, name -> constructor or function, and a `SAFMNConfig` names its choice. To try a new one,
write one module or function here and add one entry to its table.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn


class LayerNorm2d(nn.Module):
    """LayerNorm over the channels of (B, C, H, W), at every pixel for itself; biased variance, eps 1e-6.

    Written out, as in the published network: fvcore then counts no operation for it, as the paper's figures show.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(dim))
        self.bias = nn.Parameter(torch.zeros(dim))
        self.eps = 1e-6

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        x = (x - mean) / torch.sqrt(variance + self.eps)
        return self.weight[:, None, None] * x + self.bias[:, None, None]


class FrozenBatchNorm2d(nn.Module):
    """BatchNorm2d whose statistics and affine map are fixed buffers (Table 3, "LN -> FBN").

    Trained from scratch they stay mean 0, variance 1, weight 1, bias 0: all but the identity, which is why this row
    collapses in the paper as the row without a norm does.
    """

    weight: torch.Tensor
    bias: torch.Tensor
    running_mean: torch.Tensor
    running_var: torch.Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.ones(dim))
        self.register_buffer("bias", torch.zeros(dim))
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))
        self.eps = 1e-5  # nn.BatchNorm2d's

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scale = self.weight * torch.rsqrt(self.running_var + self.eps)
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]


class L2Norm2d(nn.Module):
    """Divide each pixel of (B, C, H, W) by the L2 norm over its channels (Table 3, "LN -> L2 normalization")."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.normalize(x, dim=1)


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "layer": LayerNorm2d,
    "batch": nn.BatchNorm2d,
    "frozen_batch": FrozenBatchNorm2d,
    "l2": L2Norm2d,
    "none": lambda dim: nn.Identity(),
}


def nearest_pool(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Shrink (B, C, H, W) to `size` by taking the nearest pixel."""
    return F.interpolate(x, size=size, mode="nearest")


POOLINGS: dict[str, Callable[[torch.Tensor, tuple[int, int]], torch.Tensor]] = {
    "max": F.adaptive_max_pool2d,
    "avg": F.adaptive_avg_pool2d,
    "nearest": nearest_pool,
}


ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "gelu": nn.GELU,
    "sigmoid": nn.Sigmoid,
    "none": nn.Identity,
}


class SqueezeExcitation(nn.Module):
    """Rescale each channel of (B, C, H, W) by a gate computed from the image's channel means (C -> C/4 -> C)."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(dim, dim // 4, 1),
            nn.GELU(),
            nn.Conv2d(dim // 4, dim, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.gate(x)


def convolutional_mixer(dim: int, hidden: int) -> nn.Sequential:
    """CCM of the paper: 3x3 to `hidden` channels, GELU, 1x1 back (Section 3.2)."""
    return nn.Sequential(nn.Conv2d(dim, hidden, 3, 1, 1), nn.GELU(), nn.Conv2d(hidden, dim, 1))


def squeeze_excitation_mixer(dim: int, hidden: int) -> nn.Sequential:
    """CCM with squeeze-and-excitation between its GELU and its 1x1: the original FMBConv ("w/ SE")."""
    spread, gelu, join = convolutional_mixer(dim, hidden)
    return nn.Sequential(spread, gelu, SqueezeExcitation(hidden), join)


def channel_mlp(dim: int, hidden: int) -> nn.Sequential:
    """CCM whose 3x3 is a 1x1: it mixes channels and sees no neighbour."""
    return nn.Sequential(nn.Conv2d(dim, hidden, 1), nn.GELU(), nn.Conv2d(hidden, dim, 1))


def inverted_residual(dim: int, hidden: int) -> nn.Sequential:
    """CCM with a 3x3 depthwise convolution and a GELU between its two convolutions."""
    spread, gelu, join = convolutional_mixer(dim, hidden)
    return nn.Sequential(spread, gelu, nn.Conv2d(hidden, hidden, 3, 1, 1, groups=hidden), nn.GELU(), join)


MIXERS: dict[str, Callable[[int, int], nn.Sequential]] = {
    "ccm": convolutional_mixer,
    "se": squeeze_excitation_mixer,
    "channel_mlp": channel_mlp,
    "inverted_residual": inverted_residual,
}
