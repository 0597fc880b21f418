"""ShuffleMixer: An Efficient ConvNet for Image Super-Resolution (Sun et al., NeurIPS 2022), the base network.

What is notable about it:
- 7x7 depthwise convolutions for space and 1x1 convolutions for channels: a ConvNet in the shape of an MLP-Mixer;
- the channel part works on one half of the channels, and a channel shuffle, inside the residual branch, mixes the
  halves: half the cost;
- LayerNorm over channels with a scale and no shift;
- the image itself, enlarged bilinearly, is added at the end; SiLU throughout. `upsapling`, so spelt, is its key.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.peers.layers import shuffle_tail

_C = 64  # channels
_BLOCKS = 5
_KERNEL = 7
_GROUPS = 8  # of the channel shuffle
_EXTRA = 16  # hidden channels of the block's last convolution, beyond _C


class ScaleNorm(nn.Module):
    """LayerNorm over the channels of (B, C, H, W), a scale and no shift, biased variance, eps 1e-5.

    Written out, so that fvcore counts nothing for it, as in the paper; with `fused` one kernel over channels-last
    memory.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.eps = 1e-5
        self.fused = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fused:
            pixels = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, None, self.eps)
            return pixels.permute(0, 3, 1, 2)
        mean = x.mean(1, keepdim=True)
        variance = (x - mean).pow(2).mean(1, keepdim=True)
        return (x - mean) / torch.sqrt(variance + self.eps) * self.weight[:, None, None]


def _norm() -> nn.Sequential:
    return nn.Sequential(OrderedDict(body=ScaleNorm(_C)))


class SplitMLP(nn.Module):
    """A 1x1 bottleneck on the first half of the channels, then the channel shuffle; (B, C, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        half = _C // 2
        self.fc = nn.Sequential(nn.Conv2d(half, _C, 1), nn.SiLU(), nn.Conv2d(_C, half, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        worked, untouched = x.chunk(2, dim=1)
        joined = torch.cat([self.fc(worked), untouched], dim=1)
        groups = joined.unflatten(1, (_GROUPS, _C // _GROUPS))  # (B, 8, C / 8, H, W)
        return groups.transpose(1, 2).flatten(1, 2)


class ShuffleLayer(nn.Module):
    """Channels, space, channels: (B, C, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = _norm(), _norm()
        self.spatial = nn.Conv2d(_C, _C, _KERNEL, padding=_KERNEL // 2, groups=_C)
        self.mlp1, self.mlp2 = SplitMLP(), SplitMLP()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.spatial(self.mlp1(self.norm1(x)) + x)
        return self.mlp2(self.norm2(x)) + x


class FeatureMixingBlock(nn.Module):
    """Two shuffle layers and a convolutional bottleneck, each with its skip; (B, C, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(ShuffleLayer(), ShuffleLayer())
        hidden = _C + _EXTRA
        self.conv = nn.Sequential(nn.Conv2d(_C, hidden, 3, padding=1), nn.SiLU(), nn.Conv2d(hidden, _C, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.net(x) + x
        return self.conv(x) + x


class ShuffleMixer(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W)."""

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.to_feat = nn.Conv2d(3, _C, 3, padding=1, bias=False)
        self.blocks = nn.Sequential(*(FeatureMixingBlock() for _ in range(_BLOCKS)))
        self.upsapling = shuffle_tail(scale, _C, lambda outputs: nn.Conv2d(_C, outputs, 1), after=(nn.SiLU,))
        self.tail = nn.Conv2d(_C, 3, 3, padding=1)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        image = F.interpolate(rgb, scale_factor=self.scale, mode="bilinear", align_corners=False)
        return self.tail(self.upsapling(self.blocks(self.to_feat(rgb)))) + image
