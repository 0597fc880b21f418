"""A network as torch's exporter can trace it: a copy whose adaptive pooling is written with operators that ONNX has.

A copy, since tracing leaves its own kind of numbers in whatever a network keeps between two passes.
"""

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

Pool = Callable[[torch.Tensor, tuple[int, int]], torch.Tensor]


def exportable(network: nn.Module, *, divisible: bool) -> nn.Module:
    """A copy with the same results; `divisible`: whether LR is a multiple of what the network pools by."""
    plain: dict[object, Callable[..., torch.Tensor]]
    plain = {F.adaptive_max_pool2d: F.max_pool2d, F.adaptive_avg_pool2d: F.avg_pool2d}
    written_out: dict[object, Pool] = {F.adaptive_max_pool2d: gathered_max, F.adaptive_avg_pool2d: weighted_mean}
    network = copy.deepcopy(network)
    for module in network.modules():
        pool = getattr(module, "pool", None)
        if pool in plain:
            module.pool = _windowed(plain[pool]) if divisible else written_out[pool]  # type: ignore[assignment]
        # SMSR masks what it computes everywhere, the same to rounding: gathering marked pixels is no form for a graph
        if getattr(module, "form", None) == "sparse":
            module.form = "masked"  # type: ignore[assignment]
    return network


def _windowed(pool: Callable[..., torch.Tensor]) -> Pool:
    """Adaptive pooling where the size divides: windows side by side."""
    return lambda x, size: pool(x, (x.shape[-2] // size[0], x.shape[-1] // size[1]))


@contextlib.contextmanager
def nearest_by_index(*, any_size: bool = False) -> Iterator[None]:
    """While a network is traced: nearest-neighbour enlargement to given sides, as a choice of lines.

    Place i of m is line floor(i n / m) of n. Where n and m have a divisor in common and n does not divide m, some
    i n / m are whole numbers, and ONNX Runtime and OpenVINO, whose scale is a rounded n / m, may take the line before:
    SAFMN at LR 114x172 was off by 0.018 of a range of 1. In a trace for `any_size` the graph computes the lines; at one
    size they are constants, and enlargements that round to the same lines stay as they are.
    """
    interpolate = F.interpolate

    def written_out(x: torch.Tensor, size: Any = None, *others: Any, **named: Any) -> torch.Tensor:
        mode = others[1] if len(others) > 1 else named.get("mode", "nearest")
        if mode != "nearest" or size is None or x.dim() != 4:
            return interpolate(x, size, *others, **named)
        if any_size:
            for axis, m in zip((2, 3), (size, size) if isinstance(size, int) else size, strict=True):
                lines = torch.div(torch.arange(m) * x.shape[axis], m, rounding_mode="floor")
                x = x.index_select(axis, lines)
            return x
        sides = [int(side) for side in ((size, size) if isinstance(size, int) else size)]
        lengths = [int(side) for side in x.shape[-2:]]
        if not any(_may_round(n, m) for n, m in zip(lengths, sides, strict=True)):
            return interpolate(x, size, *others, **named)
        for axis, n, m in zip((2, 3), lengths, sides, strict=True):
            x = x.index_select(axis, torch.tensor([i * n // m for i in range(m)]))
        return x

    F.interpolate = written_out  # type: ignore[assignment]
    try:
        yield
    finally:
        F.interpolate = interpolate


def _may_round(n: int, m: int) -> bool:
    return m % n != 0 and math.gcd(n, m) > 1


def cell_bounds(length: int, cells: int) -> list[tuple[int, int]]:
    """The windows of adaptive pooling: cell i covers floor(i n / m) to ceil((i + 1) n / m), the end excluded."""
    return [(i * length // cells, -(-(i + 1) * length // cells)) for i in range(cells)]


def gathered_max(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Adaptive max-pooling of (B, C, H, W) to `size`: short windows repeat their last line."""
    for axis, cells in ((2, size[0]), (3, size[1])):
        bounds = cell_bounds(x.shape[axis], cells)
        widest = max(end - start for start, end in bounds)
        lines = [min(start + k, end - 1) for start, end in bounds for k in range(widest)]
        x = x.index_select(axis, torch.tensor(lines)).unflatten(axis, (cells, widest)).amax(axis + 1)
    return x


def weighted_mean(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Adaptive average-pooling of (B, C, H, W) to `size`, as a product with a matrix of weights on each side."""
    rows, columns = (_mean_matrix(n, m) for n, m in zip(x.shape[-2:], size, strict=True))
    return rows @ x @ columns.T


def _mean_matrix(length: int, cells: int) -> torch.Tensor:
    matrix = torch.zeros(cells, length)
    for row, (start, end) in zip(matrix, cell_bounds(length, cells), strict=True):
        row[start:end] = 1 / (end - start)
    return matrix
