"""Before anything trains: sets are opened, each is checked, and the first offender named with its set, file and fix.

In this order, cheap before dear: partners and names of all files (when sets are opened), sizes from headers (LR against
HR, HR against the patch), some given pairs by their pixels (pair_check.py), benchmarks decoded whole, training images
decoded whole (while they are packed, which needs that anyway), and training against benchmarks by the pixels of the HR
images, whatever the files are called. All other pairs are checked where they are decoded.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from safmn_bench.ablations.data.benchmarks import Benchmark, embedded_validation, open_benchmarks
from safmn_bench.ablations.data.lr_choice import LRChoice
from safmn_bench.ablations.data.options import MADE, LROptions
from safmn_bench.ablations.data.pack import PackedSet, find_pack, named_items, pack
from safmn_bench.ablations.data.pack_writer import places_of
from safmn_bench.ablations.data.pair_check import check_sample
from safmn_bench.ablations.data.pairs import require_used
from safmn_bench.ablations.data.training_sets import TrainingSet, open_training_sets
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.console import Report

_SHOWN = 5  # offenders that an error lists


def lr_choice(options: LROptions) -> LRChoice:
    """The choice of LR that the options make. Raises UserError for a pattern that is none."""
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
    items = [*(training_set.items for training_set in sets), *(benchmark.items for benchmark in opened)]
    require_used(lr, items or [embedded_validation(scale).items], scale)
    return sets, opened


def notes_of(benchmarks: Sequence[Benchmark]) -> list[str]:
    """How the benchmarks' images were treated, and which files were passed over."""
    return [note for benchmark in benchmarks for note in benchmark.notes()]


def prepare_training(
    sets: Sequence[TrainingSet],
    benchmarks: Sequence[Benchmark],
    *,
    scale: int,
    patch: int = 1,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Report = lambda *_: None,
    verify: bool = False,
) -> PackedSet:
    """Check everything and return the packed training set, packing it first where needed.

    `patch`: LR pixels on each side that training cuts out. Raises UserError for the first offender.
    """
    packed = None if verify else find_pack(sets, scale, cache)
    if packed is None:
        named = list(named_items(sets))
        places = places_of([item for _, item in named], scale)
        require_room([name for name, _ in named], places.lr_height, places.lr_width, patch)
    for training_set in sets:
        check_sample(training_set.items, scale)
    references = benchmark_digests(benchmarks, progress)
    packed = packed or pack(sets, scale, cache, workers, progress, verify=verify)
    require_room(packed.names, packed.lr_height, packed.lr_width, patch)
    require_disjoint(packed, references)
    return packed


def require_room(names: Sequence[str], lr_height: np.ndarray, lr_width: np.ndarray, patch: int) -> None:
    """Raise UserError where an image is smaller than the patch; the first one is named, and how many more."""
    small = np.flatnonzero(np.minimum(lr_height, lr_width) < patch)
    if small.size:
        i = int(small[0])
        others = f" ({small.size - 1} more are too small as well)" if small.size > 1 else ""
        least = int(np.minimum(lr_height, lr_width).min())
        raise UserError(
            f"Training image {names[i]} is {lr_width[i]}x{lr_height[i]} pixels as LR, smaller than train.patch={patch}"
            f"{others}. Take it out of the set (run.py does so with --leave-out-small), or choose a smaller patch: "
            f"--set train.patch={least}."
        )


def without_small(sets: Sequence[TrainingSet], scale: int, patch: int) -> list[TrainingSet]:
    """The sets without images smaller than the LR patch, by their headers; each set's note says how many.

    Raises UserError where nothing is left of a set.
    """
    return [_without_small(training_set, scale, patch) for training_set in sets]


def _without_small(training_set: TrainingSet, scale: int, patch: int) -> TrainingSet:
    places = places_of(training_set.items, scale)
    wide = np.minimum(places.lr_height, places.lr_width) >= patch
    if not wide.any():
        raise UserError(
            f"Training set {training_set.folder} holds only images smaller than train.patch={patch} as LR. Leave it "
            "out, or choose a smaller patch."
        )
    if wide.all():
        return training_set
    left_out = f"{int((~wide).sum())} smaller than the LR patch of {patch} left out"
    kept = tuple(item for item, is_wide in zip(training_set.items, wide, strict=True) if is_wide)
    return replace(training_set, items=kept, note="; ".join(filter(None, (training_set.note, left_out))))


def benchmark_digests(benchmarks: Sequence[Benchmark], progress: Report = lambda *_: None) -> dict[str, str]:
    """Digest of each whole HR image -> <benchmark>/<image>; all are read, into their benchmarks' caches.

    Raises UserError for a file that cannot be read.
    """
    total = sum(len(benchmark.items) for benchmark in benchmarks)
    digests: dict[str, str] = {}
    done = 0
    for benchmark in benchmarks:
        for pair in benchmark.pairs():
            digests[pair.digest] = f"{benchmark.name}/{pair.name}"
            done += 1
            progress("checking benchmarks", done, total)
    return digests


def require_disjoint(packed: PackedSet, references: dict[str, str]) -> None:
    """Raise UserError where an image trains and scores: same pixels, whatever the file is called."""
    leaks = [
        f"{name} is {references[digest]}"
        for name, digest in zip(packed.names, packed.digests, strict=True)
        if digest in references
    ]
    if leaks:
        more = f", and {len(leaks) - _SHOWN} more" if len(leaks) > _SHOWN else ""
        raise UserError(
            f"{len(leaks)} training images also stand in a benchmark, whose scores would be false: "
            f"{'; '.join(leaks[:_SHOWN])}{more}. Take them out of the training set, or leave that benchmark out."
        )
