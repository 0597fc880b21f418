"""ESPCN: Real-Time Single Image and Video Super-Resolution Using an Efficient Sub-Pixel CNN (Shi et al., CVPR 2016).

What is notable about it:
- it introduced the pixel shuffle, by which nearly all networks since enlarge: everything is computed at LR size;
- three convolutions with tanh between, and none at the end.

Weights of either well-known layout load: `first_part`/`last_part`, or `conv1`, `conv2`, `conv3`.
"""

import torch
from torch import nn

from safmn_bench.models.peers.layers import normal, normal_by_outputs
from safmn_bench.models.peers.luma import LumaNetwork

_OTHER_LAYOUT = {"conv1": "first_part.0", "conv2": "first_part.2", "conv3": "last_part.0"}


class ESPCN(LumaNetwork):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W)."""

    def __init__(self, *, scale: int) -> None:
        super().__init__(scale)
        first, second = nn.Conv2d(1, 64, 5, padding=2), nn.Conv2d(64, 32, 3, padding=1)
        last = nn.Conv2d(32, scale**2, 3, padding=1)
        self.first_part = nn.Sequential(first, nn.Tanh(), second, nn.Tanh())
        self.last_part = nn.Sequential(last, nn.PixelShuffle(scale))
        normal_by_outputs(first)
        normal_by_outputs(second)
        normal(last, 1e-3)

    def enlarge_luma(self, y: torch.Tensor) -> torch.Tensor:
        """Y (B, 1, H, W) to (B, 1, scale H, scale W)."""
        return self.last_part(self.first_part(y))

    def adapt_state_dict(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The state under our keys, whichever of the two layouts it has."""
        adapted = {}
        for key, value in state.items():
            layer, _, kind = key.rpartition(".")
            adapted[f"{_OTHER_LAYOUT.get(layer, layer)}.{kind}"] = value
        return adapted
