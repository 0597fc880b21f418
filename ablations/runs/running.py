"""One run, whole: train, score, and write the record."""

import contextlib
import datetime
import hashlib
import os
import sys
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import nn

from safmn_bench.ablations.data.benchmarks import Benchmark
from safmn_bench.ablations.data.prefetch import open_batches
from safmn_bench.ablations.record import Record
from safmn_bench.ablations.record_schema import dataset
from safmn_bench.ablations.records import forget_no_result, with_means
from safmn_bench.ablations.runs.plan import Plan, claim, finished_record, placed
from safmn_bench.ablations.scoring.loading import PLAIN, fast_where_known
from safmn_bench.ablations.scoring.score import ImageScore, Protocol, score, score_bicubic
from safmn_bench.ablations.training import checkpoint
from safmn_bench.ablations.training.board import Board, Sink
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.learner import Learner
from safmn_bench.ablations.training.loop import Hooks, Progress, Scores, Trained, Training
from safmn_bench.ablations.training.sinks import TensorBoard, Wandb, tensorboard_installed
from safmn_bench.models.keeping import cache_folder
from safmn_bench.models.named_init import build_seeded
from safmn_bench.profiling.common.images import pixel_digest
from safmn_bench.profiling.common.locks import held
from safmn_bench.profiling.common.machine import commit, hardware_name, machine, versions
from safmn_bench.profiling.common.sealed import recalled, remember
from safmn_bench.profiling.counting.flops import complexity


def run(plan: Plan, group: Group, progress: Progress, stop: Callable[[], bool]) -> Record | None:
    """Train, score and record one plan; a finished one is read back, a begun or failed one continues.

    Process 0 returns the record, the others None. Raises UserError when the folder holds another configuration,
    locks.Busy when another process has the run, training.Stopped when asked to stop, and AtCut at `plan.until`.
    """
    with contextlib.ExitStack() as stack:
        if group.main:
            claim(plan)
            if (finished := finished_record(plan)) is not None and group.world == 1:
                return finished
            lock = stack.enter_context(held(plan.folder.lock))
            group.wait()
            return run_held(plan, group, progress, lambda: stop() or lock.lost)
        group.wait()  # process 0 has claimed the folder
        return run_held(plan, group, progress, stop)


def run_held(plan: Plan, group: Group, progress: Progress, stop: Callable[[], bool]) -> Record | None:
    """`run`, with the lock held."""
    finished = finished_record(plan)  # looked at again: it may have been written while the lock was another's
    group.wait()  # every process has looked before process 0 can have written
    if finished is not None:
        return finished
    if group.main:
        forget_no_result(plan.folder)
        if plan.folder.record.exists():
            print(f"{plan.title}: {plan.folder.weights} is gone or damaged, and made again", file=sys.stderr)
        print(f"{plan.title}: training on {hardware_name(group.device)}", file=sys.stderr)
    plan = placed(plan, group.device)
    trained = train(plan, group, progress, stop)
    if not group.main:
        return None
    scores: dict[str, Any] = {}
    form = ""
    plan.folder.record.unlink(missing_ok=True)  # of weights that are replaced now: it must not vouch for the new ones
    if trained.weights is not None:
        # under `params`, where published files have theirs: other programs open it too
        checkpoint.save(plan.folder.weights, {"params": trained.weights})
        network, form = scored_network(plan, trained.weights)
        scores = scores_of(plan, network, stop)
    record = replace(record_of(plan, trained, scores), scored_form=form)
    record.write(plan.folder)
    return record


def train(plan: Plan, group: Group, progress: Progress, stop: Callable[[], bool]) -> Trained:
    """Train from the plan's seed, or from its checkpoint."""
    images, device = plan.training_set, group.device
    starts = plan.recipe.train.initialisation
    network = build_seeded(lambda: plan.candidate.build(plan.scale), plan.seed, starts)
    learner = Learner(network, plan.recipe, group)
    batches = open_batches(
        images, plan.recipe.train, plan.placement, seed=plan.seed, device=device, rank=group.rank, world=group.world
    )

    board = Board(plan.recipe, sinks_of(plan) if group.main else [])

    def validate(network: nn.Module) -> Scores:
        """Scores on the first benchmark: the others are scored once, at the end."""
        first = plan.benchmarks[0]

        def watch(image: ImageScore, sr: torch.Tensor) -> None:
            stop()  # asking shows a launcher that the run lives; it ends at the next iteration
            board.watch(image, sr)

        return {first.name: score(network, first, plan.protocol, device, watch=watch).means}

    def report(done: int, loss: float | None, scores: Scores | None) -> None:
        if group.main:
            progress(done, loss, scores)
            if loss is not None:
                board(done, loss, scores)

    hooks = Hooks(validate=validate, progress=report, stop=stop, until=plan.until)
    try:
        return Training(learner, batches, plan.recipe, plan.folder, hooks).run()
    finally:
        board.close()


def scored_network(plan: Plan, weights: dict[str, torch.Tensor]) -> tuple[nn.Module, str]:
    """The saved weights in a network built anew, and its form in words: the fast one where the recipe allows it."""
    network = plan.candidate.build(plan.scale)
    network.load_state_dict(weights)
    network = network.to(plan.device).eval()
    return fast_where_known(network, plan.device) if plan.recipe.compute.fast else (network, PLAIN)


def sinks_of(plan: Plan) -> list[Sink]:
    """Who is told how the run goes. Raises UserError where one that was asked for does not start."""
    folder = plan.folder.path
    sinks: list[Sink] = [TensorBoard(folder)] if tensorboard_installed() else []
    if plan.wandb is not None:
        run = {"title": plan.title, "run_id": plan.config_hash(), "config": plan.config()}
        sinks.append(Wandb(plan.wandb, folder, **run))
    return sinks


def scores_of(plan: Plan, network: nn.Module, stop: Callable[[], bool]) -> dict[str, Any]:
    """Final scores on every benchmark; `stop` is asked alone."""

    def watch(*_: object) -> None:
        stop()

    return {b.name: score(network, b, plan.protocol, plan.device, watch=watch).to_dict() for b in plan.benchmarks}


def record_of(plan: Plan, trained: Trained, scores: dict[str, Any]) -> Record:
    """The record of a trained plan."""
    cost = complexity(plan.candidate, plan.scale)
    samples = trained.iterations * plan.recipe.train.batch
    return Record(
        **described(plan),
        status="collapsed" if trained.collapse else "finished",
        iterations=trained.iterations,
        scores=scores,
        bicubic={b.name: bicubic_scores(b, plan.protocol) for b in plan.benchmarks},
        params=cost.params,
        flops=cost.flops,
        acts=cost.acts,
        uncounted_ops=cost.uncounted_ops,
        train_seconds=round(trained.seconds, 3),
        images_per_second=round(samples / trained.seconds, 3),
        compile_seconds=round(trained.compile_seconds, 3),
        graph=trained.graph,
        collapse=trained.collapse,
        sittings=trained.sittings,
    )


def described(plan: Plan) -> dict[str, Any]:
    """The fields of a record that are known before anything is measured."""
    return {
        "variant": plan.candidate.name,
        "model": plan.candidate.model,
        "scale": plan.scale,
        "seed": plan.seed,
        "recipe": {"name": plan.recipe_name, **plan.recipe.to_dict()},
        "config": plan.config()["network"],
        "protocol": plan.protocol.text,
        "data": {
            **plan.config()["data"],
            "lr": {b.name: b.lr_origin for b in plan.benchmarks},
            "placement": plan.placement.reason,
        },
        "machine": machine(plan.device),
        "versions": versions(),
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "config_hash": plan.config_hash(),
        "command": plan.command,
        "variant_file": plan.candidate.text,
        "tuned": plan.tuned,
        "looks": asdict(plan.looks) if plan.looks else None,
    }


def bicubic_scores(benchmark: Benchmark, protocol: Protocol) -> dict[str, Any]:
    """Plain bicubic on a benchmark, remembered by its images' content: every run of a sweep needs it again."""
    images = [f"{pair.name} {pair.digest} {pixel_digest(pair.lr)}" for pair in benchmark.pairs()]
    content = [protocol.text, *images]
    digest = hashlib.sha256(os.fsencode("\n".join(content))).hexdigest()[:32]
    memory = cache_folder() / "bicubic" / f"{digest}.json"
    known = recalled(memory, _checked)
    if known is None:
        known = score_bicubic(benchmark, protocol).to_dict()
        remember(memory, known)
    return known


def _checked(scores: dict[str, Any]) -> dict[str, Any]:
    """Remembered scores. Raises ValueError where they are none."""
    dataset(scores, "")
    return with_means({"": scores})[""]
