"""The options that say where LR is, and sets opened by them: the same for run, prepare and evaluate."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from safmn_bench.ablations.data.benchmarks import Benchmark, embedded_validation, open_benchmarks
from safmn_bench.ablations.data.pairs import LRChoice, require_used
from safmn_bench.ablations.data.training_sets import TrainingSet, open_training_sets
from safmn_bench.models.errors import UserError

_MADE = "made"


def add_lr_options(parser: argparse.ArgumentParser) -> None:
    """Add --lr, --lr-pattern and --lr-is-not-bicubic."""
    group = parser.add_argument_group("LR images")
    group.add_argument(
        "--lr", nargs="+", default=[], metavar="DIR",
        help="folders to read LR from, each for the nearest set whose files are called alike; `made`: LR is made from "
        "HR by MATLAB-style bicubic, whatever lies beside it (default: what lies beside HR under a known name, else "
        "made)",
    )  # fmt: skip
    group.add_argument(
        "--lr-pattern", metavar="PATTERN",
        help="how an LR file is called without suffix, from {name} (the HR file's) and {scale}: '{name}_LR{scale}'",
    )  # fmt: skip
    group.add_argument(
        "--lr-is-not-bicubic", action="store_true",
        help="LR is of another kind (a camera's, blurred, noisy): do not compare it with bicubic of HR",
    )  # fmt: skip


def lr_choice(lr: Sequence[str], pattern: str | None, *, is_not_bicubic: bool) -> LRChoice:
    """What the options say. Raises UserError for `made` beside a folder, and for a pattern that is none."""
    made = _MADE in lr
    if made and (len(lr) > 1 or pattern is not None):
        raise UserError("--lr made makes all LR from HR: give no folder and no --lr-pattern beside it.")
    folders = () if made else tuple(Path(folder) for folder in lr)
    return LRChoice(folders=folders, made=made, pattern=pattern, is_bicubic=not is_not_bicubic)


def open_images(
    train: Sequence[Path] | None, benchmarks: Sequence[Path], scale: int, lr: LRChoice
) -> tuple[list[TrainingSet], list[Benchmark]]:
    """Training sets (None: none at all; no folder: the embedded photographs) and benchmarks, with LR as chosen.

    Raises UserError as `open_training_sets` and `open_benchmarks`, and where an --lr folder belongs to none of them.
    """
    sets = [] if train is None else open_training_sets(train, scale, lr)
    opened = open_benchmarks(benchmarks, scale, lr)
    items = [*(one.items for one in sets), *(one.items for one in opened)]
    require_used(lr, items or [embedded_validation(scale).items], scale)
    return sets, opened


def notes_of(benchmarks: Sequence[Benchmark]) -> list[str]:
    """What was done to the benchmarks' images, and which files were passed over."""
    return [note for benchmark in benchmarks for note in benchmark.notes()]
