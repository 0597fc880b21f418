"""What the local engine adds to a run, and how long a sweep takes to plan whose runs are all done.

The same short runs one after the other in this process and by the engine with one slot, in turns; then a sweep on a
folder of records.

python tests/benchmarks/overhead.py --csv results/benchmarks
"""

import argparse
import contextlib
import datetime
import io
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
import torch

from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.ablations.runs.running import run
from safmn_bench.ablations.sweeps.command import make_plans
from safmn_bench.ablations.sweeps.engines import run_jobs
from safmn_bench.ablations.sweeps.jobs import Job
from safmn_bench.ablations.sweeps.local_engine import LocalEngine
from safmn_bench.ablations.sweeps.options import RunOptions
from safmn_bench.ablations.sweeps.sweep import run_all
from safmn_bench.ablations.sweeps.worker import slots_of
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.files import write_csv
from safmn_bench.profiling.common.machine import commit, hardware_name, result_file

CPU = torch.device("cpu")
ALONE = Group(0, 1, CPU)
COLUMNS = ("what", "runs", "rounds", "seconds", "seconds_per_run", "hardware", "torch", "date", "commit")


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write a CSV if asked."""
    parser = argparse.ArgumentParser(prog="overhead", description="Measure what a sweep adds to its runs.")
    parser.add_argument("--runs", type=int, default=4, metavar="N", help="in each turn (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="turns of each (default: %(default)s)")
    parser.add_argument("--planned", type=int, default=1000, metavar="N", help="finished runs (default: %(default)s)")
    parser.add_argument("--csv", type=Path, metavar="FILE|DIR", help="also write it; a folder gets overhead_...")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        rows = [*engine_rows(Path(folder), args.runs, args.rounds), *planning_rows(Path(folder) / "done", args.planned)]
    cells = [[row["what"], str(row["runs"]), f"{row['seconds']:.2f}", f"{row['seconds_per_run']:.3f}"] for row in rows]
    console.print_table("What a sweep adds", ["what", "runs", "seconds", "seconds per run"], cells)
    if args.csv:
        path = result_file(args.csv, "overhead", CPU)
        write_csv(path, COLUMNS, rows)
        print(f"Written: {path}")
    return 0


def engine_rows(folder: Path, runs: int, rounds: int) -> list[dict[str, Any]]:
    """Medians over the rounds. A turn before them warms up, and starts the engine's server of processes."""
    times: dict[str, list[float]] = {"plain loop": [], "local engine": []}
    for turn in range(rounds + 1):
        for what, do in (("plain loop", plain_loop), ("local engine", by_engine)):
            plans = plans_in(folder / f"{what} {turn}", range(runs))
            times[what].append(seconds_of(do, plans))
    loop, engine = times["plain loop"], times["local engine"]
    added = [b - a for a, b in zip(loop, engine, strict=True)]
    medians = {what: median(values[1:]) for what, values in {**times, "added by the engine": added}.items()}
    once = added[0] - medians["added by the engine"]
    return [*(row(what, runs, rounds, value) for what, value in medians.items()), row("once per sweep", 1, 1, once)]


def planning_rows(folder: Path, runs: int) -> list[dict[str, Any]]:
    """Two calls of run.py for runs that are all done: planning, skipping, the table and sweep.csv.

    The first reads all weights, the second those that changed since.
    """
    (first,) = plans_in(folder, [0])
    record = run(first, ALONE, lambda *_: None, lambda: False)
    assert record is not None
    for plan in plans_in(folder, range(runs)):
        replace(record, seed=plan.seed, config_hash=plan.config_hash()).write(plan.folder)
        if not plan.folder.weights.exists():
            plan.folder.weights.hardlink_to(first.folder.weights)  # without them a run is not finished
    rows = []
    for call in ("first", "second"):
        started = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):
            status = run_all(plans_in(folder, range(runs)), RunOptions(out=folder))
        assert status == 0
        rows.append(row(f"planning and skipping, {call} call", runs, 1, time.perf_counter() - started))
    return rows


def plans_in(out: Path, seeds: Sequence[int]) -> list[Plan]:
    """Runs of the smallest variant, of ten iterations."""
    return make_plans(
        RunOptions(
            variant="w_o_CCM", device="cpu", recipe="quick", overrides=("train.iterations=10",), seeds=tuple(seeds),
            out=out,
        )
    )  # fmt: skip


def plain_loop(plans: Sequence[Plan]) -> None:
    """One run after the other in this process."""
    for plan in plans:
        run(plan, ALONE, lambda *_: None, lambda: False)


def by_engine(plans: Sequence[Plan]) -> None:
    """A process per run, one at a time."""
    jobs = [Job(plan) for plan in plans]
    run_jobs(jobs, LocalEngine(CPU, slots_of(CPU, 1)), lambda: False, lambda: None)
    assert all(job.state == "finished" for job in jobs), [job.cause for job in jobs]


def seconds_of(do: Callable[[Sequence[Plan]], None], plans: Sequence[Plan]) -> float:
    """How long it takes."""
    started = time.perf_counter()
    do(plans)
    return time.perf_counter() - started


def row(what: str, runs: int, rounds: int, seconds: float) -> dict[str, Any]:
    """A line of the CSV."""
    values = (what, runs, rounds, round(seconds, 3), round(seconds / runs, 4), hardware_name(CPU), torch.__version__)
    return dict(zip(COLUMNS, (*values, datetime.date.today().isoformat(), commit()), strict=True))


if __name__ == "__main__":
    sys.exit(main())
