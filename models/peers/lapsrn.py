"""LapSRN: Deep Laplacian Pyramid Networks for Fast and Accurate Super-Resolution (Lai et al., CVPR 2017).

What is notable about it:
- progressive: each level doubles the size, so x4 has two levels and x3 does not exist;
- two branches: features predict a residual, and a learnt 4x4 transposed convolution, bilinear at first, enlarges the
  image that it is added to;
- it introduced the Charbonnier loss, on the output of each level; under this suite's recipe the last one is trained;
- this is the network that the literature counts: 3x3 transposed convolutions, no biases. 813 K are the parameters of
  x4; x2 has one level and 407 K, a slip of the paper's table.

The well-known PyTorch port has 4x4 transposed convolutions (870 K): its weights do not fit. Its file is a pickled
module besides, which is refused (see vdsr.py). The keys are that port's.
"""

import math

import torch
from torch import nn

from safmn_bench.models.peers.layers import bilinear, normal
from safmn_bench.models.peers.luma import LumaNetwork

_CHANNELS, _DEPTH, _SLOPE = 64, 10, 0.2


class FeatureLevel(nn.Module):
    """Ten convolutions and a transposed one (key `cov_block`): (B, 64, H, W) to (B, 64, 2H, 2W)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(_DEPTH):
            layers += [nn.Conv2d(_CHANNELS, _CHANNELS, 3, padding=1, bias=False), nn.LeakyReLU(_SLOPE)]
        up = nn.ConvTranspose2d(_CHANNELS, _CHANNELS, 3, stride=2, padding=1, output_padding=1, bias=False)
        self.cov_block = nn.Sequential(*layers, up, nn.LeakyReLU(_SLOPE))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.cov_block(x)


class LapSRN(LumaNetwork):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W), scale 2 or 4."""

    def __init__(self, *, scale: int) -> None:
        super().__init__(scale)
        self.levels = scale.bit_length() - 1  # doubled once for 2, twice for 4
        self.conv_input = nn.Conv2d(1, _CHANNELS, 3, padding=1, bias=False)
        for level in range(1, self.levels + 1):
            self.add_module(f"convt_F{level}", nn.Sequential(FeatureLevel()))
            self.add_module(f"convt_I{level}", nn.ConvTranspose2d(1, 1, 4, stride=2, padding=1, bias=False))
            self.add_module(f"convt_R{level}", nn.Conv2d(_CHANNELS, 1, 3, padding=1, bias=False))
        self._initialise()

    def _initialise(self) -> None:
        """N(0, 2 / (9 x 64)); the first convolution N(0, 0.001^2); image enlargement bilinear."""
        for name, module in self.named_modules():
            if name.startswith("convt_I") and isinstance(module, nn.ConvTranspose2d):
                bilinear(module)
            elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                normal(module, math.sqrt(2.0 / (9 * _CHANNELS)))
        normal(self.conv_input, 1e-3)

    def pyramid(self, y: torch.Tensor) -> list[torch.Tensor]:
        """Y (B, 1, H, W) enlarged 2, 4, ... times: the output of each level."""
        features = nn.functional.leaky_relu(self.conv_input(y), _SLOPE)
        images = []
        for level in range(1, self.levels + 1):
            features = self.get_submodule(f"convt_F{level}")(features)
            y = self.get_submodule(f"convt_I{level}")(y) + self.get_submodule(f"convt_R{level}")(features)
            images.append(y)
        return images

    def enlarge_luma(self, y: torch.Tensor) -> torch.Tensor:
        """Y (B, 1, H, W) to (B, 1, scale H, scale W)."""
        return self.pyramid(y)[-1]
