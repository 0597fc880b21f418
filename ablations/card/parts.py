"""The parts of what is measured, as commands of the suite, each with a limit of its own, the most telling first."""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

from safmn_bench.ablations.card.options import CardOptions
from safmn_bench.models.variants import TABLE3

START_S, SLOTS = 10.0, 8
"""Of a run in the sweep: what comes before its first step and after its last, and how many runs share the GPU."""
STEP_S = 0.005  # of a training step at LR patch 24, batch 8, where none was measured: a cautious guess
FEWEST, MOST = 100, 3000
"""Iterations of the sweep: below, nothing ranks; the upper one is what `reduced_cpu` has."""
SHARE = 0.7  # of the time that is left: a step is slower beside other runs
PACES = {"pace_24x8": (24, 8, 55), "pace_64x64": (64, 64, 50)}
"""LR patch, batch and seconds: a small one, where launching is what takes the time, and the published training's."""
TINY = ("train.patch=8", "train.batch=2")
"""What a dry run sets, beside its network of one block."""
TESTS = ("tests/gpu", "tests/analysis/attribution/test_lam.py")
"""Where tests marked `gpu` stand."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """A command and its limit; its output goes to NAME.log."""

    name: str
    command: tuple[str, ...]
    limit_s: float
    resumable: bool = False
    """Begun again where it was stopped, as often as time allows."""


def script(name: str, *arguments: object) -> tuple[str, ...]:
    """The call of one of the suite's commands, in this Python."""
    return (sys.executable, "-m", "safmn_bench.ablations.cli", name, *map(str, arguments))


def measuring_parts(options: CardOptions, out: Path) -> list[Part]:
    """Tests, pace of training, Table 2 and Table 5."""
    if options.dry_run:
        return tiny_parts(out)
    device = ("--device", options.device)
    paces = [
        Part(
            name=name,
            command=script(
                *(
                    "throughput",
                    *device,
                    "--recipe",
                    "paper",
                    "--forms",
                    "--seconds",
                    seconds,
                    "--csv",
                    out / f"{name}.csv",
                ),
                *("--set", f"train.patch={patch}", f"train.batch={batch}"),
            ),
            limit_s=seconds + 30,  # for a compilation that was begun
        )
        for name, (patch, batch, seconds) in PACES.items()
    ]
    return [
        Part(name="tests", command=tests_of(out, "tests", "not compiled"), limit_s=80),
        paces[0],
        Part(
            name="table2",
            command=script("latency", *device, "--implementations", "eager", "--csv", out / "table2.csv"),
            limit_s=90,
        ),
        Part(name="table5", command=script("operators", *device, "--csv", out / "table5.csv"), limit_s=30),
        paces[1],
        Part(name="tests_compiled", command=tests_of(out, "tests_compiled", "compiled"), limit_s=55),
    ]


def tests_of(out: Path, name: str, chosen: str) -> tuple[str, ...]:
    """The tests of a GPU whose names `chosen` fits; each is told as it ends, since the limit may come first."""
    report = f"--junitxml={out / f'{name}.xml'}"
    return (sys.executable, "-m", "pytest", "-v", "-m", "gpu", "-k", chosen, *TESTS, report)


def tiny_parts(out: Path) -> list[Part]:
    """The same commands at the size of a test, on a CPU; tests of a GPU are collected, and skip."""
    small, cpu = tiny_network(out), ("--device", "cpu")
    forms = ("--model", small, "--forms", "--seconds", 1)
    table2 = ("--models", small, "--implementations", "eager", "--lr-size", "16x16", "--runs", 2)
    table5 = ("--model", small, "--lr-size", "24x16", "--passes", 1)
    commands = {
        "tests": tests_of(out, "tests", "not compiled"),
        "pace_24x8": script(*("throughput", *cpu, *forms, "--csv", out / "pace_24x8.csv", "--set", *TINY)),
        "table2": script("latency", *cpu, *table2, "--csv", out / "table2.csv"),
        "table5": script("operators", *cpu, *table5, "--csv", out / "table5.csv"),
    }
    return [Part(name=name, command=command, limit_s=120) for name, command in commands.items()]


def tiny_network(out: Path) -> Path:
    """A network of one block, as a variant's file."""
    path = out / "tiny.yaml"
    path.write_text("model: {n_blocks: 1, dim: 8}\n", encoding="utf-8")
    return path


def sweep(options: CardOptions, out: Path, seconds: float) -> Part:
    """The variants of Table 3 by the recipe that fits the time that is left; the same recipe once it was chosen."""
    chosen = out / "iterations.txt"
    if not chosen.exists():
        fitting = 4 if options.dry_run else iterations_for(seconds, len(TABLE3), step_seconds(out / "pace_24x8.csv"))
        chosen.write_text(str(fitting), encoding="utf-8")
    count = int(chosen.read_text(encoding="utf-8"))
    what = ("--variants", tiny_network(out)) if options.dry_run else ("--table", 3, "--slots-per-device", SLOTS)
    device = "cpu" if options.dry_run else options.device
    images = [
        word
        for option, folders in (("--train-data", options.train_data), ("--benchmarks", options.benchmarks))
        for word in ((option, *folders) if folders else ())
    ]
    keys = [f"train.iterations={count}", f"train.validate_every={count}", f"train.save_every={max(1, count // 4)}"]
    keys += TINY if options.dry_run else ()
    arguments = ("--recipe", "reduced_cpu", "--device", device, "--out", out / "runs", *images, "--set", *keys)
    return Part(name="sweep", command=script("run", *what, *arguments), limit_s=seconds, resumable=True)


def iterations_for(seconds: float, runs: int, step_s: float) -> int:
    """Iterations of each of `runs` runs that `seconds` have room for; starts overlap, steps share one GPU."""
    left = SHARE * seconds - START_S * -(-runs // SLOTS)
    return max(FEWEST, min(MOST, int(left / (runs * step_s)) // 50 * 50))


def step_seconds(path: Path) -> float:
    """Seconds of a training step as the sweep's recipe has it, a graph in tf32, by the pace that was measured.

    Where that is missing, of float32, or a guess.
    """
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = {(row["form"], row["precision"]): row["median_ms"] for row in csv.DictReader(handle)}
        known = (rows.get(form) for form in (("graph", "tf32"), ("graph", "fp32"), ("fast", "fp32")))
        return float(next(ms for ms in known if ms)) / 1e3
    except (OSError, ValueError, KeyError, StopIteration):
        return STEP_S
