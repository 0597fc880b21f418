"""What a path step of an attribution (LAM) costs here, beside the arithmetic of the authors' demo.

The demo sends one image of the path after another through the network as it was published, and its backward pass also
computes the gradients of all weights, which nobody asks for. A stand-in: its arithmetic, not its code. Each way in
turns, one map a turn, with the same network, image, window and allocator; the map's largest difference is a share of
its largest value. Ratios are of the clock's time and of the processor's, which other work on the machine spoils less.

python tests/benchmarks/attribution.py --csv results/benchmarks
"""

import argparse
import copy
import datetime
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
import torch
from torch import nn

from safmn_bench.analysis.attribution.attribute import LAM_WINDOW, busiest_window, choose_step_batch, middle_of
from safmn_bench.analysis.attribution.local_attribution import LocalAttributionMap, filtered, gaussian_kernels
from safmn_bench.analysis.attribution.objective import Window, WindowDetail
from safmn_bench.analysis.networks import freeze
from safmn_bench.models.catalog import build_model
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.files import write_csv
from safmn_bench.profiling.common.machine import commit, hardware_name, result_file
from safmn_bench.profiling.common.memory import keep_freed_memory
from safmn_bench.profiling.common.sample_images import embedded_paths

CPU, SCALE = torch.device("cpu"), 4
DEMO, PLAIN, OURS = "one step at a time, gradients of weights too", "in batches, as published", "in batches, fast form"
COLUMNS = (
    *("way", "model", "scale", "lr_height", "lr_width", "steps", "step_batch", "step_ms", "p10_ms", "p90_ms"),
    *(
        "ratio_to_demo",
        "processor_ms",
        "processor_ratio_to_demo",
        "largest_difference",
        "rounds",
        "allocator",
        "hardware",
        "torch",
        "date",
        "commit",
    ),
)
_SHOWN = ("step_ms", "ratio_to_demo", "processor_ms", "processor_ratio_to_demo")
Map = Callable[[torch.Tensor, Window, int], torch.Tensor]


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write a CSV if asked."""
    parser = argparse.ArgumentParser(prog="attribution", description="Measure what a path step of LAM costs.")
    parser.add_argument("--steps", type=int, default=50, metavar="N", help="of a path (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="maps of each way (default: %(default)s)")
    parser.add_argument("--csv", type=Path, metavar="FILE|DIR", help="also write it; a folder gets attribution_...")
    args = parser.parse_args(argv)
    keep_freed_memory()
    table = measure(args.steps, args.rounds)
    cells = [[row["way"], *(f"{row[key]:.2f}" for key in _SHOWN), f"{row['largest_difference']:.1e}"] for row in table]
    header = ["way", "ms", "ratio", "processor [ms]", "ratio", "largest difference"]
    console.print_table("A path step of LAM", header, cells)
    if args.csv:
        path = result_file(args.csv, "attribution", CPU)
        write_csv(path, COLUMNS, table)
        print(f"Written: {path}")
    return 0


def measure(steps: int, rounds: int) -> list[dict[str, Any]]:
    """A row per way: milliseconds of a step, medians over rounds. A round before them warms up."""
    picture = middle_of(embedded_paths(("chelsea.png",))[0], SCALE)
    lr, window = picture.tensor(CPU), busiest_window(picture, LAM_WINDOW)
    torch.manual_seed(0)
    network = build_model("safmn", SCALE).eval()
    batch = choose_step_batch(WindowDetail(freeze(copy.deepcopy(network))), lr, window, steps)
    ways: dict[str, Map] = {DEMO: demo(copy.deepcopy(network))}
    ways |= {PLAIN: batched(copy.deepcopy(network).requires_grad_(False), batch)}
    ways |= {OURS: batched(freeze(network), batch)}
    times: dict[str, list[float]] = {way: [] for way in ways}
    processor: dict[str, list[float]] = {way: [] for way in ways}
    maps: dict[str, torch.Tensor] = {}
    for turn in range(rounds + 1):
        for way, attribute in ways.items():
            started, computing = time.perf_counter(), time.process_time()
            maps[way] = attribute(lr, window, steps)
            if turn:
                times[way].append(1e3 * (time.perf_counter() - started) / steps)
                processor[way].append(1e3 * (time.process_time() - computing) / steps)
    return [row(way, lr, steps, 1 if way == DEMO else batch, times, processor, maps) for way in ways]


def demo(network: nn.Module) -> Map:
    """Its path and gradients: a forward and a backward pass for each step, weights included."""
    detail = WindowDetail(network)

    def attribute(lr: torch.Tensor, window: Window, steps: int) -> torch.Tensor:
        kernels = gaussian_kernels(steps)
        points, moves = filtered(lr, kernels[1:]).to(lr.dtype), filtered(lr, kernels[1:] - kernels[:-1])
        total = torch.zeros_like(lr, dtype=torch.float64)
        for point, move in zip(points, moves, strict=True):
            network.zero_grad()
            point = point.requires_grad_()
            detail(point, window).sum().backward()
            assert point.grad is not None
            total += point.grad.double() * move
        return total.to(lr.dtype)

    return attribute


def batched(network: nn.Module, batch: int) -> Map:
    """As this suite makes it."""
    explainer = LocalAttributionMap(WindowDetail(network))

    def attribute(lr: torch.Tensor, window: Window, steps: int) -> torch.Tensor:
        values = explainer.attribute(lr, window, steps, batch)
        assert isinstance(values, torch.Tensor)
        return values

    return attribute


def row(
    way: str,
    lr: torch.Tensor,
    steps: int,
    batch: int,
    times: dict[str, list[float]],
    processor: dict[str, list[float]],
    maps: dict[str, torch.Tensor],
) -> dict[str, Any]:
    """A line of the CSV."""
    ordered, demos = sorted(times[way]), maps[DEMO]
    return {
        "way": way, "model": "safmn", "scale": SCALE, "lr_height": lr.shape[2], "lr_width": lr.shape[3],
        "steps": steps, "step_batch": batch, "step_ms": round(median(ordered), 3),
        "p10_ms": round(ordered[len(ordered) // 10], 3), "p90_ms": round(ordered[-1 - len(ordered) // 10], 3),
        "ratio_to_demo": round(median(times[DEMO]) / median(ordered), 3),
        "processor_ms": round(median(processor[way]), 3),
        "processor_ratio_to_demo": round(median(processor[DEMO]) / median(processor[way]), 3),
        "largest_difference": float(f"{float((maps[way] - demos).abs().max() / demos.abs().max()):.3g}"),
        "rounds": len(ordered), "allocator": "keep", "hardware": hardware_name(CPU), "torch": torch.__version__,
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "commit": commit(),
    }  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
