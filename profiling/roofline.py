"""A roofline: how near each operation comes to what the machine can do, measured in the same run.

Williams, Waterman & Patterson, Roofline: an insightful visual performance model, CACM 52(4), 2009.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.ceilings import copy_rate, matrix_rate
from safmn_bench.profiling.files import write_atomically
from safmn_bench.profiling.tracing import Operation
from safmn_bench.profiling.traffic import Work

FORMATS = (".png", ".svg", ".pdf")


@dataclass(frozen=True, kw_only=True)
class Ceilings:
    """The rate of a large matrix product (operations/s) and of a large copy (bytes/s)."""

    flop_per_s: float
    bytes_per_s: float


@dataclass(frozen=True, kw_only=True)
class Point:
    """What one operation achieved; `intensity` is operations per byte, 0 for what only moves data."""

    name: str
    share: float
    flop_per_s: float
    bytes_per_s: float

    @property
    def intensity(self) -> float:
        """Operations per byte of traffic."""
        return self.flop_per_s / self.bytes_per_s


def measure_ceilings(device: torch.device) -> Ceilings:
    """Both rates of this machine, now."""
    return Ceilings(flop_per_s=matrix_rate(device), bytes_per_s=copy_rate(device))


def points(operations: Sequence[Operation], work: Work) -> list[Point]:
    """What each operation achieved: its work over its own time; operations without time or work are left out."""
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


def check_format(path: Path) -> None:
    """Raise UserError for a picture that cannot be written."""
    if path.suffix.lower() not in FORMATS:
        raise UserError(f"--roofline {path}: its name must end in one of {', '.join(FORMATS)}.")


def draw(path: Path, title: str, found: Sequence[Point], ceilings: Ceilings) -> None:
    """Write the picture: on the left operations/s over intensity, on the right bytes/s of every operation."""
    from matplotlib.figure import Figure  # slow to import, and only pictures need it

    figure = Figure(figsize=(15, 8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    figure.suptitle(title)
    _roof(left, [p for p in found if p.flop_per_s], ceilings)
    _bars(right, found, ceilings)
    figure.legend(fontsize=8, loc="outside lower center", markerscale=0.4, ncols=3)
    buffer = io.BytesIO()
    figure.savefig(buffer, format=path.suffix.lower().removeprefix("."), dpi=150)
    write_atomically(path, lambda handle: handle.write(buffer.getvalue()))


def _roof(axes, found: Sequence[Point], ceilings: Ceilings) -> None:
    ridge = ceilings.flop_per_s / ceilings.bytes_per_s
    low, high = min([0.05, *(p.intensity for p in found)]) / 2, max([4 * ridge, *(2 * p.intensity for p in found)])
    roof = [ceilings.bytes_per_s * low / 1e9, ceilings.flop_per_s / 1e9, ceilings.flop_per_s / 1e9]
    axes.loglog([low, ridge, high], roof, color="black")
    for number, point in enumerate(found, start=1):
        label = f"{number}  {point.name}  ({100 * point.share:.0f} % of the time)"
        axes.scatter(point.intensity, point.flop_per_s / 1e9, s=30 + 1500 * point.share, alpha=0.6, label=label)
        axes.annotate(str(number), (point.intensity, point.flop_per_s / 1e9), ha="center", va="center", fontsize=8)
    axes.set_xlabel("operations per byte")
    axes.set_ylabel("achieved 10⁹ operations/s")
    rate, copied = ceilings.flop_per_s / 1e9, ceilings.bytes_per_s / 1e9
    axes.set_title(f"ceilings measured in this run: matrix product {rate:.0f} Gflop/s, copy {copied:.1f} GB/s")
    axes.grid(True, which="major", alpha=0.3)


def _bars(axes, found: Sequence[Point], ceilings: Ceilings) -> None:
    names = [point.name for point in reversed(found)]
    axes.barh(names, [point.bytes_per_s / 1e9 for point in reversed(found)], color="tab:blue", alpha=0.7)
    axes.axvline(ceilings.bytes_per_s / 1e9, color="black")
    axes.set_xlabel("achieved 10⁹ bytes/s of operands (line: copy; caches can exceed it)")
    axes.tick_params(axis="y", labelsize=7)
