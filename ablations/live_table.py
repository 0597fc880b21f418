"""All runs of a sweep at a glance: a live table on a terminal, a line per event elsewhere."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.live import Live
from rich.table import Table

from safmn_bench.ablations.jobs import Job
from safmn_bench.profiling import display

REDRAW_S = 0.5
SHOWN = 30  # rows: running ones first, then the latest that ended, then those that wait
_STATES = ("running", "elsewhere", "failed", "stopped", "collapsed", "finished", "queued", "waiting")
_ORDER = {state: place for place, state in enumerate(_STATES)}


class View:
    """Shows jobs; call it often."""

    def __init__(self, jobs: Sequence[Job], live: Live | None) -> None:
        self.jobs, self.live = jobs, live
        self.states = {id(job): job.state for job in jobs}
        self.drawn = 0.0

    def __call__(self) -> None:
        """Redraw, or print what changed."""
        if self.live is None:
            self.print_changes()
        elif time.monotonic() - self.drawn > REDRAW_S:
            self.live.update(table_of(self.jobs), refresh=True)
            self.drawn = time.monotonic()

    def print_changes(self) -> None:
        """One line for each job whose state is another than last time."""
        for job in self.jobs:
            if self.states[id(job)] == job.state:
                continue
            self.states[id(job)] = job.state
            print(f"{job.plan.title}: {line_of(job)}", file=sys.stderr, flush=True)


@contextmanager
def shown(jobs: Sequence[Job]) -> Iterator[View]:
    """A view of the jobs that lasts as long as the context."""
    out = display.console(stderr=True)
    if not out.is_terminal:
        yield View(jobs, None)
        return
    with Live(table_of(jobs), console=out, auto_refresh=False) as live:
        yield View(jobs, live)
        live.update(table_of(jobs), refresh=True)


def table_of(jobs: Sequence[Job]) -> Table:
    """The table: as many rows as fit, and a count of all states."""
    counts = Counter(job.state for job in jobs)
    title = f"{len(jobs)} runs: " + ", ".join(f"{counts[state]} {state}" for state in _ORDER if counts[state])
    table = Table("run", "state", "iteration", "loss", "PSNR-Y [dB]", "ETA", title=title, title_justify="left")
    for job in sorted(jobs, key=lambda job: _ORDER[job.state])[:SHOWN]:
        table.add_row(*cells_of(job))
    return table


def cells_of(job: Job) -> list[str]:
    """One row."""
    eta = job.eta_s() if job.state == "running" else None
    return [
        job.plan.title,
        job.state,
        f"{job.done}/{job.plan.recipe.train.iterations}" if job.done else "-",
        "-" if job.loss is None else f"{job.loss:.4f}",
        "-" if job.psnr_y_db is None else f"{job.psnr_y_db:.2f}",
        "-" if eta is None else duration(eta),
    ]


def line_of(job: Job) -> str:
    """The state in words, for logs."""
    if job.cause:
        return f"{job.state}: {job.cause}"
    return job.state if job.psnr_y_db is None else f"{job.state}, {job.psnr_y_db:.2f} dB"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 3725 -> '1:02:05'."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
