"""VDSR: Accurate Image Super-Resolution Using Very Deep Convolutional Networks (Kim et al., CVPR 2016).

What is notable about it:
- 20 convolutions of 3x3, deep for its time, made trainable by learning only the residual to the bicubic image;
- one network for all scales: it refines luma that was enlarged before, at HR size, at the cost of the HR image;
- no biases: that is what makes 664,704 parameters (with biases 665,921).

The published file is a whole pickled module, which runs code when it is opened: `read_weights` refuses it. Convert it
once, in an environment that you can throw away and with that network's own source beside it:

    network = torch.load("model_epoch_50.pth", weights_only=False)["model"]
    torch.save({"params": network.state_dict()}, "vdsr.pth")

The keys are the same, so vdsr.pth loads here.
"""

import torch
from torch import nn

from safmn_bench.models.peers.layers import normal_by_outputs
from safmn_bench.models.peers.luma import RefiningNetwork


class ConvReLU(nn.Module):
    """3x3 convolution (key `conv`) without bias, and a ReLU."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.conv(x))


class VDSR(RefiningNetwork):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W)."""

    def __init__(self, *, scale: int) -> None:
        super().__init__(scale)
        self.input = nn.Conv2d(1, 64, 3, padding=1, bias=False)
        self.residual_layer = nn.Sequential(*(ConvReLU(64) for _ in range(18)))
        self.output = nn.Conv2d(64, 1, 3, padding=1, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                normal_by_outputs(module)

    def refine(self, y: torch.Tensor) -> torch.Tensor:
        """Y (B, 1, H, W) to the same."""
        return self.output(self.residual_layer(torch.relu(self.input(y)))) + y
