"""How long a sweep will take, from steps measured here and now."""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace

import torch

from safmn_bench.ablations.data.sampling import Batch
from safmn_bench.ablations.recipe import Recipe
from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.graph import steps_of
from safmn_bench.ablations.training.learner import Learner
from safmn_bench.profiling.common.memory import keep_freed_memory
from safmn_bench.profiling.common.processes import in_child

BUDGET_S = 5.0  # for measuring, over all networks together


def seconds_of(plans: Sequence[Plan], devices: int) -> float | None:
    """Seconds of training for all plans on `devices` side by side; None where nothing is to do or could be measured.

    Each different network is measured until `BUDGET_S` are spent; the others are taken to be like their mean. Runs
    that share a device slow each other down: on each it is the time of one run after the other. Steps are measured
    uncompiled, which takes longer than compiled, since compiling takes longer than any plan should. On a GPU a process
    that ends measures them: a launcher that did would hold memory there for as long as its sweep lasts.
    """
    if not plans:
        return None
    kinds: dict[str, Plan] = {}
    for plan in plans:
        kinds.setdefault(kind_of(plan), plan)
    device = plans[0].device
    if device.type == "cuda" and not torch.cuda.is_available():
        return None  # planned here, run elsewhere
    try:
        steps = measured(kinds) if device.type == "cpu" else in_child(measured, kinds)
    except BrokenProcessPool:
        return None
    known = [seconds for seconds in steps.values() if seconds is not None]
    if not known:
        return None
    mean = sum(known) / len(known)
    return sum((steps.get(kind_of(plan)) or mean) * plan.recipe.train.iterations for plan in plans) / devices


def kind_of(plan: Plan) -> str:
    """Plans of one kind take equally long per step."""
    keys = plan.recipe.train
    return f"{plan.candidate.name} {plan.scale} {keys.patch} {keys.batch} {plan.recipe.compute}"


def measured(kinds: Mapping[str, Plan]) -> dict[str, float | None]:
    """Kind -> seconds of a step, of as many kinds as there is time for, one at least."""
    deadline = time.monotonic() + BUDGET_S
    steps: dict[str, float | None] = {}
    for kind, plan in kinds.items():
        if not steps and plan.device.type == "cpu":
            keep_freed_memory()  # as the runs themselves do
        if not steps or time.monotonic() < deadline:
            steps[kind] = step_seconds(plan)
    return steps


def step_seconds(plan: Plan) -> float | None:
    """One training step, or None where it fails: the run itself will say why, and takes no other run with it."""
    if plan.candidate.own is not None:
        return None  # foreign code runs in the process of its own run
    try:
        return measured_step(plan)
    except Exception:
        return None


def measured_step(plan: Plan) -> float:
    """Seconds of the fastest of three training steps on zeros, after a first one; the random state is left alone.

    The fastest: what else the machine does at this moment is not what the estimate is about.
    """
    keys = plan.recipe.train
    shape = (keys.batch, 3, keys.patch, keys.patch)
    lr = torch.zeros(shape, device=plan.device)
    hr = torch.zeros((*shape[:2], keys.patch * plan.scale, keys.patch * plan.scale), device=plan.device)
    with torch.random.fork_rng(devices=[]):
        learner = Learner(plan.candidate.build(plan.scale), uncompiled(plan.recipe), Group(0, 1, plan.device))
        steps = steps_of(learner, OneBatch((lr, hr)))
        steps.prepare(0)
        outcomes = steps.take(0, 4)
        next(outcomes).sum().item()  # not timed: it allocates and tunes
        times = []
        for _ in range(3):
            started = time.perf_counter()
            next(outcomes).sum().item()  # .item() waits for the device
            times.append(time.perf_counter() - started)
    return min(times)


@dataclass(frozen=True)
class OneBatch:
    """The same batch for every iteration."""

    batch: Batch

    def take(self, first: int, end: int) -> Iterator[Batch]:
        """The batches of iterations `first` to `end`."""
        return itertools.repeat(self.batch, end - first)


def uncompiled(recipe: Recipe) -> Recipe:
    """The recipe with a step that is ready at once."""
    return replace(recipe, compute=replace(recipe.compute, compile=False))
