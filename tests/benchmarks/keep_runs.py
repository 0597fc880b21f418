"""Take the finished runs of a sweep into results/: what a table follows from, and one seed's weights in half precision.

Of each run its record, configuration and curves; checkpoints, logs and TensorBoard's files stay. The record's command
names sets and folders without the machine's paths. Weights are rounded to float16, which halves them, where that moves
no score: each network is scored again on one of its benchmarks, and stays whole where the mean is not within 0.001 dB
of its record.

python tests/benchmarks/keep_runs.py --runs results/runs --out results/ablation/cpu-reduced_cpu --benchmark Set5
"""

import argparse
import functools
import shlex
import shutil
import sys
from pathlib import Path

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
import torch

from safmn_bench.ablations.data.benchmarks import Benchmark, open_benchmark
from safmn_bench.ablations.metrics import HEADLINE
from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.ablations.records import records_below
from safmn_bench.ablations.scoring.loading import for_scoring
from safmn_bench.ablations.scoring.score import Protocol, score
from safmn_bench.ablations.training import checkpoint
from safmn_bench.analysis.networks import subject_of
from safmn_bench.models.errors import UserError
from safmn_bench.models.weights import load_weights
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.sealed import read_sealed, write_sealed

CPU = torch.device("cpu")
MOST_DB = 0.001
FILES = ("config.yaml", "losses.csv", "validation.csv")


@command
def main(argv: list[str] | None = None) -> int:
    """Copy, and say by how much rounding the weights moves each score."""
    parser = argparse.ArgumentParser(prog="keep_runs", description="Take finished runs of a sweep into results/.")
    parser.add_argument("--runs", type=Path, required=True, metavar="DIR", help="what run.py wrote (its --out)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where they go")
    parser.add_argument("--benchmark", type=Path, required=True, metavar="DIR", help="one that the runs were scored on")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="whose weights are kept (default: 0)")
    args = parser.parse_args(argv)
    rows, opened = [], functools.cache(lambda scale: open_benchmark(args.benchmark, scale))
    for folder, record in records_below(args.runs):
        if record.status not in ("finished", "collapsed"):
            continue
        kept = RunFolder.of(args.out, record.variant, record.scale, record.seed)
        kept.path.mkdir(parents=True, exist_ok=True)
        if record.seed == args.seed and folder.weights.exists():
            moved = keep_weights(folder, record, kept, opened(record.scale))
            if not abs(moved) <= MOST_DB:
                shutil.copyfile(folder.weights, kept.weights)
            rows.append([record.variant, f"x{record.scale}", f"{moved:+.6f}", f"{kept.weights.stat().st_size:,}"])
        for name in FILES if record.tuned != 1 else ():  # else a copy of the record at the recipe's rate, and no more
            shutil.copyfile(folder.path / name, kept.path / name)
        values = read_sealed(folder.record)
        values["command"] = by_names(str(values.get("command", "")))
        write_sealed(kept.record, values)  # last, with it a run is whole; in today's form
    console.print_table("Weights kept", ["network", "scale", "moved [dB]", "bytes"], rows)
    return 0


def by_names(command: str) -> str:
    """A command line with each path after its script by the last name: where a machine's folders lie says nothing."""
    words = shlex.split(command)
    return shlex.join([*words[:2], *(Path(word).name if "/" in word else word for word in words[2:])])


def keep_weights(folder: RunFolder, record: Record, kept: RunFolder, benchmark: Benchmark) -> float:
    """Write a run's weights in half precision; returns how far that moves its score (dB).

    Raises UserError where the benchmark is none of the run's.
    """
    if benchmark.name not in record.scores:
        raise UserError(f"{folder.path} was not scored on {benchmark.name}. Give one of {', '.join(record.scores)}.")
    state = torch.load(folder.weights, weights_only=True)["params"]
    halves = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    checkpoint.save(kept.weights, {"params": halves})
    network = subject_of(folder, record).network
    load_weights(network, kept.weights)
    scores = score(for_scoring(network, CPU)[0], benchmark, Protocol(scale=record.scale), CPU)
    return scores[HEADLINE] - record.scores[benchmark.name][HEADLINE]


if __name__ == "__main__":
    sys.exit(main())
