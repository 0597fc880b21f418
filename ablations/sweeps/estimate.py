"""How long a sweep will take, from a step measured here and now."""

import time
from collections.abc import Sequence

import torch

from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.learner import Learner
from safmn_bench.profiling.common.memory import keep_freed_memory

BUDGET_S = 5.0  # for measuring, over all networks together


def seconds_of(plans: Sequence[Plan], at_a_time: int) -> float | None:
    """Seconds of training for all plans, `at_a_time` side by side; None where nothing is to do or could be measured.

    Each different network is measured until `BUDGET_S` are spent; the others are
    taken to be like their mean. Runs that share a device slow each other down: on a CPU the estimate is therefore that
    of one after the other.
    """
    if not plans:
        return None
    if plans[0].device.type == "cpu":
        keep_freed_memory()  # as the runs themselves do
    deadline = time.monotonic() + BUDGET_S
    steps: dict[str, float | None] = {}
    for plan in plans:
        if kind_of(plan) not in steps and (not steps or time.monotonic() < deadline):
            steps[kind_of(plan)] = step_seconds(plan)
    known = [seconds for seconds in steps.values() if seconds is not None]
    if not known:
        return None
    mean = sum(known) / len(known)
    total = sum((steps.get(kind_of(plan)) or mean) * plan.recipe.train.iterations for plan in plans)
    return total / at_a_time if plans[0].device.type == "cuda" else total


def kind_of(plan: Plan) -> str:
    """Plans of one kind take equally long per step."""
    keys = plan.recipe.train
    return f"{plan.candidate.name} {plan.scale} {keys.patch} {keys.batch} {plan.recipe.compute}"


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
        learner = Learner(plan.candidate.build(plan.scale), plan.recipe, Group(0, 1, plan.device))
        learner.step(lr, hr, 0).sum().item()  # not timed: it allocates, tunes and compiles
        times = []
        for iteration in range(1, 4):
            started = time.perf_counter()
            learner.step(lr, hr, iteration).sum().item()  # .item() waits for the device
            times.append(time.perf_counter() - started)
    return min(times)
