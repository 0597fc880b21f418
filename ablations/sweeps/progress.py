"""A sweep at a glance: a live table on a terminal, a line per event elsewhere; and one run's bar in this process."""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.live import Live
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.ablations.record import Record
from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.ablations.runs.running import run
from safmn_bench.ablations.runs.signals import StopRequest
from safmn_bench.ablations.sweeps.jobs import AT_CUT, OTHER, Job, in_words
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.loop import Scores
from safmn_bench.profiling.common import console

REDRAW_S = 0.5
SHOWN = 30  # rows: running ones first, then the latest that ended, then those that wait
_STATES = ("running", "elsewhere", "failed", OTHER, "stopped", "collapsed", "finished", AT_CUT, "queued", "waiting")
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
    out = console.console(stderr=True)
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
    score = METRICS[HEADLINE].heading(METRICS[HEADLINE].label)
    table = Table("run", "state", "iteration", "loss", score, "ETA", title=title, title_justify="left")
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
        "-" if job.score is None else f"{job.score:.{METRICS[HEADLINE].digits.paper}f}",
        "-" if eta is None else duration(eta),
    ]


def line_of(job: Job) -> str:
    """The state in words, for logs."""
    if job.cause:
        return f"{job.state}: {job.cause}"
    return job.state if job.score is None else f"{job.state}, {in_words(job.score)}"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 3725 -> '1:02:05'."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def run_with_bar(plan: Plan, group: Group, stop: StopRequest) -> Record | None:
    """Run one plan under a live progress bar, or with plain lines where there is no terminal."""
    if not group.main or not console.console(stderr=True).is_terminal:
        return run(plan, group, PlainProgress(plan), stop)
    described, state = (TextColumn(what, markup=False) for what in ("{task.description}", "{task.fields[state]}"))
    columns = (described, BarColumn(), "{task.completed}/{task.total}", state)
    times = (TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn(elapsed_when_finished=True))
    with Progress(*columns, *times, console=console.console(stderr=True)) as bar:
        task = bar.add_task(plan.title, total=plan.recipe.train.iterations, state="")
        return run(plan, group, LiveProgress(bar, task, plan), stop)


class LiveProgress:
    """Shows loss, images per second and the last validation's score on a rich bar."""

    def __init__(self, bar: Progress, task: TaskID, plan: Plan) -> None:
        self.bar, self.task, self.batch = bar, task, plan.recipe.train.batch
        self.score = ""

    def __call__(self, done: int, loss: float, scores: Scores | None) -> None:
        """Take note of progress."""
        for dataset, values in (scores or {}).items():
            self.score = f"{dataset} {in_words(values[HEADLINE])}"
        speed = (self.bar.tasks[0].speed or 0.0) * self.batch
        state = f"loss {loss:.4f}  {speed:.0f} images/s  {self.score}"
        self.bar.update(self.task, completed=done, state=state)


class PlainProgress:
    """A line per validation, for logs."""

    def __init__(self, plan: Plan) -> None:
        self.name, self.total = plan.title, plan.recipe.train.iterations

    def __call__(self, done: int, loss: float, scores: Scores | None) -> None:
        """Take note of progress."""
        for dataset, values in (scores or {}).items():
            line = f"{self.name}: iteration {done}/{self.total}, loss {loss:.4f}, {dataset}"
            print(f"{line} {in_words(values[HEADLINE])}", file=sys.stderr, flush=True)
