"""What a recorded step reads: samples and learning rate, from tensors whose addresses never change.

`ready` brings in what the next steps need; `read` is what the graph records, and launches nothing from the processor.
"""

from collections.abc import Iterator

import numpy as np
import torch

from safmn_bench.ablations.data.sampling import Batch, PatchSampler, as_batch
from safmn_bench.ablations.training.learner import Learner
from safmn_bench.ablations.training.steps import Batches

AHEAD = 16  # iterations whose draws and learning rates go to the device at once


class TableFeed:
    """For images on the device: draws and rates of the next iterations as tables there, and the place in them."""

    def __init__(self, sampler: PatchSampler, learner: Learner) -> None:
        self.sampler, self.recipe, device = sampler, learner.recipe, learner.device
        self.rate = learner.hold_rate()
        self.rates = torch.zeros(AHEAD, dtype=self.rate.dtype, device=device)
        self.draws = torch.zeros(AHEAD, *sampler.described(0).shape, dtype=torch.int64, device=device)
        self.place = torch.zeros(1, dtype=torch.int64, device=device)

    def ready(self, first: int, end: int) -> Iterator[None]:
        """Yields once for each iteration, when `read` would give its batch."""
        for begin in range(first, end, AHEAD):
            iterations = range(begin, min(begin + AHEAD, end))
            draws = np.stack([self.sampler.described(iteration) for iteration in iterations])
            _send(torch.from_numpy(draws), self.draws)
            rates = [self.recipe.learning_rate(iteration) for iteration in iterations]
            _send(torch.tensor(rates, dtype=self.rates.dtype), self.rates)
            self.place.zero_()
            for _ in iterations:
                yield

    def read(self) -> Batch:
        """The batch at the place in the tables, which moves on; its learning rate is set."""
        self.rate.copy_(self.rates.index_select(0, self.place)[0])
        pixels = self.sampler.gathered(self.draws.index_select(0, self.place)[0])
        self.place.add_(1)
        return as_batch(pixels)


def _send(rows: torch.Tensor, table: torch.Tensor) -> None:
    """Copy rows to the beginning of a table on the device, behind what is queued there.

    Out of pinned memory: any other copy waits until the device has done all that it was given.
    """
    rows = rows.pin_memory() if table.is_cuda else rows
    table[: len(rows)].copy_(rows, non_blocking=True)


class CopyFeed:
    """For images that come from the processor's memory: each batch is copied into the same two tensors."""

    def __init__(self, batches: Batches, learner: Learner) -> None:
        self.batches, self.recipe, self.rate = batches, learner.recipe, learner.hold_rate()
        self.batch: Batch | None = None

    def ready(self, first: int, end: int) -> Iterator[None]:
        """Yields once for each iteration, when `read` would give its batch."""
        for iteration, batch in enumerate(self.batches.take(first, end), start=first):
            self.batch = self.batch or (torch.empty_like(batch[0]), torch.empty_like(batch[1]))
            for kept, new in zip(self.batch, batch, strict=True):
                kept.copy_(new)
            self.rate.fill_(self.recipe.learning_rate(iteration))
            yield

    def read(self) -> Batch:
        """The batch that was copied last."""
        assert self.batch is not None
        return self.batch
