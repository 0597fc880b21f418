"""The fast form of a network: the same weights and the same results to float rounding, in less time.

`optimise` exchanges the classes of blocks that have a faster form (`FAST_FORMS`), sets `fused` on those of the other
networks that know one, and lays the weights out channels-last; parameters, state-dict keys and values stay, and
training works as before. What is exact about it:

- LayerNorm is one kernel, since a pixel's channels are neighbours in memory;
- as far as height and width can be halved, a level's pooling starts from the level above (a maximum of maxima is the
  maximum), on slices, without adaptive kernels and copies of the split channels;
- the 1x1 convolution commutes with nearest-neighbour upsampling, so each level is joined at its own, smaller size
  and the sums are passed up; nothing is upsampled channel by channel, and nothing concatenated;
- product and residual of a block are one kernel.

180 rows, the paper's size, can be halved twice: there the last level is pooled from the full size, as written.
`torch.compile` on top fuses what is left between convolutions.
"""

from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.blocks import LayerNorm2d, nearest_pool
from safmn_bench.models.safmn import FMM, SAFM

Network = TypeVar("Network", bound=nn.Module)


def optimise(network: Network, *, training: bool = False) -> Network:
    """Give a network's blocks their fast forms and its weights channels-last memory, in place; returns it.

    `training`: only forms whose backward pass is faster as well. Measured on two CPU threads at LR patch 32, batch 8:
    LayerNorm alone makes the training step 1.57 x as fast as the plain one, all forms together 1.04 x.
    """
    forms = TRAINING_FORMS if training else FAST_FORMS
    for module in network.modules():
        if (fast := forms.get(type(module))) is not None:
            module.__class__ = fast  # a subclass with the same state: copies and state dicts are unaffected
        if hasattr(module, "fused"):
            module.fused = True  # type: ignore[assignment]
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def has_fast_form(network: nn.Module) -> bool:
    """Whether it is a network of this suite, and some part of it has a fast form; an activation alone is no reason.

    Others' code may take their memory's order for granted (`view`), and nobody has measured them.
    """
    known = {kind for kind in FAST_FORMS if kind is not nn.GELU}
    parts = network.modules() if type(network).__module__.startswith("safmn_bench.") else ()
    return any(type(module) in known or hasattr(module, "fused") for module in parts)


class FastLayerNorm2d(LayerNorm2d):
    """LayerNorm2d as one kernel over channels-last memory."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pixels = F.layer_norm(x.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, self.eps)
        return pixels.permute(0, 3, 1, 2)


class FastGELU(nn.GELU):
    """GELU over (B, H, W, C): on a CPU, oneDNN's kernel takes contiguous memory only, and torch's own is 2 x slower.

    By itself it takes 0.65 to 0.98 of plain GELU's time on contiguous memory, and 0.48 to 0.67 on channels-last (36 and
    72 channels of 180x320, one thread of an Intel Xeon, either allocator). Profiles that show it at up to 1.6 times the
    plain network's GELU count pages, not arithmetic: with glibc's default the output of either is memory that may be
    mapped anew, and whoever touches it first pays. Behind its convolution (72 channels, one thread) GELU takes 2.8 ms
    here and 2.7 in the plain form where freed memory is kept; with glibc's default 8.1 here, 2.9 into memory that was
    touched before, while in the plain form the convolution pays (40.8 instead of 27.7 ms).
    """

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if input.dim() != 4:
            return super().forward(input)
        return F.gelu(input.permute(0, 2, 3, 1), approximate=self.approximate).permute(0, 3, 1, 2)


class FastSAFM(SAFM):
    """SAFM whose levels nest as far as the size divides; further levels are pooled from the full size."""

    def forward(self, x: torch.Tensor, residual: torch.Tensor | None = None) -> torch.Tensor:
        """Eq. 3, plus `residual`, in one kernel."""
        if residual is None:
            return super().forward(x)
        attention = self.act(self.aggregated(x))
        return torch.addcmul(residual, attention, x) if self.modulate else attention + residual

    def aggregated(self, x: torch.Tensor) -> torch.Tensor:
        """Eq. 1 and 2 with each level joined at its own size, (B, C, H, W)."""
        if not isinstance(self.aggr, nn.Conv2d):
            return super().aggregated(x)
        joined = self._joined(x, self.aggr)
        nested = self._nested(x)
        coarse = joined[nested]
        for fine in joined[nested - 1 :: -1] if nested else ():
            coarse = _add_upsampled(fine, coarse)
        for level in joined[nested + 1 :]:
            coarse = coarse + F.interpolate(level, size=x.shape[-2:], mode="nearest")
        return coarse

    def _nested(self, x: torch.Tensor) -> int:
        """How often height and width can be halved, up to the last level."""
        height, width = x.shape[-2:]
        nested = 0
        while nested < self.levels - 1 and not (height % 2 ** (nested + 1) or width % 2 ** (nested + 1)):
            nested += 1
        return nested

    def _joined(self, x: torch.Tensor, aggr: nn.Conv2d) -> list[torch.Tensor]:
        """Each level pooled, filtered and through its part of the 1x1 convolution, at its own size."""
        group, nested = x.shape[1] // self.levels, self._nested(x)
        weights, joined, pooled = aggr.weight.chunk(self.levels, dim=1), [], x
        for level, (filtering, weight) in enumerate(zip(self.mfr, weights, strict=True)):
            if 0 < level <= nested:
                pooled = self._halved(pooled[:, group:])  # without the channels of the level before, which end there
            elif level:
                height, width = (max(1, side // 2**level) for side in x.shape[-2:])
                pooled = self.pool(x[:, level * group :], (height, width))
            filtered = filtering(pooled[:, :group])
            # the bias with one level only: the levels are summed
            joined.append(F.conv2d(filtered, weight, None if level else aggr.bias))
        return joined

    def _halved(self, x: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W), both sides even, pooled to half of each."""
        if self.pool is nearest_pool:
            return x[:, :, ::2, ::2]
        even, odd = x[:, :, ::2], x[:, :, 1::2]
        if self.pool is F.adaptive_max_pool2d:
            rows = torch.maximum(even, odd)
            return torch.maximum(rows[..., ::2], rows[..., 1::2])
        rows = even + odd
        return (rows[..., ::2] + rows[..., 1::2]) / 4


class FastFMM(FMM):
    """FMM whose first residual is taken along in the product of SAFM."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.has_safm:
            x = self.safm(self.norm1(x), x)
        if self.has_ccm:
            x = self.ccm(self.norm2(x)) + x
        return x


FAST_FORMS: dict[type[nn.Module], type[nn.Module]] = {
    LayerNorm2d: FastLayerNorm2d,
    nn.GELU: FastGELU,
    SAFM: FastSAFM,
    FMM: FastFMM,
}
TRAINING_FORMS: dict[type[nn.Module], type[nn.Module]] = {LayerNorm2d: FastLayerNorm2d}


def _add_upsampled(fine: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
    """Fine (B, C, 2h, 2w) plus coarse (B, C, h, w) upsampled by nearest neighbour, by broadcasting."""
    cells = fine.unflatten(3, (-1, 2)).unflatten(2, (-1, 2))  # (B, C, h, 2, w, 2), a view
    return (cells + coarse[:, :, :, None, :, None]).flatten(4, 5).flatten(2, 3)
