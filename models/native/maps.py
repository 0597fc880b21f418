"""Where the levels of the pyramid find their pixels: the windows of the poolings, and the way back up.

Nearest-neighbour maps come from torch itself, so that they are its own at every size: it rounds in float32, and a
formula of ours could fall on the other side.
"""

import ctypes

import torch
import torch.nn.functional as F

from safmn_bench.models.keeping import kept


class Level(ctypes.Structure):
    """A level at a size of the image; pointers to int32 arrays."""

    _fields_ = [
        *((name, ctypes.c_int32) for name in ("height", "width")),
        *((name, ctypes.c_void_p) for name in ("row_begin", "row_end", "column_begin", "column_end")),
        *((name, ctypes.c_void_p) for name in ("row_of", "column_of")),
    ]


@kept(16)
def level_maps(levels: int, pooling: str, height: int, width: int) -> tuple[ctypes.Array[Level], list[torch.Tensor]]:
    """The levels for an image of that size, and the tensors that they point to."""
    arrays: list[torch.Tensor] = []

    def pointer(values: torch.Tensor) -> int:
        arrays.append(values.to(torch.int32).contiguous())
        return arrays[-1].data_ptr()

    made = (Level * levels)()
    for i, level in enumerate(made):
        level.height, level.width = max(1, height // 2**i), max(1, width // 2**i)
        for name, side, pooled in (("row", height, level.height), ("column", width, level.width)):
            begin, end = _windows(pooling, side, pooled)
            setattr(level, f"{name}_begin", pointer(begin))
            setattr(level, f"{name}_end", pointer(end))
            setattr(level, f"{name}_of", pointer(_nearest(pooled, side)))
    return made, arrays


def _windows(pooling: str, side: int, pooled: int) -> tuple[torch.Tensor, torch.Tensor]:
    """First pixel and the one after the last of each of `pooled` windows along a side."""
    if pooling == "nearest":
        begin = _nearest(side, pooled)
        return begin, begin + 1
    i = torch.arange(pooled)
    return i * side // pooled, -(-(i + 1) * side // pooled)  # adaptive pooling: floor and ceiling


def _nearest(given: int, wanted: int) -> torch.Tensor:
    """Which of `given` pixels each of `wanted` ones takes; indices up to 2^24 are exact."""
    indices = torch.arange(given, dtype=torch.float32)[None, None, :, None]
    return F.interpolate(indices, size=(wanted, 1), mode="nearest").flatten()
