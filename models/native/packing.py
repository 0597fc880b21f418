"""The weights of a SAFMN as source/layout.h wants them: in whole registers, 3x3 filters transformed, norms affine.

All of it is computed in float64 and rounded once. The structures mirror those of layout.h, field by field.
"""

import ctypes
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from safmn_bench.models.safmn import SAFMN, SAFMNConfig

MIXERS = {"none": 0, "ccm": 1, "channel_mlp": 2}
"""The mixers that source/ knows, by their numbers there."""
_NORMS = {"none": 0, "batch": 0, "frozen_batch": 0, "layer": 1, "l2": 2}
_EPSILONS = {"layer": 1e-6, "l2": 1e-12}  # LayerNorm2d's, and that of F.normalize
_BATCH_EPSILON = 1e-5  # of BatchNorm2d and FrozenBatchNorm2d
_POOLINGS = {"max": 0, "nearest": 0, "avg": 1}  # the nearest pixel is the largest of a window of one
_ACTIVATIONS = {"none": 0, "gelu": 1, "sigmoid": 2}

State = dict[str, torch.Tensor]


class Block(ctypes.Structure):
    """Pointers to the weights of a block; null where it has no such part."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("norm1_scale", "norm1_shift", "filters", "filter_bias")),
        *((name, ctypes.c_void_p) for name in ("aggregate", "aggregate_bias", "norm2_scale", "norm2_shift")),
        *((name, ctypes.c_void_p) for name in ("spread", "spread_bias", "merge", "merge_bias")),
    ]


class Network(ctypes.Structure):
    """The whole network: options, head, tail, blocks."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("blocks", "scale", "norm")),
        ("epsilon", ctypes.c_float),
        *((name, ctypes.c_int32) for name in ("pooling", "activation", "mixer", "modulates", "has_safm")),
        *((name, ctypes.c_void_p) for name in ("head", "head_bias", "tail", "tail_bias", "block")),
    ]


@dataclass(frozen=True)
class Packed:
    """A network ready to be run; `tensors` and `blocks` are what it points to."""

    network: Network
    blocks: Any
    tensors: list[torch.Tensor]


def pack(network: SAFMN, lanes: int) -> Packed:
    """The weights as they are now, for registers of `lanes` floats."""
    config, tensors = network.config, []

    def pointer(tensor: torch.Tensor, more: int = 0) -> int:
        """Float32, rows filled up with zeros to whole registers and `more` floats."""
        tensors.append(F.pad(tensor, (0, -tensor.shape[-1] % lanes + more)).float().contiguous())
        return tensors[-1].data_ptr()

    state = {key: value.detach().cpu().double() for key, value in network.state_dict().items()}
    blocks = (Block * config.n_blocks)()
    for i, block in enumerate(blocks):
        for name, tensor in _block_weights(_below(state, f"feats.{i}."), config).items():
            setattr(block, name, pointer(tensor, lanes if name.startswith("norm") else 0))
    packed = Network(
        blocks=config.n_blocks,
        scale=network.scale,
        norm=_NORMS[config.norm],
        epsilon=_EPSILONS.get(config.norm, 0.0),
        pooling=_POOLINGS[config.pooling],
        activation=_ACTIVATIONS[config.activation],
        mixer=MIXERS[config.mixer],
        modulates=config.modulate,
        has_safm=config.use_safm,
        head=pointer(state["to_feat.weight"].permute(1, 2, 3, 0).flatten(0, 2)),
        head_bias=pointer(state["to_feat.bias"]),
        tail=pointer(winograd(state["to_img.0.weight"])),
        tail_bias=pointer(state["to_img.0.bias"]),
        block=ctypes.addressof(blocks),
    )
    return Packed(packed, blocks, tensors)


def winograd(weight: torch.Tensor) -> torch.Tensor:
    """G w G^T of F(4x4, 3x3), in float64: (outputs, inputs, 3, 3) to (36, inputs, outputs)."""
    # Lavin and Gray (arXiv:1509.09308): values at 0, 1, -1, 2, -2 and infinity
    rows = [[1 / 4, 0, 0], [-1 / 6, -1 / 6, -1 / 6], [-1 / 6, 1 / 6, -1 / 6]]
    rows += [[1 / 24, 1 / 12, 1 / 6], [1 / 24, -1 / 12, 1 / 6], [0, 0, 1]]
    g = torch.tensor(rows, dtype=torch.float64)
    return torch.einsum("ai,ocij,bj->abco", g, weight, g).flatten(0, 1)


def _below(state: State, prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}


def _block_weights(state: State, config: SAFMNConfig) -> State:
    """Name in layout.h -> weights of one block."""
    packed: State = {}
    if config.use_safm:
        packed["norm1_scale"], packed["norm1_shift"] = _affine(_below(state, "norm1."), config)
        levels = [f"safm.mfr.{level}" for level in range(config.levels)]
        packed["filters"] = torch.stack(
            [state[f"{level}.weight"].flatten(1).T for level in levels]
        )  # (levels, 9, group)
        packed["filter_bias"] = torch.stack([state[f"{level}.bias"] for level in levels])
        packed["aggregate"], packed["aggregate_bias"] = (
            (state["safm.aggr.weight"].flatten(1).T, state["safm.aggr.bias"])
            if config.aggregate
            else (torch.eye(config.dim, dtype=torch.float64), torch.zeros(config.dim, dtype=torch.float64))
        )
    if config.mixer != "none":
        packed["norm2_scale"], packed["norm2_shift"] = _affine(_below(state, "norm2."), config)
        spread = state["ccm.ccm.0.weight"]
        packed["spread"] = winograd(spread) if config.mixer == "ccm" else spread.flatten(1).T
        packed["spread_bias"] = state["ccm.ccm.0.bias"]
        packed["merge"], packed["merge_bias"] = state["ccm.ccm.2.weight"].flatten(1).T, state["ccm.ccm.2.bias"]
    return packed


def _affine(norm: State, config: SAFMNConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Scale and shift of each channel by a norm, after the pixel's own mean and factor."""
    if config.norm == "layer":
        return norm["weight"], norm["bias"]
    if config.norm in ("batch", "frozen_batch"):
        scale = norm["weight"] / torch.sqrt(norm["running_var"] + _BATCH_EPSILON)
        return scale, norm["bias"] - norm["running_mean"] * scale
    return torch.ones(config.dim, dtype=torch.float64), torch.zeros(config.dim, dtype=torch.float64)
