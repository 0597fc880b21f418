"""The steps of a training one after the other, and what comes before the first: compiling and tuning, off the clock."""

import time
from collections.abc import Iterator
from typing import Protocol

import torch

from safmn_bench.ablations.data.sampling import Batch
from safmn_bench.ablations.training.learner import Learner
from safmn_bench.profiling.common.devices import synchronise


class Batches(Protocol):
    """Where batches come from."""

    def take(self, first: int, end: int) -> Iterator[Batch]:
        """The batches of iterations `first` to `end`."""
        ...


class Steps:
    """A learner fed with batches."""

    def __init__(self, learner: Learner, batches: Batches) -> None:
        self.learner, self.batches = learner, batches
        self.form = ""
        """Whether steps run as a CUDA graph, or why not; empty where the recipe does not ask for it."""

    def prepare(self, first: int) -> float:
        """Do once, on the batch of iteration `first`, what only the first step does; the seconds that it took.

        Compilation and the choice of kernels take up to minutes and are no part of the pace of training. Nothing else
        is different afterwards. A step on a CPU that is not compiled has nothing to prepare: 0.
        """
        if not self.learner.compiled and self.learner.device.type == "cpu":
            return 0.0
        started = time.perf_counter()
        with self.learner.undone():
            self.prepare_on(first)
        synchronise(self.learner.device)
        return time.perf_counter() - started

    def prepare_on(self, first: int) -> None:
        """Make a step on the batch of iteration `first`."""
        for lr, hr in self.batches.take(first, first + 1):
            self.learner.step(lr, hr, first)

    def take(self, first: int, end: int) -> Iterator[torch.Tensor]:
        """(loss, gradient norm) of iterations `first` to `end`, each a tensor of two on the device."""
        for iteration, (lr, hr) in enumerate(self.batches.take(first, end), start=first):
            yield self.learner.step(lr, hr, iteration)
