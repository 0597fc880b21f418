"""The pace of training: the plain step, the fast step, and whole loops around them, interleaved in one run."""

import dataclasses
import datetime
import resource
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from safmn_bench.ablations.data.pack import PackedSet
from safmn_bench.ablations.data.prefetch import choose_placement, open_batches
from safmn_bench.ablations.data.sampling import Batch
from safmn_bench.ablations.recipe import Recipe
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.learner import Learner
from safmn_bench.ablations.training.png_reference import png_batches, write_pngs
from safmn_bench.models.variants import Candidate
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.devices import synchronise
from safmn_bench.profiling.common.machine import commit, hardware_name, versions
from safmn_bench.profiling.common.memory import keep_freed_memory
from safmn_bench.profiling.tracing.roofline import Floors, step_floors

BLOCK = 4  # iterations of one mode that are timed in a round
COLUMNS = (
    *("mode", "model", "scale", "patch", "batch", "precision", "median_ms", "p10_ms", "p90_ms", "iterations_per_s"),
    *(
        "images_per_s",
        "ratio_to_plain",
        "data_wait_share",
        "peak_memory_mib",
        "arithmetic_floor_ms",
        "traffic_floor_ms",
    ),
    *("share_of_floor", "iterations", "device", "hardware", "torch", "date", "commit"),
)


@dataclass
class Mode:
    """One way of training, and its times: `batches` feeds `learner`, or the same batch again where it is None."""

    name: str
    learner: Learner
    batches: Iterator[Batch] | None
    fixed: Batch
    settle: int = 0
    """Iterations at the start of each block that are not timed: a loader has read ahead while others ran."""
    ms: list[float] = dataclasses.field(default_factory=list)
    wait_ms: list[float] = dataclasses.field(default_factory=list)
    peak_memory_mib: float = 0.0

    def iterate(self, iteration: int) -> tuple[float, float]:
        """One iteration: its time and the share of it spent on getting the batch, in ms."""
        device = self.learner.device
        synchronise(device)
        started = time.perf_counter()
        lr, hr = next(self.batches) if self.batches is not None else self.fixed
        synchronise(device)
        fed = time.perf_counter()
        self.learner.step(lr, hr, iteration)
        synchronise(device)
        ended = time.perf_counter()
        return 1e3 * (ended - started), 1e3 * (fed - started)

    def block(self, first: int) -> None:
        """Time a block of iterations."""
        if self.learner.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.learner.device)
        for i in range(self.settle + BLOCK):
            total, wait = self.iterate(first + i)
            if i >= self.settle:
                self.ms.append(total)
                self.wait_ms.append(wait)
        self.peak_memory_mib = peak_memory_mib(self.learner.device)


def measure(
    candidate: Candidate, recipe: Recipe, images: PackedSet, device: torch.device, rounds: int
) -> tuple[list[Mode], Floors]:
    """Time every mode, a block each in turn, `rounds` times over, after one block each that is thrown away."""
    if device.type == "cpu":
        keep_freed_memory()
    keys = recipe.train
    precision = recipe.compute.precision
    floors = step_floors(lambda: candidate.build(images.scale), keys.batch, keys.patch, device, precision)
    with tempfile.TemporaryDirectory() as folder:
        write_pngs(images, Path(folder))
        modes = make_modes(candidate, recipe, images, device, Path(folder), rounds)
        with console.progress() as bar:
            for turn in bar.track(range(rounds + 1), description="Rounds"):
                for mode in modes:
                    mode.block(turn * BLOCK)
                    # the first turn warms up: compilation, autotuning, files read for the first time
                    if turn == 0:
                        mode.ms.clear()
                        mode.wait_ms.clear()
    return modes, floors


def make_modes(
    candidate: Candidate, recipe: Recipe, images: PackedSet, device: torch.device, folder: Path, rounds: int
) -> list[Mode]:
    """The plain and the fast step on one batch, a loop that decodes PNG files, and this suite's own loop."""
    keys, group = recipe.train, Group(0, 1, device)
    placement = choose_placement(images.hr.nbytes + images.lr.nbytes, device)
    source = open_batches(images, keys, placement, seed=0, device=device, rank=0, world=1)
    settle = 5  # more than the 4 batches, 2 of each worker, that the PNG loader has ready
    batches = (rounds + 1) * (BLOCK + settle) + 1  # whatever train.iterations is: a recipe may be shorter
    own = source.take(0, max(keys.iterations, batches))
    fixed = next(own)
    decoded = png_batches(images, folder, patch=keys.patch, batch=keys.batch, batches=batches)

    def learner(fast: bool) -> Learner:
        compute = replace(recipe.compute, fast=fast, compile=fast and recipe.compute.compile)
        if not fast:
            compute = replace(compute, precision="fp32")
        torch.manual_seed(0)
        return Learner(candidate.build(images.scale), replace(recipe, compute=compute), group)

    contiguous = tuple(part.contiguous() for part in fixed)
    plain, fast = learner(False), learner(True)
    return [
        Mode("plain step", plain, None, (contiguous[0], contiguous[1])),
        Mode("fast step", fast, None, fixed),
        Mode("plain loop, PNG by 2 workers", plain, on_device(decoded, device), fixed, settle=settle),
        Mode("fast loop", fast, own, fixed),
    ]


def on_device(batches: Iterator[Batch], device: torch.device) -> Iterator[Batch]:
    """Batches moved to the device as they come."""
    for lr, hr in batches:
        yield lr.to(device), hr.to(device)


def peak_memory_mib(device: torch.device) -> float:
    """Most memory allocated on the GPU since the last reset; on a CPU the peak of the whole process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def rows(
    modes: Sequence[Mode], floors: Floors, candidate: Candidate, recipe: Recipe, scale: int, device: torch.device
) -> list[dict[str, Any]]:
    """A CSV row per mode. `ratio_to_plain` compares steps with the plain step, and loops with the PNG loop."""
    median = {mode.name: statistics.median(mode.ms) for mode in modes}
    reference = {"step": median["plain step"], "loop": median["plain loop, PNG by 2 workers"]}
    floor = max(floors.arithmetic_ms, floors.traffic_ms)
    table = []
    for mode in modes:
        ms = median[mode.name]
        kind = "step" if mode.name.endswith("step") else "loop"
        table.append(
            {
                "mode": mode.name,
                "model": candidate.name,
                "scale": scale,
                "patch": recipe.train.patch,
                "batch": recipe.train.batch,
                "precision": mode.learner.recipe.compute.precision,
                "median_ms": round(ms, 2),
                "p10_ms": round(float(np.percentile(mode.ms, 10)), 2),
                "p90_ms": round(float(np.percentile(mode.ms, 90)), 2),
                "iterations_per_s": round(1e3 / ms, 3),
                "images_per_s": round(1e3 * recipe.train.batch / ms, 2),
                "ratio_to_plain": round(reference[kind] / ms, 3),
                "data_wait_share": round(sum(mode.wait_ms) / sum(mode.ms), 4) if kind == "loop" else None,
                "peak_memory_mib": round(mode.peak_memory_mib, 1),
                "arithmetic_floor_ms": round(floors.arithmetic_ms, 2),
                "traffic_floor_ms": round(floors.traffic_ms, 2),
                "share_of_floor": round(floor / ms, 3),
                "iterations": len(mode.ms),
                "device": device.type,
                "hardware": hardware_name(device),
                "torch": versions()["torch"],
                "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
                "commit": commit(),
            }
        )
    return table


def show(table: Sequence[dict[str, Any]], floors: Floors) -> None:
    """Print the rows and what the floors are made of."""
    header = ["mode", "median [ms]", "p10", "p90", "images/s", "ratio", "data wait", "floor / median"]
    cells = [
        [
            row["mode"],
            *(f"{row[key]:.1f}" for key in ("median_ms", "p10_ms", "p90_ms", "images_per_s")),
            f"{row['ratio_to_plain']:.2f}",
            "-" if row["data_wait_share"] is None else f"{100 * row['data_wait_share']:.1f} %",
            f"{100 * row['share_of_floor']:.0f} %",
        ]
        for row in table
    ]
    first = table[0]
    notes = [
        "Floors, at rates measured here: "
        f"arithmetic {floors.arithmetic_ms:.0f} ms, {floors.gflop:.1f} Gflop at {floors.gflop_per_s:.0f} Gflop/s; "
        f"traffic {floors.traffic_ms:.1f} ms, {floors.gbyte:.2f} GB at {floors.gbyte_per_s:.1f} GB/s.",
        f"Ratio: steps against the plain step, loops against the PNG loop. {first['iterations']} iterations each, "
        f"interleaved in blocks of {BLOCK}, on {first['hardware']}, torch {first['torch']}.",
    ]
    title = f"Training pace, {first['model']} x{first['scale']}, batch {first['batch']}, LR patch {first['patch']}"
    console.print_table(title, header, cells, notes)
