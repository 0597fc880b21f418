"""Sets opened with LR where the options say: the same for run, prepare and evaluate."""

from collections.abc import Sequence
from pathlib import Path

from safmn_bench.ablations.data.benchmarks import Benchmark, embedded_validation, open_benchmarks
from safmn_bench.ablations.data.options import MADE, LROptions
from safmn_bench.ablations.data.pairs import LRChoice, require_used
from safmn_bench.ablations.data.training_sets import TrainingSet, open_training_sets


def lr_choice(options: LROptions) -> LRChoice:
    """What the options say. Raises UserError for a pattern that is none."""
    made = MADE in options.lr
    folders = () if made else tuple(Path(folder) for folder in options.lr)
    return LRChoice(folders=folders, made=made, pattern=options.lr_pattern, is_bicubic=not options.lr_is_not_bicubic)


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
