"""LAPAR-A: Linearly-Assembled Pixel-Adaptive Regression Network (Li et al., NeurIPS 2020).

What is notable about it:
- it predicts no pixels: for every HR pixel it predicts 72 coefficients, which combine 72 fixed 5x5 filters of the
  bicubic image; the same coefficients serve R, G and B;
- the filters are Gaussians and differences of Gaussians, a buffer and no parameters, and all sum to 1;
- weight normalisation on every convolution; a single pixel shuffle also at x4;
- the filtered images are the memory peak of Table 2: 72 x 3 planes of HR size.

The 51 Gaussian atoms are computed. The rule behind the other 21, which are negative at their centre, is not
published: a checkpoint brings them. Without one, `difference_atoms` makes 21 of that kind by a rule of this suite,
and `caveats()` says so.
"""

import math
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.peers.layers import rgb_mean

_C = 32  # channels
_BLOCKS, _UNITS = 4, 4
_SIDE = 5  # pixels of an atom
_SHAPES = ((0.8, 6), (0.6, 6), (0.4, 6))  # (short / long sigma, number of angles)
_NEW_STYLE = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}


def gaussian(long_sigma: float, ratio: float = 1.0, angle: float = 0.0) -> torch.Tensor:
    """A Gaussian (5, 5), float64, of sum 1: sigma (px) along `angle` (radians), and `ratio` times that across it."""
    offset = torch.arange(_SIDE, dtype=torch.float64) - _SIDE // 2
    y, x = torch.meshgrid(offset, offset, indexing="ij")
    along = (x * math.cos(angle) + y * math.sin(angle)) / long_sigma
    across = (y * math.cos(angle) - x * math.sin(angle)) / (long_sigma * ratio)
    values = torch.exp(-0.5 * (along**2 + across**2))
    return values / values.sum()


def _turned(long_sigma: float, ratio: float, angles: int) -> Iterator[torch.Tensor]:
    """One Gaussian per angle, over half a turn."""
    for i in range(angles):
        yield gaussian(long_sigma, ratio, math.pi * i / angles)


def gaussian_atoms() -> torch.Tensor:
    """Atoms 0 to 50, (51, 5, 5), float64."""
    atoms: list[torch.Tensor] = []
    for long_sigma, shapes in ((2.0, (*_SHAPES, (0.2, 12))), (1.2, _SHAPES)):
        atoms.append(gaussian(long_sigma))
        for ratio, angles in shapes:
            atoms += _turned(long_sigma, ratio, angles)
    return torch.stack([*atoms, gaussian(0.4)])


def difference_atoms() -> torch.Tensor:
    """Atoms 51 to 71 by a rule of this suite, (21, 5, 5), float64: (1 + a) wide - a narrow, each summing to 1.

    Wide is the Gaussian of sigma 2.0, or that of ratio 0.6 at six angles; narrow is that of sigma 0.4; a is 0.5, 1, 2.
    """
    narrow = gaussian(0.4)
    wide = [gaussian(2.0), *_turned(2.0, 0.6, 6)]
    return torch.stack([(1 + a) * blur - a * narrow for a in (0.5, 1.0, 2.0) for blur in wide])


class WeightNormConv(nn.Module):
    """A "same" convolution whose weight is g v / |v|, the norm over all but the output channel (Salimans 2016)."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        plain = nn.Conv2d(inputs, outputs, kernel)  # for torch's initial values
        assert plain.bias is not None
        self.padding = kernel // 2
        self.bias = nn.Parameter(plain.bias.detach())
        self.weight_g = nn.Parameter(self._norm(plain.weight.detach()))  # (outputs, 1, 1, 1)
        self.weight_v = nn.Parameter(plain.weight.detach())

    @staticmethod
    def _norm(weight: torch.Tensor) -> torch.Tensor:
        return weight.pow(2).sum(dim=(1, 2, 3), keepdim=True).sqrt()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = self.weight_v * (self.weight_g / self._norm(self.weight_v))
        return F.conv2d(x, weight, self.bias, padding=self.padding)


class Scale(nn.Module):
    """x times a learnt number."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([value]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale


class Unit(nn.Module):
    """Two convolutions and a skip, each with a learnt weight; (B, 32, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(WeightNormConv(_C, _C), nn.ReLU(), WeightNormConv(_C, _C))
        self.res_scale, self.x_scale = Scale(1.0), Scale(1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.res_scale(self.body(x)) + self.x_scale(x)


class FusionBlock(nn.Module):
    """Local fusion block: four units in series, all joined; (B, 32, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        for i in range(_UNITS):
            self.add_module(f"b{i}", Unit())
        self.reduction = WeightNormConv(_C * _UNITS, _C)
        self.res_scale, self.x_scale = Scale(1.0), Scale(1.0)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        outputs, current = [], x
        for i in range(_UNITS):
            current = self.get_submodule(f"b{i}")(current)
            outputs.append(current)
        return self.res_scale(self.reduction(torch.cat(outputs, dim=1))) + self.x_scale(x)


class CoefficientTail(nn.Module):
    """A 3x3 and a 5x5 convolution summed, then two more: (B, 32, H, W) to 72 coefficients per pixel."""

    def __init__(self, atoms: int) -> None:
        super().__init__()
        self.tail_k3, self.tail_k5 = WeightNormConv(_C, _C, 3), WeightNormConv(_C, _C, 5)
        self.scale_k3, self.scale_k5 = Scale(0.5), Scale(0.5)
        self.fuse, self.w_conv = WeightNormConv(_C, _C), WeightNormConv(_C, atoms)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.scale_k3(self.tail_k3(x)) + self.scale_k5(self.tail_k5(x))
        return self.w_conv(torch.relu(self.fuse(x)))


class WeightNet(nn.Module):
    """RGB (B, 3, H, W) to the coefficients (B, 72, scale H, scale W)."""

    rgb_mean: torch.Tensor

    def __init__(self, scale: int, atoms: int) -> None:
        super().__init__()
        self.register_buffer("rgb_mean", rgb_mean())
        self.head = nn.Sequential(WeightNormConv(3, _C), nn.ReLU())
        self.body = nn.Sequential(*(FusionBlock() for _ in range(_BLOCKS)))
        self.up = nn.Sequential(WeightNormConv(_C, _C * scale**2), nn.ReLU(), nn.PixelShuffle(scale))
        self.tail = CoefficientTail(atoms)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return self.tail(self.up(self.body(self.head(rgb - self.rgb_mean))))


class Dictionary(nn.Module):
    """The fixed filters: planes (B, 1, H, W), padded by 2, to (B, 72, H, W)."""

    weight: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        atoms = torch.cat([gaussian_atoms(), difference_atoms()])
        self.register_buffer("weight", atoms.float().unsqueeze(1))  # (72, 1, 5, 5)

    def forward(self, planes: torch.Tensor) -> torch.Tensor:
        return F.conv2d(planes, self.weight)


class LAPAR(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W). H and W of the HR image are at least 3."""

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.decom_conv = Dictionary()
        self.w_conv = WeightNet(scale, len(self.decom_conv.weight))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        image = F.interpolate(rgb, scale_factor=self.scale, mode="bicubic", align_corners=False)
        planes = F.pad(image, (_SIDE // 2,) * 4, mode="reflect").flatten(0, 1).unsqueeze(1)  # (3B, 1, H + 4, W + 4)
        filtered = self.decom_conv(planes).unflatten(0, (-1, 3))  # (B, 3, 72, H, W)
        return (filtered * self.w_conv(rgb).unsqueeze(1)).sum(dim=2)

    def caveats(self) -> list[str]:
        """A caveat before trusting a score: empty once a checkpoint has brought its own atoms."""
        own = difference_atoms().float().unsqueeze(1).to(self.decom_conv.weight.device)
        if not torch.equal(self.decom_conv.weight[-len(own) :], own):
            return []
        return [
            "LAPAR-A: 21 of the dictionary's 72 atoms come with a published checkpoint and none is loaded; they are "
            "differences of Gaussians by this suite's own rule (models/peers/lapar.py, difference_atoms)."
        ]

    def adapt_state_dict(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The state under the keys of classic weight normalisation, whichever of torch's two styles wrote it."""
        adapted = {}
        for key, value in state.items():
            for new, classic in _NEW_STYLE.items():
                key = key.replace(new, classic)
            adapted[key] = value
        return adapted
