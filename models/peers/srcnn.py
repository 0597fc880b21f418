"""SRCNN: Image Super-Resolution Using Deep Convolutional Networks (Dong et al., TPAMI 2016), the 9-5-5 network.

What is notable about it:
- the first network for super-resolution: three convolutions, read as patch extraction, mapping and reconstruction;
- it works at HR size, on luma that was enlarged bicubically before, and has no residual: the image passes through;
- its cost is that of the HR image, the same at every scale;
- the authors train the last layer at a tenth of the learning rate; under this suite's recipe all layers have one.
"""

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.peers.layers import normal
from safmn_bench.models.peers.luma import RefiningNetwork


class SRCNN(RefiningNetwork):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W). Weights start as N(0, 0.001^2), as in the paper."""

    def __init__(self, *, scale: int) -> None:
        super().__init__(scale)
        self.conv1 = nn.Conv2d(1, 64, 9, padding=4)
        self.conv2 = nn.Conv2d(64, 32, 5, padding=2)
        self.conv3 = nn.Conv2d(32, 1, 5, padding=2)
        for conv in (self.conv1, self.conv2, self.conv3):
            normal(conv, 1e-3)

    def refine(self, y: torch.Tensor) -> torch.Tensor:
        """Y (B, 1, H, W) to the same."""
        return self.conv3(F.relu(self.conv2(F.relu(self.conv1(y)))))
