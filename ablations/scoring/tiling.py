"""Networks on images that do not fit in memory: overlapping tiles, of which only the inner part is kept.

Equal to the whole image, up to the rounding of float sums, where
- a kept pixel sees nothing beyond its tile: the network reaches at most `overlap` LR pixels to each side, and
- its pooling grid falls on the same pixels: tiles begin at multiples of 8, so the LR sides must be multiples of 8
  too for SAFMN, which stretches its grid to the image (sizes floor(H / 8), floor(W / 8)).
Elsewhere (other sizes, global pooling such as squeeze-and-excitation) tiles change the result slightly; where an
image was tiled, that is printed with the scores.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.models.safmn import SAFMNConfig
from safmn_bench.profiling.checking.geometry import measured_reach
from safmn_bench.profiling.common.memory import free_bytes

GRID = 8  # LR pixels; the coarsest pooling cell of SAFMN
OVERLAP = 136  # LR pixels; covers SAFMN with 8 blocks (130) and every convolutional peer
_SAFETY = 4.0  # tensors alive at once, as a multiple of the largest module's input and output
_PROBE = 32  # LR pixels on each side of the image that memory is estimated with


@dataclass(frozen=True)
class Tiling:
    """Tiles that keep `core` x `core` LR pixels each and see `overlap` more on every side; multiples of GRID."""

    core: int
    overlap: int = OVERLAP

    def __post_init__(self) -> None:
        if self.core < GRID or self.core % GRID:
            raise UserError(f"Tile size {self.core} is not a multiple of {GRID} LR pixels; choose --tile 256, say.")

    @property
    def text(self) -> str:
        """How SR was made by tiles, and where that may matter."""
        return (
            f"in tiles of {self.core} LR pixels with an overlap of {self.overlap}: equal to the whole image for "
            f"networks that reach at most {self.overlap} LR pixels (and, where they pool on a grid, for LR sides that "
            f"are multiples of {GRID}); else slightly different"
        )


_measured: WeakKeyDictionary[nn.Module, int] = WeakKeyDictionary()


def reach(network: nn.Module) -> int:
    """Overlap that the network needs, in LR pixels: SAFMN's receptive radius, OVERLAP for a peer, measured for others.

    Each SAFMN block reaches across one pooling cell and the rest of its own (2 cells - 1), and its mixer by 1 or 2.
    """
    config = getattr(network, "config", None)
    if not isinstance(config, SAFMNConfig):  # SAFMN's, and its native form's
        if type(network).__module__.startswith("safmn_bench."):
            return OVERLAP
        if network not in _measured:
            seen = measured_reach(network, OVERLAP)
            _measured[network] = OVERLAP if seen is None else -(-seen // GRID) * GRID
        return _measured[network]
    cell = 2 ** (config.levels - 1)
    mixer = 2 if config.mixer == "inverted_residual" else 1
    # a 3x3 filter over the coarsest cells: from a cell's first pixel to the next cell's last, 2 cells less one
    radius = config.n_blocks * (2 * cell - 1 + mixer) + 2  # 2: to_feat and to_img
    return -(-radius // GRID) * GRID


def tiling_for(network: nn.Module, height: int, width: int, device: torch.device, asked: int | None) -> Tiling | None:
    """How to tile an LR image: as asked, or not at all, or in the largest tiles that fit in half of the free memory."""
    if asked is not None:
        return Tiling(asked, reach(network)) if max(height, width) > asked else None
    pixels = free_bytes(device) / 2 / bytes_per_lr_pixel(network, device)
    if height * width <= pixels:
        return None
    overlap = reach(network)
    core = int(pixels**0.5) - 2 * overlap  # a tile sees its overlap on both sides, in memory too
    return Tiling(max(GRID, core // GRID * GRID), overlap)


def enlarge_in_tiles(network: nn.Module, lr: torch.Tensor, scale: int, tiling: Tiling) -> torch.Tensor:
    """LR (1, 3, h, w) to SR (1, 3, scale h, scale w), tile by tile, each through `network` alone."""
    sr = lr.new_empty(*lr.shape[:2], lr.shape[2] * scale, lr.shape[3] * scale)
    for seen_y, kept_y in _spans(lr.shape[2], tiling):
        for seen_x, kept_x in _spans(lr.shape[3], tiling):
            tile = network(lr[..., seen_y, seen_x])
            sr[..., _scaled(kept_y, scale), _scaled(kept_x, scale)] = tile[
                ..., _scaled(kept_y, scale, seen_y.start), _scaled(kept_x, scale, seen_x.start)
            ]
    return sr


def _spans(length: int, tiling: Tiling) -> Iterator[tuple[slice, slice]]:
    """(what a tile sees, what is kept of it), along one side."""
    for start in range(0, length, tiling.core):
        stop = min(length, start + tiling.core)
        yield slice(max(0, start - tiling.overlap), min(length, stop + tiling.overlap)), slice(start, stop)


def _scaled(span: slice, scale: int, origin: int = 0) -> slice:
    return slice((span.start - origin) * scale, (span.stop - origin) * scale)


@torch.inference_mode()
def bytes_per_lr_pixel(network: nn.Module, device: torch.device) -> float:
    """A cautious estimate of the memory that a forward pass needs per LR pixel, from a small probe image."""
    largest = 0

    def measure(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal largest
        tensors = [t for t in (*inputs, output) if isinstance(t, torch.Tensor)]
        largest = max(largest, sum(t.nbytes for t in tensors))

    hooks = [m.register_forward_hook(measure) for m in network.modules() if not any(m.children())]
    network(torch.zeros(1, 3, _PROBE, _PROBE, device=device))
    for hook in hooks:
        hook.remove()
    return _SAFETY * max(1, largest) / _PROBE**2
