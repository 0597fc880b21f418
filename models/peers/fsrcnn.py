"""FSRCNN: Accelerating the Super-Resolution Convolutional Neural Network (Dong et al., ECCV 2016), d=56, s=12, m=4.

What is notable about it:
- an hourglass at LR size: 56 channels shrink to 12 for four 3x3 convolutions and expand again;
- the last layer, a 9x9 transposed convolution, is the only one that depends on the scale;
- PReLU throughout, a slope per channel;
- the literature counts that last layer at its output positions and leaves out biases and slopes; fvcore counts it at
  its input positions, so that the published FLOPs (6, 5, 5 G) are two to seven times what is measured here.
"""

import torch
from torch import nn

from safmn_bench.models.peers.layers import normal, normal_by_outputs
from safmn_bench.models.peers.luma import LumaNetwork

_D, _S, _M = 56, 12, 4  # channels, channels after shrinking, mapping layers


class FSRCNN(LumaNetwork):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W)."""

    def __init__(self, *, scale: int) -> None:
        super().__init__(scale)
        self.first_part = nn.Sequential(nn.Conv2d(1, _D, 5, padding=2), nn.PReLU(_D))
        middle: list[nn.Module] = [nn.Conv2d(_D, _S, 1), nn.PReLU(_S)]
        for _ in range(_M):
            middle += [nn.Conv2d(_S, _S, 3, padding=1), nn.PReLU(_S)]
        self.mid_part = nn.Sequential(*middle, nn.Conv2d(_S, _D, 1), nn.PReLU(_D))
        self.last_part = nn.ConvTranspose2d(_D, 1, 9, stride=scale, padding=4, output_padding=scale - 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                normal_by_outputs(module)
        normal(self.last_part, 1e-3)

    def enlarge_luma(self, y: torch.Tensor) -> torch.Tensor:
        """Y (B, 1, H, W) to (B, 1, scale H, scale W)."""
        return self.last_part(self.mid_part(self.first_part(y)))
