"""A share of the training images kept from training, for choices that no benchmark may make.

Which ones is decided by their names alone (a hash), so that a choice is the same on every machine and in every order of
the files, and neither the first nor the last of a sorted set. Images too small to be scored are never taken.
"""

import hashlib
import math
import os
from collections.abc import Sequence
from dataclasses import replace

from safmn_bench.ablations.data.benchmarks import Benchmark, smallest_side
from safmn_bench.ablations.data.layouts import ImageFiles
from safmn_bench.ablations.data.training_sets import TrainingSet
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.images import image_size

NAME = "held_out"
SHARE = 0.1
MOST = 50  # images: more cost time and decide nothing that 50 do not


def held_out(
    sets: Sequence[TrainingSet], scale: int, share: float = SHARE, most: int = MOST
) -> tuple[list[TrainingSet], Benchmark]:
    """The sets without the held-out images, each noting how many it gave, and a benchmark `held_out` of those.

    Raises UserError: a share outside (0, 1), or no image that could be held out while another stays to train on.
    """
    if not 0 < share < 1:
        raise UserError(f"The held-out share {share:g} is out of range. Allowed: above 0 and below 1, such as {SHARE}.")
    least = smallest_side(scale)
    pool = [
        (training_set.name, item)
        for training_set in sets
        for item in training_set.items
        if min(image_size(item.hr)) >= least
    ]
    count = min(most, math.ceil(share * len(pool)))
    if not pool or sum(len(training_set.items) for training_set in sets) <= count:
        names = ", ".join(training_set.name for training_set in sets)
        raise UserError(
            f"Nothing can be held out of {names}: that needs at least two images, one of them at least {least} pixels "
            "on each side. Give a larger training set with --train-data."
        )
    taken = sorted(pool, key=lambda named: _rank(*named))[:count]
    chosen = {(name, item.name) for name, item in taken}
    items = [ImageFiles(f"{name}/{item.name}", item.hr, item.lr) for name, item in sorted(taken, key=_name_of)]
    kept = [without for training_set in sets if (without := _without(training_set, chosen)).items]
    return kept, Benchmark(NAME, scale, items, "training images kept from training")


def _without(training_set: TrainingSet, chosen: set[tuple[str, str]]) -> TrainingSet:
    kept = tuple(item for item in training_set.items if (training_set.name, item.name) not in chosen)
    note = f"{len(training_set.items) - len(kept)} held out" if len(kept) < len(training_set.items) else ""
    return replace(training_set, items=kept, note="; ".join(filter(None, (training_set.note, note))))


def _name_of(named: tuple[str, ImageFiles]) -> tuple[str, str]:
    return named[0], named[1].name


def _rank(name: str, item: ImageFiles) -> bytes:
    return hashlib.sha256(os.fsencode(f"{name}/{item.name}")).digest()
