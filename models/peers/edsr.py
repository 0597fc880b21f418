"""EDSR-baseline: Enhanced Deep Residual Networks for Single Image Super-Resolution (Lim et al., CVPRW 2017).

What is notable about it:
- residual blocks stripped bare: no batch normalisation, no activation after the sum;
- 16 blocks of 64 channels, most of the arithmetic of Table 1's RGB networks;
- the mean colour is subtracted by arithmetic, as in BasicSR: with the frozen 1x1 convolutions of the authors' code the
  activations would be 566.6 M instead of 563.1 M at x2, and the paper's are 563.

Weights of both well-known layouts load, BasicSR's (`conv_first`, ...) and the authors' (`head.0`, ...).
"""

import re

import torch
from torch import nn

from safmn_bench.models.peers.layers import rgb_mean, shuffle_tail

_C = 64  # channels
_BLOCKS = 16
_RANGE = 255.0  # the network sees 0-255

_AUTHORS_LAYOUT = (  # pattern -> ours, in this order
    (r"head\.0\.", "conv_first."),
    (rf"body\.{_BLOCKS}\.", "conv_after_body."),
    (r"body\.(\d+)\.body\.0\.", r"body.\1.conv1."),
    (r"body\.(\d+)\.body\.2\.", r"body.\1.conv2."),
    (r"tail\.0\.(\d+)\.", r"upsample.\1."),
    (r"tail\.1\.", "conv_last."),
)


class ResidualBlock(nn.Module):
    """x + conv(ReLU(conv(x))), (B, 64, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(_C, _C, 3, padding=1)
        self.conv2 = nn.Conv2d(_C, _C, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(torch.relu(self.conv1(x)))


class EDSR(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W)."""

    mean: torch.Tensor

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("mean", rgb_mean(), persistent=False)  # not in published files
        self.conv_first = nn.Conv2d(3, _C, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock() for _ in range(_BLOCKS)))
        self.conv_after_body = nn.Conv2d(_C, _C, 3, padding=1)
        self.upsample = shuffle_tail(scale, _C, lambda outputs: nn.Conv2d(_C, outputs, 3, padding=1))
        self.conv_last = nn.Conv2d(_C, 3, 3, padding=1)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        shallow = self.conv_first((rgb - self.mean) * _RANGE)  # (B, 64, H, W)
        deep = self.conv_after_body(self.body(shallow)) + shallow
        return self.conv_last(self.upsample(deep)) / _RANGE + self.mean

    def adapt_state_dict(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The authors' layout under our keys; their frozen mean shifts, which are arithmetic here, are left out."""
        if "head.0.weight" not in state:
            return state
        return {_renamed(key): value for key, value in state.items() if not key.startswith(("sub_mean.", "add_mean."))}


def _renamed(key: str) -> str:
    for pattern, ours in _AUTHORS_LAYOUT:
        changed, replaced = re.subn(rf"^{pattern}", ours, key)
        if replaced:
            return changed
    return key
