"""Ceilings of this machine (a large matrix product, a large copy), and how near a network comes to it.

The roofline sets each operation against the two rates measured in the same run (Williams, Waterman & Patterson,
Roofline: an insightful visual performance model, CACM 52(4), 2009). The floors of a training step come from the
network's own shapes and the same rates; a real step needs at least the larger of the two:

- arithmetic: 3 x 2 x MACs (forward, gradient of the input, gradient of the weights; two operations per
  multiply-add), at the rate of a large matrix product;
- memory traffic: what must cross memory if everything between convolutions were fused into them: forward reads each
  convolution's input and writes its output; backward reads the output's gradient and the input, and writes the input's
  gradient; at the rate of a large copy.
"""

import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from safmn_bench.profiling.common.devices import synchronise
from safmn_bench.profiling.common.files import write_atomically
from safmn_bench.profiling.counting.flops import count
from safmn_bench.profiling.tracing.profiler import Operation
from safmn_bench.profiling.tracing.traffic import Work

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """The rate of a large matrix product (operations/s) and of a large copy (bytes/s)."""

    flop_per_s: float
    bytes_per_s: float


@dataclass(frozen=True, kw_only=True)
class Point:
    """Rates that one operation achieved; `intensity` is operations per byte, 0 for what only moves data."""

    name: str
    share: float
    flop_per_s: float
    bytes_per_s: float

    @property
    def intensity(self) -> float:
        """Operations per byte of traffic."""
        return self.flop_per_s / self.bytes_per_s


def measure_ceilings(device: torch.device, precision: str = "fp32") -> Ceilings:
    """Both rates of this machine, now: products in fp32, tf32 or bf16."""
    return Ceilings(flop_per_s=matrix_rate(device, precision), bytes_per_s=copy_rate(device))


def points(operations: Sequence[Operation], work: Work) -> list[Point]:
    """The rates of each operation: its work over its own time; operations without time or work are left out."""
    total = sum(operation.self_time_us for operation in operations)
    return [
        Point(
            name=o.name,
            share=o.self_time_us / total,
            flop_per_s=1e6 * work.flop.get(o.name, 0) / o.self_time_us,
            bytes_per_s=1e6 * work.traffic_bytes[o.name] / o.self_time_us,
        )
        for o in operations
        if o.self_time_us > 0 and work.traffic_bytes.get(o.name)
    ]


_PAGE_INCHES = 6.875  # the page of a paper in two columns, where the picture stands unscaled
_BAR_INCHES = 0.15
_NAME_LONGEST = 60  # characters


def draw(path: Path, title: str, points: Sequence[Point], ceilings: Ceilings) -> None:
    """Write the picture: above operations/s over intensity, below bytes/s of every operation, by number and name."""
    buffer = io.BytesIO()
    picture(title, points, ceilings).savefig(buffer, format=path.suffix.lower().removeprefix("."), dpi=300)
    write_atomically(path, lambda handle: handle.write(buffer.getvalue()))


def picture(title: str, points: Sequence[Point], ceilings: Ceilings) -> "Figure":
    """The picture, a page wide."""
    from matplotlib import rc_context  # slow to import, and only pictures need it
    from matplotlib.figure import Figure

    high = 0.7 + _BAR_INCHES * len(points)
    with rc_context({"font.size": 7, "axes.titlesize": 7, "figure.titlesize": 8, "text.parse_math": False}):
        figure = Figure(figsize=(_PAGE_INCHES, 3.4 + high), layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(3.4, high), squeeze=False)[:, 0]
        above.suptitle(title, wrap=True)
        _roof(above.add_subplot(), points, ceilings)
        _bars(below.add_subplot(), points, ceilings)
    return figure


def _roof(axes, points: Sequence[Point], ceilings: Ceilings) -> None:
    counted = [(number, point) for number, point in enumerate(points, start=1) if point.flop_per_s]
    intensities = [point.intensity for _, point in counted]
    ridge = ceilings.flop_per_s / ceilings.bytes_per_s
    low, high = min([0.05, *intensities]) / 2, max([4 * ridge, *(2 * each for each in intensities)])
    roof = [ceilings.bytes_per_s * low / 1e9, ceilings.flop_per_s / 1e9, ceilings.flop_per_s / 1e9]
    axes.loglog([low, ridge, high], roof, color="black")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:g}")
    for number, point in counted:
        axes.scatter(point.intensity, point.flop_per_s / 1e9, s=30 + 500 * point.share, alpha=0.6)
        axes.annotate(str(number), (point.intensity, point.flop_per_s / 1e9), ha="center", va="center")
    axes.set_xlabel("operations per byte")
    axes.set_ylabel("achieved 10⁹ operations/s")
    rate, copied = ceilings.flop_per_s / 1e9, ceilings.bytes_per_s / 1e9
    axes.set_title(f"ceilings measured in this run: matrix product {rate:.0f} Gflop/s, copy {copied:.1f} GB/s")
    axes.grid(True, which="major", alpha=0.3)


def _bars(axes, points: Sequence[Point], ceilings: Ceilings) -> None:
    names = [f"{p.name[:_NAME_LONGEST]}, {100 * p.share:.0f} % of the time  {i}" for i, p in enumerate(points, start=1)]
    axes.barh(names, [point.bytes_per_s / 1e9 for point in points], color="tab:blue", alpha=0.7)
    axes.invert_yaxis()
    axes.margins(y=0.01)
    axes.axvline(ceilings.bytes_per_s / 1e9, color="black")
    axes.set_xlabel("achieved 10⁹ bytes/s of operands\n(line: copy; caches can exceed it)")


@dataclass(frozen=True, kw_only=True)
class Floors:
    """Milliseconds that a step cannot go below, and the rates behind them."""

    arithmetic_ms: float
    traffic_ms: float
    gflop: float
    """Arithmetic of a step, 10^9 operations (two per multiply-add)."""
    gbyte: float
    """Traffic of a step, 10^9 bytes."""
    gflop_per_s: float
    gbyte_per_s: float


def step_floors(
    build: Callable[[], nn.Module], batch: int, patch: int, device: torch.device, precision: str = "fp32"
) -> Floors:
    """Floors of a training step on LR (batch, 3, patch, patch) in a recipe's precision; bf16 moves half the bytes."""
    macs = count(build(), (1, 3, patch, patch)).flops * batch
    traffic = convolution_bytes(build(), patch) * batch // (2 if precision == "bf16" else 1)
    flop_rate, byte_rate = matrix_rate(device, precision), copy_rate(device)
    return Floors(
        # 6: forward, gradients of inputs and of weights take as much each, two operations per multiply-add
        arithmetic_ms=6e3 * macs / flop_rate,
        traffic_ms=1e3 * traffic / byte_rate,
        gflop=6 * macs / 1e9,
        gbyte=traffic / 1e9,
        gflop_per_s=flop_rate / 1e9,
        gbyte_per_s=byte_rate / 1e9,
    )


def convolution_bytes(network: nn.Module, patch: int) -> int:
    """Bytes that the convolutions of one float32 image must move in a step: 3 x input + 2 x output of each."""
    total = 0

    def add(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        # input: read forward and for the weights' gradient, its own written; output: written, its gradient read
        total += 4 * (3 * inputs[0].numel() + 2 * output.numel())

    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    handles = [convolution.register_forward_hook(add) for convolution in convolutions]
    with torch.no_grad():
        network(torch.zeros(1, 3, patch, patch))
    for handle in handles:
        handle.remove()
    return total


_MATRIX = {"cpu": 1024, "cuda": 8192}  # side of the product that measures the arithmetic rate
_COPY_BYTES = {"cpu": 2**27, "cuda": 2**31}  # more than caches hold: memory is what is measured


def matrix_rate(device: torch.device, precision: str = "fp32") -> float:
    """Operations per second of a matrix product (two per multiply-add) in a recipe's precision, the best of some.

    A step in tf32 or bf16 set against a float32 product would reach more than all of it.
    """
    side = _MATRIX[device.type]
    a, b = torch.rand(2, side, side, device=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        return 2 * side**3 / _best_seconds(lambda: a @ b, device)
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def copy_rate(device: torch.device) -> float:
    """Bytes read and written per second by a copy, the best of some."""
    source = torch.zeros(_COPY_BYTES[device.type] // 4, device=device)
    target = torch.empty_like(source)
    return 2 * source.nbytes / _best_seconds(lambda: target.copy_(source), device)


def _best_seconds(work: Callable[[], object], device: torch.device, repeats: int = 10) -> float:
    seconds = []
    for _ in range(repeats):
        synchronise(device)
        started = time.perf_counter()
        work()
        synchronise(device)
        seconds.append(time.perf_counter() - started)
    return min(seconds)
