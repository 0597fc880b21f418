"""SAFMN: Spatially-Adaptive Feature Modulation for Efficient Image Super-Resolution (Sun et al., ICCV 2023).

What is notable about it:
- attention without attention: a GELU of pooled, filtered and rejoined features multiplies the features (Eq. 3);
- four groups of channels see four scales of the image, at 1, 1/2, 1/4, 1/8 of its size (Eq. 1);
- the local, channel-mixing part is a plain 3x3 convolution, where most of the arithmetic is (Section 3.2);
- LayerNorm before each of the two: the product makes training unstable without it (Figure 7);
- upsampling is one 3x3 convolution and a pixel shuffle; the residual is over features, not over the image.

Equations are those of the paper; the state-dict keys are those of the published weights.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.blocks import ACTIVATIONS, MIXERS, NORMS, POOLINGS
from safmn_bench.models.errors import UserError, match_name


@dataclass(frozen=True, kw_only=True)
class SAFMNConfig:
    """The whole network but its scale; the defaults are the paper's SAFMN."""

    dim: int = 36
    """Feature channels, a multiple of `levels`."""
    n_blocks: int = 8
    """Feature mixing modules (Table 4 tries 4, 6, 12)."""
    levels: int = 4
    """Scales of the feature pyramid; 1 is a single full-size depthwise convolution ("w/o MR")."""
    expansion: float = 2.0
    """Hidden channels of the mixer, as a multiple of `dim`."""
    norm: str = "layer"
    """A key of blocks.NORMS."""
    modulate: bool = True
    """Whether the attention map multiplies X (Eq. 3); False returns the map itself ("w/o FM")."""
    aggregate: bool = True
    """Whether a 1x1 convolution joins the levels (Eq. 2); False leaves it out ("w/o FA")."""
    pooling: str = "max"
    """A key of blocks.POOLINGS."""
    activation: str = "gelu"
    """phi of Eq. 3, a key of blocks.ACTIVATIONS."""
    use_safm: bool = True
    """False drops the SAFM with its norm and its skip ("SAFM -> None")."""
    mixer: str = "ccm"
    """A key of blocks.MIXERS, or "none", which drops the CCM with its norm and its skip."""

    def __post_init__(self) -> None:
        for field, most in (("dim", 4096), ("n_blocks", 1024), ("levels", 16)):
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                raise UserError(f"model.{field}={value!r} is not a whole number from 1 to {most}.")
        for field in ("modulate", "aggregate", "use_safm"):
            if not isinstance(getattr(self, field), bool):
                raise UserError(f"model.{field}={getattr(self, field)!r} is not true or false.")
        if self.dim % self.levels:
            nearest = self.levels * max(1, round(self.dim / self.levels))
            raise UserError(
                f"model.dim={self.dim} does not divide into model.levels={self.levels} groups; choose a multiple "
                f"of {self.levels}, such as {nearest}."
            )
        if not isinstance(self.expansion, int | float) or not 1 <= self.dim * self.expansion <= 2**16:
            raise UserError(
                f"model.expansion={self.expansion!r} is not a number that leaves 1 to 65536 hidden channels."
            )
        tables = {"norm": NORMS, "pooling": POOLINGS, "activation": ACTIVATIONS, "mixer": [*MIXERS, "none"]}
        for field, known in tables.items():
            name = match_name(f"model.{field}", str(getattr(self, field)), known, "New ones go into models/blocks.py.")
            object.__setattr__(self, field, name)  # the table's own spelling

    def changed(self, changes: dict[str, Any]) -> "SAFMNConfig":
        """A copy with `changes`, field -> value. Raises UserError for an unknown field or an unusable value."""
        known = asdict(self)
        return replace(self, **{match_name("model field", field, known): value for field, value in changes.items()})


class SAFM(nn.Module):
    """Spatially-adaptive feature modulation, Eq. 1 to 3 (Figure 4).

    x (B, C, H, W) is split into `levels` groups of C / levels channels. Group i is pooled to
    (floor(H / 2^i), floor(W / 2^i)), at least 1, filtered by a 3x3 depthwise convolution and returned to (H, W) by
    nearest neighbour. A 1x1 convolution joins the groups; phi of it multiplies x. Returns (B, C, H, W).
    """

    def __init__(self, config: SAFMNConfig) -> None:
        super().__init__()
        self.levels = config.levels
        self.modulate = config.modulate
        self.pool = POOLINGS[config.pooling]
        group = config.dim // config.levels
        self.mfr = nn.ModuleList(nn.Conv2d(group, group, 3, 1, 1, groups=group) for _ in range(config.levels))
        self.aggr = nn.Conv2d(config.dim, config.dim, 1) if config.aggregate else nn.Identity()
        self.act = ACTIVATIONS[config.activation]()
        self.size_multiple = 2 ** (config.levels - 1)  # at multiples of it all pooling windows stand side by side

    def pyramid(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Eq. 1: the features of each level, all (B, C / levels, H, W) (Figure 5 b-e)."""
        height, width = x.shape[-2:]
        first, *others = x.chunk(self.levels, dim=1)
        features = [self.mfr[0](first)]
        for i, group in enumerate(others, start=1):
            pooled = self.pool(group, (max(1, height // 2**i), max(1, width // 2**i)))
            features.append(F.interpolate(self.mfr[i](pooled), size=(height, width), mode="nearest"))
        return features

    def aggregated(self, x: torch.Tensor) -> torch.Tensor:
        """Eq. 2: the levels joined, (B, C, H, W) (Figure 5 f)."""
        return self.aggr(torch.cat(self.pyramid(x), dim=1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        attention = self.act(self.aggregated(x))  # Eq. 3
        return attention * x if self.modulate else attention


class CCM(nn.Module):
    """Convolutional channel mixer (Section 3.2): local context and channel mixing, (B, C, H, W) to the same."""

    def __init__(self, config: SAFMNConfig) -> None:
        super().__init__()
        self.ccm = MIXERS[config.mixer](config.dim, int(config.dim * config.expansion))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.ccm(x)


class FMM(nn.Module):
    """Feature mixing module, Eq. 4: Y = SAFM(norm(X)) + X, Z = CCM(norm(Y)) + Y; a part left out has no norm either."""

    def __init__(self, config: SAFMNConfig) -> None:
        super().__init__()
        self.has_safm = config.use_safm
        self.has_ccm = config.mixer != "none"
        if self.has_safm:
            self.norm1 = NORMS[config.norm](config.dim)
            self.safm = SAFM(config)
        if self.has_ccm:
            self.norm2 = NORMS[config.norm](config.dim)
            self.ccm = CCM(config)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.has_safm:
            x = self.safm(self.norm1(x)) + x
        if self.has_ccm:
            x = self.ccm(self.norm2(x)) + x
        return x


class SAFMN(nn.Module):
    """The network (Figure 3): RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W), any H and W from 1 up."""

    def __init__(self, config: SAFMNConfig, *, scale: int) -> None:
        super().__init__()
        self.config = config
        self.scale = scale
        self.to_feat = nn.Conv2d(3, config.dim, 3, 1, 1)
        self.feats = nn.Sequential(*(FMM(config) for _ in range(config.n_blocks)))
        self.to_img = nn.Sequential(nn.Conv2d(config.dim, 3 * scale**2, 3, 1, 1), nn.PixelShuffle(scale))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        shallow = self.to_feat(x)  # F_0, (B, C, H, W)
        return self.to_img(self.feats(shallow) + shallow)
