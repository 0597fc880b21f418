"""SMSR: Exploring Sparsity in Image Super-Resolution for Efficient Inference (Wang et al., CVPR 2021).

What is notable about it:
- dynamic: a small branch marks the pixels where detail is, and each channel of a layer is either computed everywhere
  ("dense") or at the marked pixels alone ("sparse"); what an image costs depends on the image;
- both masks are learnt by Gumbel softmax, with a loss on the share that is computed; at test time they are hard;
- a sparse channel adds nothing to any channel outside the mask, also where its 3x3 neighbourhood touches the mask;
- RGB on the 0-255 scale, mean colour taken away by frozen 1x1 convolutions.

Three forms: in training mode soft masks; in evaluation mode `form` = "sparse", which gathers the marked pixels and
computes no others, or "masked", which computes all and multiplies by the masks: the same to float rounding. What is
counted is the dense bound, everything computed everywhere; profiling/complexity.py --image counts the sparse form on
an image. The 2,560 channel-mask logits are no parameters of the deployed network and are not counted as such.

The authors anneal the temperature and fade the sparsity loss in over their own schedule; this suite has one recipe for
all networks, so both are constant here.
"""

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.peers.layers import ChannelAttention, MeanShift, Part
from safmn_bench.models.peers.smsr_sparse import SparseLayers

_C = 64  # channels
_MODULES, _LAYERS = 5, 4
_RANGE = 255.0  # the network sees 0-255
_TEMPERATURE = 1.0  # of the Gumbel softmax; the authors' first value
_SPARSITY_WEIGHT = 0.1 / _RANGE  # the authors' 0.1 beside an L1 loss on the 0-255 scale


def _conv(inputs: int, outputs: int, kernel: int = 3, *, bias: bool = True) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=bias)


def soft_choice(logits: torch.Tensor, dim: int) -> torch.Tensor:
    """A random, differentiable near-choice along `dim`, of the shape of `logits`, float32."""
    return F.gumbel_softmax(logits.float(), tau=_TEMPERATURE, dim=dim)


def _kept(dense: torch.Tensor, spatial: torch.Tensor) -> torch.Tensor:
    """Where features are computed, (B, C, H, W): of dense channels, (C), all, of the others what `spatial` marks."""
    dense = dense[:, None, None]
    return dense + (1 - dense) * spatial


class MaskedBody(nn.Module):
    """Four 3x3 convolutions whose channels are dense or sparse, and a 1x1 that collects all four outputs.

    `ch_mask` (1, 64, 4, 2): logits of dense and sparse, by channel and layer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ch_mask = nn.Parameter(torch.rand(1, _C, _LAYERS, 2))
        self.body = nn.Sequential(*(_conv(_C, _C, bias=False) for _ in range(_LAYERS)))
        self.collect = _conv(_C * _LAYERS, _C, 1)

    def dense_channels(self) -> torch.Tensor:
        """Hard choice, bool (64, 4): whether a channel of a layer is computed everywhere."""
        return self.ch_mask[0, :, :, 0] > self.ch_mask[0, :, :, 1]

    def masked(self, x: torch.Tensor, spatial: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
        """All computed and multiplied: x (B, 64, H, W), `spatial` (B, 1, H, W) and `dense` (64, 4) in [0, 1]."""
        outputs = []
        for i, conv in enumerate(self.body):
            kept = _kept(dense[:, i], spatial)
            if i == 0:
                x = conv(x) * kept
            else:
                before = dense[:, i - 1, None, None]
                x = conv(x * before) * kept + conv(x * (1 - before)) * spatial
            x = torch.relu(x)
            outputs.append(x)
        return self.collect(torch.cat(outputs, dim=1))

    def everywhere(self, x: torch.Tensor, spatial: torch.Tensor, dense: torch.Tensor) -> torch.Tensor:
        """The dense bound, to be counted: as `masked`, with one convolution per layer that computes everything."""
        outputs = []
        for i, conv in enumerate(self.body):
            x = torch.relu(conv(x) * _kept(dense[:, i], spatial))
            outputs.append(x)
        return self.collect(torch.cat(outputs, dim=1))

    def sparse(self, x: torch.Tensor, spatial: torch.Tensor) -> torch.Tensor:
        """The result of `masked` with hard masks, computing only what they leave; `spatial` is bool (B, 1, H, W)."""
        layers = SparseLayers(list(self.body.parameters()), self.collect, self.dense_channels())
        return torch.stack([layers(image, mask[0]) for image, mask in zip(x, spatial, strict=True)])


class SparseMaskModule(nn.Module):
    """Masks, masked body, channel attention and a skip: (B, 64, H, W) to the same; H and W are even."""

    def __init__(self) -> None:
        super().__init__()
        quarter = _C // 4
        self.spa_mask = nn.Sequential(
            _conv(_C, quarter),
            nn.ReLU(),
            nn.AvgPool2d(2),
            _conv(quarter, quarter),
            nn.ReLU(),
            nn.ConvTranspose2d(quarter, 2, 3, stride=2, padding=1, output_padding=1),
        )
        self.body = MaskedBody()
        self.ca = ChannelAttention(_C)

    def forward(self, x: torch.Tensor, form: str) -> tuple[torch.Tensor, torch.Tensor]:
        """The features, and the share of them that was computed (a number, differentiable in training)."""
        logits = self.spa_mask(x)  # (B, 2, H, W): skipped, marked
        if self.training:
            spatial, dense = soft_choice(logits, 1)[:, 1:], soft_choice(self.body.ch_mask, 3)[0, :, :, 0]
            y = self.body.masked(x, spatial, dense)
        else:
            marked, dense = logits[:, 1:] > logits[:, :1], self.body.dense_channels().to(x.dtype)
            spatial = marked.to(x.dtype)
            if form == "sparse":
                y = self.body.sparse(x, marked)
            else:
                y = (self.body.masked if form == "masked" else self.body.everywhere)(x, spatial, dense)
        spatial, dense = spatial.float().mean(), dense.float().mean()
        return self.ca(y) + x, dense + (1 - dense) * spatial


class SMSR(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, scale H, scale W).

    After a forward pass in training, `extra_loss` is the sparsity loss to be added to the recipe's.
    """

    dynamic = True  # the cost depends on the image

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.form = "sparse"
        self.extra_loss: torch.Tensor | None = None
        self.sub_mean, self.add_mean = MeanShift(-1, _RANGE), MeanShift(+1, _RANGE)
        self.head = nn.Sequential(_conv(3, _C), nn.ReLU(), _conv(_C, _C))
        self.body = nn.ModuleList(SparseMaskModule() for _ in range(_MODULES))
        self.collect = nn.Sequential(_conv(_C * _MODULES, _C, 1), nn.ReLU(), _conv(_C, _C))
        self.tail = nn.Sequential(_conv(_C, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return self.enlarge(rgb, self.form)

    def dense_bound(self, rgb: torch.Tensor) -> torch.Tensor:
        """A pass that costs the most that an image can: everything computed everywhere. Not the network's output."""
        return self.enlarge(rgb, "dense")

    def enlarge(self, rgb: torch.Tensor, form: str) -> torch.Tensor:
        """Odd sides are made even by repeating the last row or column, which is cut off again."""
        height, width = rgb.shape[-2:]
        centred = self.sub_mean(rgb * _RANGE)
        if torch.compiler.is_exporting() or height % 2 or width % 2:  # an export is for odd sizes and for even ones
            centred = F.pad(centred, (0, width % 2, 0, height % 2), mode="replicate")
        shallow = x = self.head(centred)  # (B, 64, H, W)
        outputs, shares = [], []
        for module in self.body:
            x, share = module(x, form)
            outputs.append(x)
            shares.append(share)
        if self.training:
            self.extra_loss = _SPARSITY_WEIGHT * torch.stack(shares).mean()
        deep = self.collect(torch.cat(outputs, dim=1)) + shallow
        image = F.interpolate(centred, scale_factor=self.scale, mode="bicubic", align_corners=False)
        sr = self.add_mean(self.tail(deep) + image) / _RANGE
        return sr[..., : height * self.scale, : width * self.scale]

    def counted(self, lr_height: int, lr_width: int) -> tuple[nn.Module, tuple[int, ...]]:
        """The dense bound on the RGB image."""
        return Part(self, "dense_bound"), (1, 3, lr_height, lr_width)

    def uncounted_parameters(self) -> set[str]:
        """The channel-mask logits: the deployed network has only the choices that they make."""
        return {f"body.{i}.body.ch_mask" for i in range(_MODULES)}
