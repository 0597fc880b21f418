"""How much processor time a study of many runs takes: every variant with many seeds, made from one record.

The scores are drawn around those of the record (networks, seeds and runs apart), the curves are copies. There are no
weights, so what is timed are reading, statistics, tables, figures and the page, not attributions.

python tests/benchmarks/study_time.py --from results/ablation/cpu_amd_epyc-reduced_cpu --csv results/benchmarks
"""

import argparse
import datetime
import resource
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
import numpy as np
import torch

from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.ablations.records import records_below
from safmn_bench.analysis.stats.groups import BASELINE
from safmn_bench.models.variants import VARIANTS
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.files import write_csv
from safmn_bench.profiling.common.machine import commit, hardware_name, result_file

CPU = torch.device("cpu")
SCALE = 4
NETWORK_DB, SEED_DB, IMAGE_DB = 0.05, 0.02, 0.02  # deviations of what is drawn
COLUMNS = ("what", "runs", "rounds", "cpu_seconds", "hardware", "torch", "date", "commit")
STUDY = Path(__file__).parents[2] / "analysis" / "study.py"
CALLS = {"with report": (), "records only": ("--records-only",)}


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write a CSV if asked."""
    parser = argparse.ArgumentParser(prog="study_time", description="Measure the processor time of a study.")
    parser.add_argument("--from", type=Path, required=True, metavar="DIR", dest="source", help="a folder of runs")
    parser.add_argument("--seeds", type=int, default=21, metavar="N", help="of each variant (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="studies of each (default: %(default)s)")
    parser.add_argument("--csv", type=Path, metavar="FILE|DIR", help="also write it; a folder gets study_time_...")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        runs = make_runs(Path(folder) / "runs", args.source, args.seeds)
        times = {what: [] for what in CALLS}
        for _ in range(args.rounds):
            for what, flags in CALLS.items():
                times[what].append(study_seconds(Path(folder) / "runs", Path(folder) / "out", flags))
    rows = [row(what, runs, args.rounds, median(values)) for what, values in times.items()]
    cells = [[row["what"], str(row["runs"]), f"{row['cpu_seconds']:.1f}"] for row in rows]
    console.print_table("A study", ["what", "runs", "CPU seconds"], cells)
    if args.csv:
        path = result_file(args.csv, "study_time", CPU)
        write_csv(path, COLUMNS, rows)
        print(f"Written: {path}")
    return 0


def make_runs(out: Path, source: Path, seeds: int) -> int:
    """Write a run of each variant and seed; returns how many."""
    folder, first = next(
        (folder, record)
        for folder, record in records_below(source)
        if (record.variant, record.scale) == (BASELINE, SCALE)
    )
    rng = np.random.default_rng(0)
    for variant in VARIANTS:
        network = rng.normal(0, NETWORK_DB)
        for seed in range(seeds):
            record = replace(
                first, variant=variant, seed=seed, scores=_drawn(first, network + rng.normal(0, SEED_DB), rng),
                config={**first.config, "variant": variant, "seed": seed}, config_hash=f"{rng.integers(1 << 60):016x}",
            )  # fmt: skip
            made = RunFolder.of(out, variant, SCALE, seed)
            made.path.mkdir(parents=True)
            for name in ("config.yaml", "losses.csv", "validation.csv"):
                shutil.copy(folder.path / name, made.path / name)
            record.write(made)
    return len(VARIANTS) * seeds


def _drawn(record: Record, offset: float, rng: np.random.Generator) -> dict[str, Any]:
    """The record's scores with each image's PSNR moved; the means are those of the images."""
    scores: dict[str, Any] = {}
    for dataset, measured in record.scores.items():
        images = {
            image: {
                metric: value + (offset + rng.normal(0, IMAGE_DB) if "psnr" in metric else 0.0)
                for metric, value in values.items()
            }
            for image, values in measured["images"].items()
        }
        means = {
            metric: float(np.mean([values[metric] for values in images.values()]))
            for metric in measured
            if metric != "images"
        }
        scores[dataset] = {**means, "images": images}
    return scores


def study_seconds(runs: Path, out: Path, flags: tuple[str, ...]) -> float:
    """Processor time of one study, its imports included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, STUDY, "--runs", runs, "--out", out, *flags], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def row(what: str, runs: int, rounds: int, seconds: float) -> dict[str, Any]:
    """A line of the CSV."""
    values = (what, runs, rounds, round(seconds, 2), hardware_name(CPU), torch.__version__)
    return dict(zip(COLUMNS, (*values, datetime.date.today().isoformat(), commit()), strict=True))


if __name__ == "__main__":
    sys.exit(main())
