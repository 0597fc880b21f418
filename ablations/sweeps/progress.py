"""A sweep at a glance: a live table on a terminal, a line per event elsewhere; and one run's bar in this process.

What does not fit the terminal's width is left out whole, by a stated order; a run's name stays.
"""

import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress import Progress, TaskID
from rich.text import Text

from safmn_bench.ablations.metrics import HEADLINE, METRICS
from safmn_bench.ablations.record import Record
from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.ablations.runs.running import run
from safmn_bench.ablations.runs.signals import StopRequest
from safmn_bench.ablations.sweeps.jobs import AT_CUT, OTHER, Job, in_words
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.loop import Scores
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.layout import Grid, counted, say

REDRAW_S = 0.5
SHOWN = 30  # rows: running ones first, then the latest that ended, then those that wait
_AROUND = 5  # lines of a live table that are no runs, and the prompt's
_STATES = ("running", "elsewhere", "failed", OTHER, "stopped", "collapsed", "finished", AT_CUT, "queued", "waiting")
_ORDER = {state: place for place, state in enumerate(_STATES)}
_COLUMNS = ("run", "state", "iteration", "loss", METRICS[HEADLINE].heading(METRICS[HEADLINE].label), "ETA")
_LEFT_OUT = (3, 2, 5, 4)  # loss, iteration, ETA, score: in this order, where they do not fit


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
            self.live.update(SweepTable(self.jobs), refresh=True)
            self.drawn = time.monotonic()

    def print_changes(self) -> None:
        """One line for each job whose state is another than last time."""
        for job in self.jobs:
            if self.states[id(job)] == job.state:
                continue
            self.states[id(job)] = job.state
            say(f"{job.plan.title}: {line_of(job)}", sys.stderr)


@contextmanager
def shown(jobs: Sequence[Job]) -> Iterator[View]:
    """A view of the jobs that lasts as long as the context."""
    out = console.console(stderr=True)
    if not out.is_terminal:
        yield View(jobs, None)
        return
    with Live(SweepTable(jobs), console=out, auto_refresh=False) as live:
        yield View(jobs, live)
        live.update(SweepTable(jobs), refresh=True)


class SweepTable:
    """The live table: as many rows and columns as the terminal has room for, and a count of all states."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self.jobs = jobs

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it for this console, as it is now."""
        lines = table_lines(self.jobs, options.max_width, min(SHOWN, max(1, console.height - _AROUND)))
        yield Text("\n".join(lines), overflow="fold")


def table_lines(jobs: Sequence[Job], width: int, height: int) -> list[str]:
    """The live table in lines of at most `width`, with at most `height` runs."""
    counts = Counter(job.state for job in jobs)
    states = ", ".join(f"{counts[state]} {state}" for state in _ORDER if counts[state])
    rows = [cells_of(job) for job in sorted(jobs, key=lambda job: _ORDER[job.state])[:height]]
    grid, kept = Grid(_COLUMNS, rows, texts=2), [*range(len(_COLUMNS))]
    for column in _LEFT_OUT:
        if grid.picked(kept).width() > width:
            kept.remove(column)
    return [f"{counted(len(jobs), 'run')}: {states}", *grid.picked(kept).lines()]


def cells_of(job: Job) -> list[str]:
    """One row."""
    eta = job.eta_s() if job.state == "running" else None
    return [
        job.plan.title,
        job.state,
        f"{job.done}/{job.plan.recipe.train.iterations}" if job.done else "-",
        "-" if job.loss is None else f"{job.loss:.4f}",
        "-" if job.score is None else f"{job.score:.{METRICS[HEADLINE].digits.paper}f}",
        "-" if eta is None else console.duration(eta),
    ]


def line_of(job: Job) -> str:
    """The state in words, for logs."""
    if job.cause:
        return f"{job.state}: {job.cause}"
    return job.state if job.score is None else f"{job.state}, {in_words(job.score)}"


def run_with_bar(plan: Plan, group: Group, stop: StopRequest) -> Record | None:
    """Run one plan under a live progress bar, or with plain lines where there is no terminal."""
    if not group.main or not console.console(stderr=True).is_terminal:
        return run(plan, group, PlainProgress(plan), stop)
    with console.Bar(console=console.console(stderr=True)) as bar:
        task = bar.add_task(plan.title, total=plan.recipe.train.iterations)
        record = run(plan, group, LiveProgress(bar, task, plan), stop)
        if not bar.tasks[0].completed:
            bar.remove_task(task)  # it was finished before, and only read
        return record


class LiveProgress:
    """Shows loss, images per second and the last validation's score on a bar."""

    def __init__(self, bar: Progress, task: TaskID, plan: Plan) -> None:
        self.bar, self.task, self.batch = bar, task, plan.recipe.train.batch

    def __call__(self, done: int, loss: float | None, scores: Scores | None) -> None:
        """Take note of progress; a run that goes on starts where it was left, and its pace is that of this sitting."""
        if loss is None:
            self.bar.reset(self.task, completed=done, origin=origin(done))
            return
        for dataset, values in (scores or {}).items():
            self.bar.update(self.task, score=f"{dataset} {in_words(values[HEADLINE])}")
        speed = self.bar.tasks[0].speed
        pace = f"{speed * self.batch:.0f} images/s" if speed else ""
        self.bar.update(self.task, completed=done, loss=f"loss {loss:.4f}", pace=pace)


def origin(done: int) -> str:
    """Where a run goes on from."""
    return f"from iteration {done}"


class PlainProgress:
    """A line per validation, for logs."""

    def __init__(self, plan: Plan) -> None:
        self.name, self.total = plan.title, plan.recipe.train.iterations

    def __call__(self, done: int, loss: float | None, scores: Scores | None) -> None:
        """Take note of progress."""
        if loss is None:
            print(f"{self.name}: goes on {origin(done)} of {self.total}", file=sys.stderr, flush=True)
            return
        for dataset, values in (scores or {}).items():
            line = f"{self.name}: iteration {done}/{self.total}, loss {loss:.4f}, {dataset}"
            print(f"{line} {in_words(values[HEADLINE])}", file=sys.stderr, flush=True)
