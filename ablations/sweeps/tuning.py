"""Every network at the learning rate that suits it: `--tune-lr 0.25 0.5 1 2`.

Each network is trained at these multiples of its recipe's rate, with a seed that is judged nowhere, on the training
images less a share that is held out; the multiple with the best PSNR-Y on the held-out images is its own. No benchmark
is read for that. Then the seeds run twice: at the recipe's rate (OUT/<variant>, as without tuning), and at each
network's own (OUT/tuned/<variant>). Where the recipe's rate is the best, the record is copied there, so that OUT/tuned
holds a family of its own. What was tried stands in OUT/tuning/lr<multiple> and OUT/tuning_x<scale>.json.
"""

import contextlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safmn_bench.ablations.data.benchmarks import Benchmark
from safmn_bench.ablations.data.held_out import NAME, held_out
from safmn_bench.ablations.data.pack import PackedSet
from safmn_bench.ablations.data.preflight import lr_choice, open_images, prepare_training, without_small
from safmn_bench.ablations.metrics import HEADLINE
from safmn_bench.ablations.recipe import Recipe
from safmn_bench.ablations.record import TRIALS, TUNED, RunFolder
from safmn_bench.ablations.records import read_record
from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.ablations.sweeps.jobs import Job, in_words
from safmn_bench.ablations.sweeps.options import RunOptions
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import write_json
from safmn_bench.profiling.common.layout import say

SEED = 9973  # of the trials: none that anybody judges by
_Tried = dict[float, float | None]
"""Multiple -> PSNR on the held-out images; None where the trial collapsed."""
Choice = Mapping[tuple[str, int], float]
"""(Network, scale) -> its multiple of the recipe's learning rate."""


def trials(plans: Sequence[Plan], options: RunOptions) -> list[Plan]:
    """One run per network, scale and multiple, on the training images less the held-out ones, scored on those.

    Raises UserError where the seed is one of those that are judged, or nothing can be held out.
    """
    if any(plan.seed == SEED for plan in plans):
        raise UserError(f"--seeds {SEED}: that seed is the one that learning rates are chosen with. Take another one.")
    trainings = []
    for scale in dict.fromkeys(plan.scale for plan in plans):
        alike = [plan for plan in plans if plan.scale == scale]
        images, kept_back = _images(options, scale, alike)
        first = {plan.candidate.name: plan for plan in alike}
        trainings += [
            replace(
                at_rate(plan, times),
                seed=SEED,
                training_set=images,
                benchmarks=[kept_back],
                metrics=(),
                folder=RunFolder.of(options.out / TRIALS / f"lr{times:g}", plan.candidate.name, scale, SEED),
            )
            for plan in first.values()
            for times in dict.fromkeys(options.tune_lr or ())
        ]
    return trainings


def _images(options: RunOptions, scale: int, plans: Sequence[Plan]) -> tuple[PackedSet, Benchmark]:
    """The training images without the held-out ones, and these; images of the benchmarks are in neither."""
    patch = max(plan.recipe.train.patch for plan in plans)
    sets, _ = open_images(options.train_data, options.benchmarks, scale, lr_choice(options))
    if options.leave_out_small:
        sets = without_small(sets, scale, patch)
    kept, held_back = held_out(sets, scale)
    return prepare_training(kept, [*plans[0].benchmarks, held_back], scale=scale, patch=patch), held_back


def at_rate(plan: Plan, times: float) -> Plan:
    """The plan with its whole schedule at a multiple of the recipe's learning rate."""
    keys = plan.recipe.optimizer
    optimizer = replace(keys, lr=keys.lr * times, min_lr=keys.min_lr * times)
    recipe: Recipe = replace(plan.recipe, optimizer=optimizer)
    return replace(plan, recipe=recipe, rate=times)


def choose(jobs: Sequence[Job], out: Path) -> Choice:
    """The best multiple of each network by the held-out images, the lower of equal ones; written down and told.

    A collapsed trial is not chosen; a network of which all collapsed keeps the recipe's rate.
    """
    scores: dict[tuple[str, int], _Tried] = {}
    for job in jobs:
        record, plan = read_record(job.plan.folder), job.plan
        score = record.scores.get(NAME, {}).get(HEADLINE) if record and record.status == "finished" else None
        scores.setdefault((plan.candidate.name, plan.scale), {})[plan.rate] = score
    choice = {network: _best(tried) for network, tried in scores.items()}
    for scale in {scale for _, scale in choice}:
        lines = {
            name: {"chosen": choice[name, scale], HEADLINE: {f"{times:g}": db for times, db in sorted(tried.items())}}
            for (name, at), tried in scores.items()
            if at == scale
        }
        path = out / f"tuning_x{scale}.json"
        lines = {**{name: line for name, line in _told_before(path).items() if name not in lines}, **lines}
        write_json(path, {"seed": SEED, "scored_on": NAME, "networks": lines})
    for (name, scale), tried in scores.items():
        _tell(name, scale, tried, choice[name, scale])
    return choice


def _told_before(path: Path) -> dict[str, Any]:
    """The lines of an earlier call: further rates are tried of those networks alone that were best at the edge."""
    with contextlib.suppress(OSError, ValueError):  # a file that says nothing is written anew: the trials' records stay
        told = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(told, dict) and told.get("seed") == SEED and told.get("scored_on") == NAME:
            return dict(told["networks"]) if isinstance(told.get("networks"), dict) else {}
    return {}


def _best(tried: _Tried) -> float:
    ended = {times: db for times, db in tried.items() if db is not None}
    return min(ended, key=lambda times: (-ended[times], times)) if ended else 1.0


def _tell(name: str, scale: int, tried: _Tried, chosen: float) -> None:
    words = ", ".join(
        f"{times:g}: {'collapsed' if db is None else in_words(db)}" for times, db in sorted(tried.items())
    )
    edge = len(tried) > 1 and tried[chosen] is not None and chosen in (min(tried), max(tried))
    hint = "; the best is the first or last of those tried: try beyond it" if edge else ""
    say(f"{name} x{scale}: {chosen:g} x the recipe's learning rate (held-out {words}{hint})", sys.stderr)


def tuned(plans: Sequence[Plan], choice: Choice, out: Path) -> list[Plan]:
    """The plans of the judged seeds at each network's own rate; none where that is the recipe's."""
    retuned = []
    for plan in plans:
        times = choice[plan.candidate.name, plan.scale]
        folder = RunFolder.of(out / TUNED, plan.candidate.name, plan.scale, plan.seed)
        if times != 1:
            retuned.append(replace(at_rate(plan, times), folder=folder, tuned=times))
    return retuned


def copy_shared(jobs: Sequence[Job], choice: Choice, out: Path) -> None:
    """Records of networks whose own rate is the recipe's, into the tuned family."""
    for plan in (job.plan for job in jobs):
        record = read_record(plan.folder)
        if choice[plan.candidate.name, plan.scale] == 1 and record is not None and record.status != "failed":
            folder = RunFolder.of(out / TUNED, plan.candidate.name, plan.scale, plan.seed)
            replace(record, tuned=1.0).write(folder)
