"""SMFANet and SMFANet+: A Lightweight Self-Modulation Feature Aggregation Network (Zheng et al., ECCV 2024).

What is notable about it:
- by authors of SAFMN, and its successor: the pyramid is down to one level at an eighth of the size, and beside it
  stands the variance of the whole image per channel, with learnt weights alpha and belt (so spelt);
- what is not local is estimated at that small size and multiplies the features at full size; what is local has a
  branch of its own, and the two are summed;
- the norm is a division by the channels' L2 norm, without parameters; at float16 its guard, 1e-12, is zero;
- the mixer convolves a quarter of the hidden channels and passes the others on (the partial convolution of FasterNet).

Not local: variance and pooling see the whole image, so tiles change the result. The paper's FLOPs at x4 (11 and 28 G)
are those of the same network with `linear_1` after the enlargement, at full size (10.974 and 27.783 G).
"""

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.blocks import L2Norm2d
from safmn_bench.models.rivals.parts import POOLED, conv, pooled_size, require_sides


def variance_of_channels(x: torch.Tensor) -> torch.Tensor:
    """Variance over the pixels of (B, C, H, W), by N - 1, (B, C, 1, 1); written out, since ncnn has no `var`."""
    pixels = x.shape[-2] * x.shape[-1]
    centred = x - x.mean(dim=(-2, -1), keepdim=True)
    return (centred * centred).mean(dim=(-2, -1), keepdim=True) * (pixels / (pixels - 1))


class LocalDetail(nn.Module):
    """3x3 depthwise to twice the channels and a 1x1, GELU, 1x1 back; (B, C, H, W) to the same."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.conv_0 = nn.Sequential(conv(dim, 2 * dim, groups=dim), conv(2 * dim, 2 * dim, 1))
        self.conv_1 = conv(2 * dim, dim, 1)
        self.act = nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv_1(self.act(self.conv_0(x)))


class SMFA(nn.Module):
    """Self-modulation feature aggregation: (B, C, H, W) to the same, H and W from 8 up."""

    size_multiple = POOLED
    """At multiples of it the pooling's windows stand side by side."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.pool = F.adaptive_max_pool2d
        self.linear_0 = conv(dim, 2 * dim, 1)
        self.linear_1 = conv(dim, dim, 1)
        self.linear_2 = conv(dim, dim, 1)
        self.lde = LocalDetail(dim)
        self.dw_conv = conv(dim, dim, groups=dim)
        self.alpha = nn.Parameter(torch.ones(1, dim, 1, 1))
        self.belt = nn.Parameter(torch.zeros(1, dim, 1, 1))
        self.act = nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        local, far = self.linear_0(x).chunk(2, dim=1)
        pooled = self.dw_conv(self.pool(far, pooled_size(far)))
        variance = variance_of_channels(far)
        gate = self.act(self.linear_1(self.alpha * pooled + self.belt * variance))
        gate = F.interpolate(gate, size=far.shape[-2:], mode="nearest")
        return self.linear_2(far * gate + self.lde(local))


class PCFN(nn.Module):
    """Partial-convolution feed-forward network: (B, C, H, W) to the same.

    The convolved quarter is joined with the rest in training and evaluation alike. The authors overwrite it in place in
    evaluation: the same values, but then nothing can be attributed to the input by a gradient.
    """

    def __init__(self, dim: int) -> None:
        super().__init__()
        hidden, self.convolved = 2 * dim, dim // 2
        self.conv_0 = conv(dim, hidden, 1)
        self.conv_1 = conv(self.convolved, self.convolved)
        self.conv_2 = conv(hidden, dim, 1)
        self.act = nn.GELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.act(self.conv_0(x))
        first, rest = x[:, : self.convolved], x[:, self.convolved :]
        return self.conv_2(torch.cat([self.act(self.conv_1(first)), rest], dim=1))


class FMB(nn.Module):
    """Feature modulation block, both halves with norm and skip; (B, C, H, W) to the same."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.norm = L2Norm2d(dim)
        self.smfa = SMFA(dim)
        self.pcfn = PCFN(dim)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.smfa(self.norm(x)) + x
        return self.pcfn(self.norm(x)) + x


class SMFANet(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W), H and W from 8 up; SMFANet+ has dim 48 and 12 blocks."""

    least_side = POOLED

    def __init__(self, *, scale: int, dim: int = 36, n_blocks: int = 8) -> None:
        super().__init__()
        self.scale = scale
        self.to_feat = conv(3, dim)
        self.feats = nn.Sequential(*(FMB(dim) for _ in range(n_blocks)))
        self.to_img = nn.Sequential(conv(dim, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        require_sides(rgb, self.least_side, "SMFANet")
        shallow = self.to_feat(rgb)  # (B, dim, H, W)
        return self.to_img(self.feats(shallow) + shallow)
