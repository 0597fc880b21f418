"""CARN and CARN-M: Fast, Accurate, and Lightweight Super-Resolution with Cascading Residual Network (Ahn et al., 2018).

What is notable about them:
- cascading: what every unit gives is kept and joined by 1x1 convolutions, within each block and between blocks;
- one network for x2, x3 and x4: only the upsampler differs, and the published files hold all three, so that they are
  counted in the parameters at every scale;
- CARN-M ("mobile") has convolutions in 4 groups and shares one residual unit among the three places of a block;
- the upsampler's ReLU stands before the pixel shuffle; a frozen 1x1 convolution takes the mean colour away.

A network built for one scale trains that scale's upsampler; the other two are there for their weights, and frozen.
"""

from collections import OrderedDict
from collections.abc import Iterable

import torch
from torch import nn

from safmn_bench.models.peers.layers import MeanShift, shuffle_tail

_C = 64  # channels
_MOBILE_GROUPS = 4
_STAGES = (1, 2, 3)  # the published keys, b1 to c3, count from 1


class Body(nn.Module):
    """Layers under the key `body`."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.body = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


class ResidualUnit(Body):
    """ReLU(x + layers(x)), (B, 64, H, W) to the same."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.body(x) + x)


def residual_unit(groups: int) -> ResidualUnit:
    """Two 3x3 convolutions; with groups, a 1x1 convolution joins the groups again."""
    layers: list[nn.Module] = [
        nn.Conv2d(_C, _C, 3, padding=1, groups=groups),
        nn.ReLU(),
        nn.Conv2d(_C, _C, 3, padding=1, groups=groups),
    ]
    if groups > 1:
        layers += [nn.ReLU(), nn.Conv2d(_C, _C, 1)]
    return ResidualUnit(*layers)


def joiner(inputs: int) -> Body:
    """1x1 convolution and ReLU from `inputs` x 64 channels to 64."""
    return Body(nn.Conv2d(_C * inputs, _C, 1), nn.ReLU())


def cascade(x: torch.Tensor, units: Iterable[nn.Module], joiners: Iterable[nn.Module]) -> torch.Tensor:
    """Each unit's output is added to the stack of all before it, and the stack joined; (B, 64, H, W) to the same."""
    stack = joined = x
    for unit, join in zip(units, joiners, strict=True):
        stack = torch.cat([stack, unit(joined)], dim=1)  # 128, 192, 256 channels
        joined = join(stack)
    return joined


class Block(nn.Module):
    """A cascade of residual units: b1, b2, b3, or in CARN-M b1 three times."""

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.shared = groups > 1
        for i in _STAGES[:1] if self.shared else _STAGES:
            self.add_module(f"b{i}", residual_unit(groups))
        for i in _STAGES:
            self.add_module(f"c{i}", joiner(i + 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        units = [self.get_submodule("b1" if self.shared else f"b{i}") for i in _STAGES]
        return cascade(x, units, [self.get_submodule(f"c{i}") for i in _STAGES])


class CARN(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W); `mobile` makes it CARN-M."""

    def __init__(self, *, scale: int, mobile: bool = False) -> None:
        super().__init__()
        self.scale = scale
        groups = _MOBILE_GROUPS if mobile else 1
        self.sub_mean = nn.Sequential(OrderedDict(shifter=MeanShift(-1)))
        self.add_mean = nn.Sequential(OrderedDict(shifter=MeanShift(+1)))
        self.entry = nn.Conv2d(3, _C, 3, padding=1)
        for i in _STAGES:
            self.add_module(f"b{i}", Block(groups))
        for i in _STAGES:
            self.add_module(f"c{i}", joiner(i + 1))
        self.upsample = nn.ModuleDict({f"up{s}": self._upsampler(s, groups) for s in (2, 3, 4)})
        self.exit = nn.Conv2d(_C, 3, 3, padding=1)

    def _upsampler(self, scale: int, groups: int) -> Body:
        """The upsampler of one scale, frozen unless it is this network's."""
        layers = shuffle_tail(
            scale, _C, lambda outputs: nn.Conv2d(_C, outputs, 3, padding=1, groups=groups), before=(nn.ReLU,)
        )
        return Body(*layers).requires_grad_(scale == self.scale)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        x = self.entry(self.sub_mean(rgb))  # (B, 64, H, W)
        blocks = [self.get_submodule(f"b{i}") for i in _STAGES]
        x = cascade(x, blocks, [self.get_submodule(f"c{i}") for i in _STAGES])
        x = self.upsample[f"up{self.scale}"](x)  # (B, 64, scale H, scale W)
        return self.add_mean(self.exit(x))
