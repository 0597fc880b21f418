"""ECBSR-M16C64: Edge-oriented Convolution Block for Real-time Super Resolution on Mobile Devices (Zhang et al., 2021).

What is notable about it:
- re-parameterisation: it is trained with five parallel branches per block, three of them edge filters (Sobel, Laplace)
  with learnt strengths, and deployed as one 3x3 convolution per block, which computes the same;
- the merge is exact at the border too, because a branch's intermediate map is padded with the value that its 1x1
  convolution gives for a black pixel, its bias, and not with zero;
- the deployed form is what is counted; the training form would be 2.2 M parameters and 128 G;
- luma on the 0-255 scale, as in the authors' code; the residual is to the nearest-neighbour enlargement.

`reparameterisation.deployed` merges. A block with `fused` (models/fast.py) merges its branches anew in every pass, by
which training costs little more than the deployed form and changes by float rounding alone.
"""

import copy
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.peers.luma import LumaNetwork
from safmn_bench.models.reparameterisation import Kernel, convolution

_C = 64  # channels ("C64")
_MIDDLE = 16  # blocks between the first and the last ("M16")
_RANGE = 255.0  # the network sees 0-255
_EDGES = {
    "sbx": ((1.0, 0.0, -1.0), (2.0, 0.0, -2.0), (1.0, 0.0, -1.0)),
    "sby": ((1.0, 2.0, 1.0), (0.0, 0.0, 0.0), (-1.0, -2.0, -1.0)),
    "lpl": ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0)),
}


def _initial(inputs: int, outputs: int, side: int) -> tuple[nn.Parameter, nn.Parameter]:
    """Weight and bias as a new convolution of torch has them."""
    conv = nn.Conv2d(inputs, outputs, side)
    assert conv.bias is not None
    return nn.Parameter(conv.weight.detach()), nn.Parameter(conv.bias.detach())


def _pointwise(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """1x1 convolution, padded by one pixel of its own bias: (B, C, H, W) to (B, outputs, H + 2, W + 2)."""
    return F.pad(F.conv2d(x, weight), (1, 1, 1, 1)) + bias[:, None, None]


class ExpandingBranch(nn.Module):
    """1x1 convolution to twice the outputs, then 3x3."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.k0, self.b0 = _initial(inputs, 2 * outputs, 1)
        self.k1, self.b1 = _initial(2 * outputs, outputs, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.conv2d(_pointwise(x, self.k0, self.b0), self.k1, self.b1)

    def merged(self) -> Kernel:
        """The one 3x3 convolution that does the same."""
        weight = torch.einsum("omyx,mi->oiyx", self.k1, self.k0[:, :, 0, 0])
        return weight, torch.einsum("omyx,m->o", self.k1, self.b0) + self.b1


class EdgeBranch(nn.Module):
    """1x1 convolution, then a fixed 3x3 edge filter on every channel with a learnt strength and bias."""

    def __init__(self, inputs: int, outputs: int, edge: Sequence[Sequence[float]]) -> None:
        super().__init__()
        self.k0, self.b0 = _initial(inputs, outputs, 1)
        self.scale = nn.Parameter(1e-3 * torch.randn(outputs, 1, 1, 1))
        self.bias = nn.Parameter(1e-3 * torch.randn(outputs))
        filters = torch.tensor(edge).expand(outputs, 1, 3, 3).clone()
        self.mask = nn.Parameter(filters, requires_grad=False)  # in published files, as a frozen parameter

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = _pointwise(x, self.k0, self.b0)
        return F.conv2d(x, self.scale * self.mask, self.bias, groups=len(self.bias))

    def merged(self) -> Kernel:
        """The one 3x3 convolution that does the same."""
        filters = self.scale * self.mask  # (outputs, 1, 3, 3)
        return self.k0 * filters, filters.sum(dim=(1, 2, 3)) * self.b0 + self.bias


class ECB(nn.Module):
    """Edge-oriented convolution block: (B, inputs, H, W) to (B, outputs, H, W); PReLU unless it is the `last`."""

    def __init__(self, inputs: int, outputs: int, *, last: bool) -> None:
        super().__init__()
        self.conv3x3 = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.conv1x1_3x3 = ExpandingBranch(inputs, outputs)
        for name, edge in _EDGES.items():
            self.add_module(f"conv1x1_{name}", EdgeBranch(inputs, outputs, edge))
        self.branch_names = ("conv1x1_3x3", *(f"conv1x1_{name}" for name in _EDGES))
        self.act = nn.Identity() if last else nn.PReLU(outputs)
        self.fused = False

    def branches(self) -> list[ExpandingBranch | EdgeBranch]:
        """The branches beside the 3x3 convolution; nothing once deployed."""
        return [self.get_submodule(name) for name in self.branch_names]  # type: ignore[misc]

    def merged(self) -> Kernel:
        """All branches as one 3x3 convolution, in float32 also under autocast."""
        with torch.autocast(self.conv3x3.weight.device.type, enabled=False):
            weight, bias = self.conv3x3.weight, self.conv3x3.bias
            assert bias is not None
            for branch in self.branches():
                more_weight, more_bias = branch.merged()
                weight, bias = weight + more_weight, bias + more_bias
        return weight, bias

    def deployed(self) -> "ECB":
        """A block without branches that computes the same, with the published deployed keys."""
        block = copy.deepcopy(self)
        block.conv3x3 = convolution(self.merged())
        for name in self.branch_names:
            delattr(block, name)
        block.branch_names = ()
        return block

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fused:
            return self.act(F.conv2d(x, *self.merged(), padding=1))
        y = self.conv3x3(x)
        for branch in self.branches():
            y = y + branch(x)
        return self.act(y)


class ECBSR(LumaNetwork):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W), in the training form until it is deployed."""

    def __init__(self, *, scale: int) -> None:
        super().__init__(scale)
        channels = (1, *(_C,) * (_MIDDLE + 1), scale**2)
        blocks = [ECB(inputs, outputs, last=i == _MIDDLE + 1) for i, (inputs, outputs) in enumerate(pairwise(channels))]
        self.backbone = nn.Sequential(*blocks)

    def enlarge_luma(self, y: torch.Tensor) -> torch.Tensor:
        """Y (B, 1, H, W) to (B, 1, scale H, scale W); y is added to each of the scale^2 channels."""
        y = y * _RANGE
        return F.pixel_shuffle(self.backbone(y) + y, self.scale) / _RANGE

    def blocks(self) -> list[ECB]:
        """The blocks, first to last."""
        return list(self.backbone)  # type: ignore[arg-type]

    def adapt_state_dict(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Weights of the deployed form for the training form: the 3x3 convolutions, and branches that add nothing."""
        own = self.state_dict()
        if any("conv1x1" in key for key in state):
            return state
        idle = {key: value if key.endswith(".mask") else torch.zeros_like(value) for key, value in own.items()}
        return state | {key: value for key, value in idle.items() if "conv1x1" in key}
