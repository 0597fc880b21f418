"""The training step in every form and precision, timed on this device: plain, fast, compiled, as a CUDA graph.

One after the other in one process, since a graph keeps its memory. The plain float32 step comes first, is what ratios
refer to, and comes once more at the end: what lies between the two is the machine's drift. Steps of a round are issued
without a wait between them, as in training.
"""

import datetime
import gc
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from safmn_bench.ablations.data.pack import PackedSet
from safmn_bench.ablations.data.prefetch import choose_placement, open_batches
from safmn_bench.ablations.recipe import Recipe
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.graph import steps_of
from safmn_bench.ablations.training.learner import Learner
from safmn_bench.ablations.training.options import ThroughputOptions
from safmn_bench.ablations.training.speed import peak_memory_mib
from safmn_bench.ablations.training.steps import Steps
from safmn_bench.models.variants import Candidate
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.devices import synchronise
from safmn_bench.profiling.common.files import write_csv
from safmn_bench.profiling.common.machine import commit, hardware_name, versions

FORMS = {
    "plain": {"fast": False, "compile": False, "graph": False},
    "fast": {"fast": True, "compile": False, "graph": False},
    "graph": {"fast": True, "compile": False, "graph": True},
    "compiled": {"fast": True, "compile": True, "graph": False},
    "compiled graph": {"fast": True, "compile": True, "graph": True},
}
"""Form -> what `compute` says of it."""
AGAIN = "plain, again"
ROUNDS, STEPS = 7, 20
_FIRST = ("plain", "fp32")
COLUMNS = (
    *("form", "precision", "model", "scale", "patch", "batch", "median_ms", "p10_ms", "p90_ms", "issued_ms"),
    *("iterations_per_s", "images_per_s", "ratio_to_plain", "compile_seconds", "peak_memory_mib"),
    *("reserved_memory_mib", "graph", "note", "iterations", "device", "hardware", "torch", "date", "commit"),
)


@dataclass(kw_only=True)
class FormTimes:
    """One form in one precision: milliseconds of a step in each round, or why there are none (`note`)."""

    form: str
    precision: str
    ms: list[float]
    """From the first step's start on the device to the last one's end, over the number of steps."""
    issued_ms: list[float]
    """What the processor took to issue a step."""
    compile_seconds: float = 0.0
    peak_memory_mib: float | None = None
    reserved_memory_mib: float | None = None
    graph: str = ""
    note: str = ""


def run(
    candidate: Candidate, recipe: Recipe, images: PackedSet, device: torch.device, options: ThroughputOptions
) -> None:
    """Measure, print, and write a CSV if asked: after each form, since the time may end before all are done."""

    def written(times: Sequence[FormTimes]) -> list[dict[str, Any]]:
        table = rows(times, candidate, recipe, options.scale, device)
        if options.csv:
            write_csv(options.csv, COLUMNS, table)
        return table

    show(written(measure(candidate, recipe, images, device, options.seconds, written)))


def cases(device: torch.device) -> list[tuple[str, str]]:
    """Forms and precisions, what is told most by first: time may run out. A CPU has no tf32 and no graphs."""
    if device.type == "cpu":
        return [(form, precision) for precision in ("fp32", "bf16") for form in ("plain", "fast")] + [(AGAIN, "fp32")]
    uncompiled = [(form, precision) for precision in ("fp32", "tf32", "bf16") for form in ("plain", "fast", "graph")]
    compiled = [(form, precision) for precision in ("tf32", "bf16", "fp32") for form in ("compiled", "compiled graph")]
    return [*uncompiled, (AGAIN, "fp32"), *compiled]


def measure(
    candidate: Candidate, recipe: Recipe, images: PackedSet, device: torch.device, seconds: float,
    seen: Callable[[Sequence[FormTimes]], object] = lambda times: None,
) -> list[FormTimes]:  # fmt: skip
    """Time every case until `seconds` are over; the others say so. `seen` is given all of them after each."""
    deadline = time.monotonic() + seconds
    times: list[FormTimes] = []
    for form, precision in cases(device):
        timed = FormTimes(form=form, precision=precision, ms=[], issued_ms=[])
        times.append(timed)
        if time.monotonic() > deadline:
            timed.note = f"not measured: {seconds:g} s were over"
            continue
        try:
            _measure(timed, candidate, recipe, images, device, deadline)
        except Exception as error:  # such as out of memory: the others are measured all the same
            timed.note = f"{type(error).__name__}: {error}".partition("\n")[0]
        seen(times)
    return times


def _measure(
    timed: FormTimes, candidate: Candidate, recipe: Recipe, images: PackedSet, device: torch.device, deadline: float
) -> None:
    if FORMS[_form(timed)]["compile"]:
        torch.compiler.reset()  # after eight networks of one class it would compile no more, and say nothing
    gc.collect()  # of the graph before, which holds its memory
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
    steps = _steps(timed, candidate, recipe, images, device)
    timed.compile_seconds = steps.prepare(0)
    timed.graph = steps.form
    outcomes = steps.take(0, (ROUNDS + 1) * STEPS)
    _round(outcomes, device)  # not kept: caches and clocks
    while len(timed.ms) < ROUNDS and (len(timed.ms) < 2 or time.monotonic() < deadline):
        for kept, ms in zip((timed.ms, timed.issued_ms), _round(outcomes, device), strict=True):
            kept.append(ms)
    timed.peak_memory_mib = peak_memory_mib(device)
    timed.reserved_memory_mib = torch.cuda.max_memory_reserved(device) / 2**20 if device.type == "cuda" else None


def _form(timed: FormTimes) -> str:
    return timed.form.removesuffix(", again")


def _steps(timed: FormTimes, candidate: Candidate, recipe: Recipe, images: PackedSet, device: torch.device) -> Steps:
    recipe = replace(recipe, compute=replace(recipe.compute, precision=timed.precision, **FORMS[_form(timed)]))
    placement = choose_placement(images.hr.nbytes + images.lr.nbytes, device)
    torch.manual_seed(0)
    learner = Learner(candidate.build(images.scale), recipe, Group(0, 1, device))
    return steps_of(learner, open_batches(images, recipe.train, placement, seed=0, device=device, rank=0, world=1))


def _round(outcomes: Iterator[torch.Tensor], device: torch.device) -> tuple[float, float]:
    """Milliseconds of a step, and of issuing it, over the next `STEPS` steps."""
    synchronise(device)
    started = time.perf_counter()
    for _ in range(STEPS):
        next(outcomes)
    issued = time.perf_counter()
    synchronise(device)
    return 1e3 * (time.perf_counter() - started) / STEPS, 1e3 * (issued - started) / STEPS


def rows(
    times: Sequence[FormTimes], candidate: Candidate, recipe: Recipe, scale: int, device: torch.device
) -> list[dict[str, Any]]:
    """A CSV row per case; `ratio_to_plain` refers to the first plain float32 step."""
    plain = next((statistics.median(t.ms) for t in times if (t.form, t.precision) == _FIRST and t.ms), None)
    shared = {
        "model": candidate.name, "scale": scale, "patch": recipe.train.patch, "batch": recipe.train.batch,
        "device": device.type, "hardware": hardware_name(device), "torch": versions()["torch"],
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(), "commit": commit(),
    }  # fmt: skip
    told = ("form", "precision", "graph", "note")
    return [shared | {key: vars(t)[key] for key in told} | _figures(t, recipe.train.batch, plain) for t in times]


def _figures(timed: FormTimes, batch: int, plain: float | None) -> dict[str, Any]:
    if not timed.ms:
        return dict.fromkeys(column for column in COLUMNS if column.endswith(("_ms", "_s", "_mib", "_seconds"))) | {
            "ratio_to_plain": None, "iterations": 0,
        }  # fmt: skip
    ms = statistics.median(timed.ms)
    reserved = timed.reserved_memory_mib
    return {
        "median_ms": round(ms, 3),
        "p10_ms": round(float(np.percentile(timed.ms, 10)), 3),
        "p90_ms": round(float(np.percentile(timed.ms, 90)), 3),
        "issued_ms": round(statistics.median(timed.issued_ms), 3),
        "iterations_per_s": round(1e3 / ms, 2),
        "images_per_s": round(1e3 * batch / ms, 1),
        "ratio_to_plain": round(plain / ms, 3) if plain else None,
        "compile_seconds": round(timed.compile_seconds, 1),
        "peak_memory_mib": round(timed.peak_memory_mib or 0, 1),
        "reserved_memory_mib": None if reserved is None else round(reserved, 1),
        "iterations": STEPS * len(timed.ms),
    }


def show(table: Sequence[dict[str, Any]]) -> None:
    """Print the rows."""
    first = table[0]
    header = ["form", "precision", "ms a step", "p10", "p90", "issued", "images/s", "ratio", "peak [MiB]", "note"]
    keys = ("median_ms", "p10_ms", "p90_ms", "issued_ms", "images_per_s", "ratio_to_plain", "peak_memory_mib")
    cells = [
        [row["form"], row["precision"], *("-" if row[key] is None else f"{row[key]:g}" for key in keys), row["note"]]
        for row in table
    ]
    notes = [
        f"Ratio: to the plain float32 step. Rounds of {STEPS} steps, one form after another, on {first['hardware']}, "
        f"torch {first['torch']}."
    ]
    title = f"Training step, {first['model']} x{first['scale']}, batch {first['batch']}, LR patch {first['patch']}"
    console.print_table(title, header, cells, notes, text_columns=2)
