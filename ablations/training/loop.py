"""The training loop that every variant and every peer shares."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.ablations.recipe import Recipe
from safmn_bench.ablations.record import RunFolder, RunLog
from safmn_bench.ablations.scoring.score import NotFinite
from safmn_bench.ablations.training import checkpoint
from safmn_bench.ablations.training.collapse import CollapseWatch
from safmn_bench.ablations.training.graph import steps_of
from safmn_bench.ablations.training.learner import Learner, plain_weights
from safmn_bench.ablations.training.steps import Batches
from safmn_bench.profiling.common.layout import counted

READ_EVERY = 20  # iterations between looks at the losses on the device, for a collapse

Scores = Mapping[str, Mapping[str, float]]
"""Benchmark -> metric -> score."""


class Stopped(Exception):
    """Training was asked to stop; its checkpoint is written."""


class AtCut(Stopped):
    """Training has come as far as it was to go for now; its checkpoint is written."""


Progress = Callable[[int, float | None, Scores | None], None]
"""Told (iterations done, mean loss, scores or None) as they come in; first, with no loss, where a run goes on from."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A training's result. `weights` is the averaged network's state; None after a collapse before any validation."""

    weights: dict[str, torch.Tensor] | None
    iterations: int
    seconds: float
    compile_seconds: float
    sittings: int
    graph: str
    collapse: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """How training speaks with its surroundings."""

    validate: Callable[[nn.Module], Scores]
    """Scores the averaged network."""
    progress: Progress
    stop: Callable[[], bool]
    """Whether to save and stop now."""
    until: int | None = None
    """The iteration after which to save and leave, as if stopped there; None: the recipe's end."""


class Training:
    """One run, from its first iteration or its last checkpoint to its end."""

    def __init__(self, learner: Learner, batches: Batches, recipe: Recipe, folder: RunFolder, hooks: Hooks) -> None:
        self.learner, self.recipe, self.folder, self.hooks = learner, recipe, folder, hooks
        self.steps = steps_of(learner, batches)
        self.group = learner.group
        self.log = RunLog(folder, recipe.train.log_every, recipe.train.validate_every)
        self.watch = CollapseWatch()
        self.done = 0  # iterations
        self.seconds = 0.0  # of training alone: validation and saving are left out
        self.compile_seconds = 0.0  # before the first step of each sitting, in none of `seconds`
        self.sittings = 1  # starts, this one included
        self.unread: list[torch.Tensor] = []  # (loss, gradient norm) of steps, still on the device
        self.unlogged: list[float] = []  # losses since the last row of losses.csv
        self.best: dict[str, Any] = {HEADLINE: None, "iteration": 0, "weights": None}

    def run(self) -> Trained:
        """Train to the end of the recipe or to a collapse. Raises Stopped when asked to stop, AtCut at `until`."""
        self.resume()
        if self.done:
            self.hooks.progress(self.done, None, None)
        if self.at_cut():
            raise AtCut(f"at the cut, after {counted(self.done, 'iteration')}")
        keys = self.recipe.train
        if self.done < keys.iterations:
            self.compile_seconds += self.steps.prepare(self.done)
        started = time.perf_counter()
        for iteration, outcome in enumerate(self.steps.take(self.done, keys.iterations), start=self.done):
            self.unread.append(outcome)
            self.done = iteration + 1
            stop = self.asked_to_stop() or self.at_cut()
            if not (stop or self.due(READ_EVERY, keys.log_every, keys.validate_every, keys.save_every)):
                continue
            collapsed = self.read_losses()
            self.seconds += time.perf_counter() - started
            if collapsed:
                return self.collapsed()
            if self.due(keys.log_every):
                self.write_row(iteration)
            if self.due(keys.validate_every) and not self.score():
                return self.collapsed()
            if stop or self.due(keys.save_every):
                self.save()
            if self.at_cut():
                raise AtCut(f"at the cut, after {counted(self.done, 'iteration')}")
            if stop:
                raise Stopped(f"stopped after {counted(self.done, 'iteration')}")
            started = time.perf_counter()
        return self.trained(plain_weights(self.learner.ema))

    def trained(self, weights: dict[str, torch.Tensor] | None, collapse: dict[str, Any] | None = None) -> Trained:
        """The result, at the end."""
        return Trained(
            weights=weights,
            iterations=self.done,
            seconds=self.seconds,
            compile_seconds=self.compile_seconds,
            sittings=self.sittings,
            graph=self.steps.form,
            collapse=collapse,
        )

    def asked_to_stop(self) -> bool:
        """Whether to stop after this iteration; several processes agree on it, so they look less often."""
        if self.group.world == 1:
            return self.hooks.stop()
        return self.due(READ_EVERY) and self.group.any(self.hooks.stop())

    def at_cut(self) -> bool:
        """Whether training has come as far as it is to go for now."""
        return self.hooks.until is not None and self.done >= self.hooks.until

    def due(self, *intervals: int) -> bool:
        """Whether one of the intervals ends here; the last iteration ends them all."""
        return self.done == self.recipe.train.iterations or any(self.done % interval == 0 for interval in intervals)

    def read_losses(self) -> bool:
        """Fetch the losses that are still on the device; True when they show a collapse."""
        if not self.unread:
            return False
        # one copy of all of them: each copy waits for the device
        values = self.group.mean(torch.stack(self.unread)).tolist()
        first = self.done - len(values)
        self.unread.clear()
        self.unlogged += [loss for loss, _ in values]
        return any(self.watch.observe(first + i, loss, norm) for i, (loss, norm) in enumerate(values))

    def write_row(self, iteration: int) -> None:
        """Add a line to losses.csv: the mean since the last one."""
        mean = sum(self.unlogged) / len(self.unlogged)
        self.unlogged.clear()
        rate = self.recipe.learning_rate(iteration)
        self.log.losses.append({"iteration": self.done, "loss": mean, "lr": rate, "seconds": round(self.seconds, 3)})
        self.hooks.progress(self.done, mean, None)

    def score(self) -> bool:
        """Score the averaged weights, and keep them if they are the best so far (for a collapse later on).

        Process 0 does so for all. False when their output is not finite, which is a collapse.
        """
        scores = None
        try:
            scores = self.hooks.validate(self.learner.ema) if self.group.main else {}
        except NotFinite:
            self.watch.collapse(self.done - 1, "validation output not finite")
        # all processes leave together: the others would wait for this one in the next step
        if self.group.any(scores is None):
            return False
        if scores:
            self.note(scores)
        return True

    def note(self, scores: Scores) -> None:
        """Log scores, and keep the weights if they are the best so far."""
        for dataset, values in scores.items():
            self.log.validation.append({"iteration": self.done, "dataset": dataset, **values})
        mean = sum(values[HEADLINE] for values in scores.values()) / len(scores)
        best, sign = self.best[HEADLINE], METRICS[HEADLINE].better
        if best is None or sign * mean > sign * best:
            weights = plain_weights(self.learner.ema)
            self.best = {HEADLINE: mean, "iteration": self.done, "weights": weights}
        self.hooks.progress(self.done, self.log.losses[-1]["loss"] if self.log.losses else float("nan"), scores)

    def collapsed(self) -> Trained:
        """End here: the best validated weights from before are what remains."""
        if self.group.main:
            self.log.write()
        collapse = {
            "iteration": self.watch.iteration,
            "reason": self.watch.reason,
            "noticed": self.done,
            "weights_from_iteration": self.best["iteration"] or None,
        }
        return self.trained(self.best["weights"], collapse)

    def save(self) -> None:
        """Write the log and last.pt; both are whole at any moment."""
        if not self.group.main:
            return
        # the log first: rows beyond last.pt are dropped on resuming, while missing ones could not be made again
        self.log.write()
        state = {
            "done": self.done,
            "seconds": self.seconds,
            "compile_seconds": self.compile_seconds,
            "sittings": self.sittings,
            "unlogged": self.unlogged,
            "best": self.best,
            "watch": self.watch.state_dict(),
            "learner": self.learner.state_dict(),
            "random": checkpoint.random_state(self.learner.device),
        }
        checkpoint.save(self.folder.checkpoint, state)

    def resume(self) -> None:
        """Go on from last.pt, if there is one. The sampler's position is the iteration itself.

        Raises UserError for a file that is no checkpoint of this run.
        """
        path, device = self.folder.checkpoint, self.learner.device
        state = checkpoint.load(path, device)
        if state is None:
            return
        try:
            self.done, self.seconds, self.sittings = state["done"], state["seconds"], state["sittings"] + 1
            self.compile_seconds = state.get("compile_seconds", 0.0)  # checkpoints from before it was counted lack it
            self.unlogged, self.best = state["unlogged"], state["best"]
            self.watch.load_state_dict(state["watch"])
            self.learner.load_state_dict(state["learner"])
            checkpoint.restore_random_state(state["random"], device)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:  # an older version's, say
            raise checkpoint.unusable(path, error) from error
        self.log.restore(self.done)
