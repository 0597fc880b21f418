"""A run of a sweep as its launcher sees it: how far it is, and how it ended."""

import time
from dataclasses import dataclass
from typing import Any

from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.ablations.record import validation_at
from safmn_bench.ablations.records import read_record
from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.profiling.common.locks import is_held

BASELINE = "baseline"
"""The network that the others of a sweep are compared with."""
AT_CUT = "at the cut"
"""A job's state: trained as far as it was to go for now."""
OTHER = "other configuration"
"""A job's state: its folder holds a run of another configuration, and is left alone."""


@dataclass
class Job:
    """A run, and how far it is."""

    plan: Plan
    state: str = "waiting"
    """waiting, queued (in Slurm), running, elsewhere (another launcher has it), at the cut, other configuration, or how
    it ended: finished, collapsed, failed, stopped (told to, or by halving: see `decided`)"""
    decided: bool = False
    """Whether the sweep itself stopped it at the cut, as its record says."""
    skipped: bool = False
    """Whether its record was there before."""
    cause: str = ""
    done: int = 0
    loss: float | None = None
    score: float | None = None
    """The headline metric's, at the last validation."""
    started: float = 0.0
    first_done: int | None = None
    """Iterations at the first message of this sitting, for the pace."""

    def note(self, done: int, loss: float | None, score: float | None) -> None:
        """Take note of progress."""
        if self.first_done is None:
            self.first_done, self.started = done, time.monotonic()
        self.done, self.loss = done, loss
        self.score = self.score if score is None else score

    def eta_s(self) -> float | None:
        """Seconds to the end of training at the pace since its first message, if that is known."""
        if self.first_done is None or self.done <= self.first_done:
            return None
        pace = (time.monotonic() - self.started) / (self.done - self.first_done)
        return pace * ((self.plan.until or self.plan.recipe.train.iterations) - self.done)

    def settle(self) -> bool:
        """Take the outcome from the folder, if there is one and nobody is running it again."""
        folder = self.plan.folder
        if is_held(folder.lock):
            return False
        if (record := read_record(folder)) is None:
            if self.plan.until is None or validation_at(folder, self.plan.until) is None:
                return False
            self.state, self.done = AT_CUT, self.plan.until
            return True
        self.state, self.cause, self.done = record.status, record.error, record.iterations or self.done
        return True


def headline_of(scores: Any) -> float | None:
    """The last benchmark's headline score of a progress message, if it has scores."""
    return [values[HEADLINE] for values in scores.values()][-1] if scores else None


def in_words(score: float) -> str:
    """A headline score with its unit: `26.75 dB`."""
    metric = METRICS[HEADLINE]
    return f"{score:.{metric.digits.paper}f} {metric.unit}".strip()
