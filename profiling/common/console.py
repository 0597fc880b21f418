"""Tables and progress on the terminal, by rich; plain text when the output is not a terminal."""

import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from safmn_bench.models.errors import printable

Report = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and of how many."""
PLAIN_WIDTH = 200  # columns, where no terminal says how wide it is: a redirected table is not folded at 80


def console(*, stderr: bool = False) -> Console:
    """A console for results, or (stderr) for progress and remarks; a name such as [bold] or :smile: is a name."""
    plain = partial(Console, stderr=stderr, markup=False, emoji=False)
    probe = plain()
    return probe if probe.is_terminal else plain(width=PLAIN_WIDTH)


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str] = (),
    *,
    text_columns: int = 1,
) -> None:
    """Print a table; the first `text_columns` columns are flush left, the others (figures) right; notes below it."""
    table = Table(title=shown(title), title_justify="left", title_style="bold")
    for index, column in enumerate(columns):
        table.add_column(
            shown(column), justify="left" if index < text_columns else "right", no_wrap=index >= text_columns
        )
    for row in rows:
        table.add_row(*map(shown, row))
    out = console()
    out.print(table, markup=False)
    for note in notes:
        out.print(shown(note), markup=False, highlight=False, soft_wrap=True)


def shown(text: str) -> str:
    """Text for a terminal, without escapes that would move the cursor or change the title; lines stay lines."""
    return "\n".join(map(printable, text.split("\n")))


EVERY_SECONDS = 30.0


class Lines:
    """Lines on stderr about long work where no terminal shows a bar: at most one every half minute."""

    def __init__(self, what: str, total: int, every_s: float = EVERY_SECONDS) -> None:
        self.what, self.total, self.every_s = what, total, every_s
        self.done = 0
        self.silent = console(stderr=True).is_terminal
        self.started = self.told = time.monotonic()

    def advance(self, steps: int = 1, about: str = "") -> None:
        """Note `steps` more as done; `about` names the last one."""
        self.done += steps
        now = time.monotonic()
        if self.silent or now - self.told < self.every_s:
            return
        self.told = now
        left = (now - self.started) / self.done * (self.total - self.done)
        last = f", last: {about}" if about else ""
        line = f"{self.what}: {self.done} of {self.total}{last}, about {left / 60:.0f} min left"
        print(line, file=sys.stderr, flush=True)


def progress() -> Progress:
    """A progress bar with count, elapsed and remaining time, on stderr; silent when that is not a terminal."""
    out = console(stderr=True)
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=out,
        disable=not out.is_terminal,
        transient=True,
    )


def thousands(value: int) -> str:
    """239520 -> '239.52' (K)."""
    return f"{value / 1e3:.2f}"


def giga(value: int) -> str:
    """13554915840 -> '13.555' (G)."""
    return f"{value / 1e9:.3f}"


def mega(value: int) -> str:
    """76700160 -> '76.70' (M)."""
    return f"{value / 1e6:.2f}"


def shown_in(bar: Progress, stages: set[str]) -> Report:
    """A report of progress that keeps one line of `bar` for each stage, and adds its name to `stages`."""
    tasks: dict[str, TaskID] = {}

    def report(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=total)
        stages.add(stage)
        bar.update(tasks[stage], completed=done)

    return report
