"""Who runs many runs: what an engine is, which there are, and the loop that drives any of them.

To add one: a module with `open_engine(options)`, and its row in `ENGINES` (options.py).
"""

import importlib
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import torch

from safmn_bench.ablations.sweeps.jobs import Job
from safmn_bench.ablations.sweeps.options import ENGINES, RunOptions

_OPEN = ("waiting", "queued", "running", "elsewhere")


class Engine(Protocol):
    """Runs jobs. It keeps what it knows of a job to itself; `state`, `cause` and progress stand in the Job."""

    @property
    def device(self) -> torch.device:
        """The device that a run computes on."""
        ...

    def submit(self, jobs: Sequence[Job], stop: Callable[[], bool]) -> None:
        """Take as many of these, which wait, as there is room for. Raises UserError where they are refused."""
        ...

    def watch(self, jobs: Sequence[Job]) -> None:
        """Bring the states of all jobs of the sweep up to date; takes a fraction of a second."""
        ...

    def stop(self, jobs: Sequence[Job]) -> None:
        """Called once at the end: what still runs here saves and ends; what runs elsewhere may go on."""
        ...


def open_engine(options: RunOptions) -> Engine:
    """The engine that the options ask for. Raises UserError where it cannot work from here."""
    return cast(Engine, importlib.import_module(ENGINES[options.engine].module).open_engine(options))


def run_jobs(jobs: Sequence[Job], engine: Engine, stop: Callable[[], bool], show: Callable[[], None]) -> None:
    """Have every job that waits run, until all have ended or `stop()`; `show` is called often. Jobs hold the outcome.

    Raises UserError where the engine refuses them.
    """
    try:
        while not stop() and any(job.state in _OPEN for job in jobs):
            if waiting := [job for job in jobs if job.state == "waiting"]:
                engine.submit(waiting, stop)
            engine.watch(jobs)
            show()
    finally:
        engine.stop(jobs)
    show()
