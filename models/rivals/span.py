"""SPAN: Swift Parameter-free Attention Network (Wan et al., CVPRW 2024), 28 channels, x4.

What is notable about it:
- won the NTIRE 2024 challenge on efficient super-resolution and is the baseline of the 2026 one ("SPAN-NTIRE26");
- attention without parameters: a block's output is multiplied by the sigmoid of itself, less a half;
- re-parameterised: each 3x3 convolution is trained as a 1x1 skip beside a chain of 1x1, 3x3 and 1x1 with twice the
  channels, and deployed as one. The ring of zeros is laid around the image before the first 1x1, so it carries that
  convolution's bias and the merge is exact at the border too;
- mean colour taken away and the 0-255 scale inside; at the end nothing is undone;
- of the last block, what is handed on beside its output is its first convolution after the SiLU. The authors' code
  names it before, but their SiLU works in place; without it Set5 falls to 16.25 dB.

Weights of both forms load: a published file of the deployed form fills the branches so that they compute just that.
"""

from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.peers.layers import rgb_mean
from safmn_bench.models.reparameterisation import Kernel, convolution
from safmn_bench.models.rivals.parts import conv

_C = 28  # channels
_BLOCKS = 6
_WIDER = 2  # channels inside a chain, as a multiple of those outside
_RANGE = 255.0  # the network sees 0-255 without the mean


class ChainedConv(nn.Module):
    """A 3x3 convolution as it is trained: (B, inputs, H, W) to (B, outputs, H, W).

    With `fused` (models/fast.py) it is merged anew in every pass, which costs less and changes by rounding alone.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.sk = nn.Conv2d(inputs, outputs, 1)
        self.conv = nn.Sequential(
            nn.Conv2d(inputs, _WIDER * inputs, 1),
            nn.Conv2d(_WIDER * inputs, _WIDER * outputs, 3),
            nn.Conv2d(_WIDER * outputs, outputs, 1),
        )
        self.fused = False

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.fused:
            weight, bias = self.merged()
            return F.conv2d(x, weight.to(x.dtype), bias.to(x.dtype), padding=1)
        return self.sk(x) + self.conv(F.pad(x, (1, 1, 1, 1)))

    def merged(self) -> Kernel:
        """The one 3x3 convolution that does the same, summed in float64."""
        state = {key: value.double() for key, value in self.named_parameters()}
        first, middle, last = (state[f"conv.{i}.weight"] for i in range(3))
        first, last = first[:, :, 0, 0], last[:, :, 0, 0]
        weight = torch.einsum("om,mnyx,ni->oiyx", last, middle, first)
        weight = weight + F.pad(state["sk.weight"], (1, 1, 1, 1))
        inside = middle.sum(dim=(2, 3)) @ state["conv.0.bias"] + state["conv.1.bias"]
        bias = last @ inside + state["conv.2.bias"] + state["sk.bias"]
        dtype = self.sk.weight.dtype
        return weight.to(dtype), bias.to(dtype)

    def deployed(self) -> nn.Module:
        """The merged convolution under the key of the published deployed form."""
        return nn.Sequential(OrderedDict(eval_conv=convolution(self.merged())))

    def branches_of(self, weight: torch.Tensor, bias: torch.Tensor) -> dict[str, torch.Tensor]:
        """Parameters with which the branches compute just this 3x3 convolution: it stands in the chain's middle."""
        branches = {key: torch.zeros_like(value) for key, value in self.state_dict().items()}
        outputs, inputs = weight.shape[:2]
        branches["conv.0.weight"][:, :, 0, 0].fill_diagonal_(1.0)
        branches["conv.1.weight"][:outputs, :inputs] = weight
        branches["conv.2.weight"][:, :, 0, 0].fill_diagonal_(1.0)
        branches["conv.2.bias"] = bias
        return branches


class SPAB(nn.Module):
    """Swift parameter-free attention block, (B, 28, H, W) to the same."""

    def __init__(self) -> None:
        super().__init__()
        self.c1_r, self.c2_r, self.c3_r = (ChainedConv(_C, _C) for _ in range(3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The block's output, and its first convolution after the SiLU."""
        first = F.silu(self.c1_r(x))
        last = self.c3_r(F.silu(self.c2_r(first)))
        return (last + x) * (torch.sigmoid(last) - 0.5), first


class SPAN(nn.Module):
    """RGB (B, 3, H, W) in [0, 1] to (B, 3, 4 H, 4 W), in the training form; reparameterisation.deployed merges it."""

    mean: torch.Tensor

    def __init__(self, *, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("mean", rgb_mean(), persistent=False)  # not in published files
        self.conv_1 = ChainedConv(3, _C)
        for i in range(1, _BLOCKS + 1):
            self.add_module(f"block_{i}", SPAB())
        self.conv_cat = conv(4 * _C, _C, 1)
        self.conv_2 = ChainedConv(_C, _C)
        self.upsampler = nn.Sequential(conv(_C, 3 * scale**2), nn.PixelShuffle(scale))

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        shallow = x = self.conv_1((rgb - self.mean) * _RANGE)  # (B, 28, H, W)
        outputs, first = [], x
        for i in range(1, _BLOCKS + 1):
            x, first = self.get_submodule(f"block_{i}")(x)
            outputs.append(x)
        joined = torch.cat([shallow, self.conv_2(x), outputs[0], first], dim=1)
        return self.upsampler(self.conv_cat(joined))

    def adapt_state_dict(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Published layouts for this form: the training file's merged copies are left out, a deployed file is spread.

        A deployed network takes its own keys as they are.
        """
        chains = {name: module for name, module in self.named_modules() if isinstance(module, ChainedConv)}
        if not chains:
            return state
        if any(".sk." in key for key in state):
            return {key: value for key, value in state.items() if ".eval_conv." not in key}
        spread = {key: value for key, value in state.items() if ".eval_conv." not in key}
        for name, chain in chains.items():
            weight, bias = (state.get(f"{name}.eval_conv.{kind}") for kind in ("weight", "bias"))
            inputs, outputs = chain.sk.in_channels, chain.sk.out_channels
            if weight is None or bias is None or weight.shape != (outputs, inputs, 3, 3):
                return state  # it does not fit, and whoever loads it says why
            spread |= {f"{name}.{key}": value for key, value in chain.branches_of(weight, bias).items()}
        return spread
