"""Tables and progress on the terminal, by rich; plain text when the output is not a terminal."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import Progress, Task, TaskID
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from safmn_bench.profiling.common.layout import GUTTER, arranged, shown, width_of, wrapped

Report = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and of how many."""


def console(*, stderr: bool = False) -> Console:
    """A console for results, or (stderr) for progress and remarks; a name such as [bold] or :smile: is a name."""
    return Console(stderr=stderr, markup=False, emoji=False)


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    notes: Sequence[str] = (),
    *,
    text_columns: int = 1,
) -> None:
    """Print a table as wide as the terminal allows; the first `text_columns` columns are names; notes below it."""
    out, width = console(), width_of(sys.stdout)
    rule = "-" if out.options.ascii_only else "─"
    tell = partial(out.print, markup=False, highlight=False, soft_wrap=True)
    tell(wrapped(shown(title), width), style="bold")
    grids = arranged([*map(shown, columns)], [[*map(shown, row)] for row in rows], text_columns, width)
    for index, grid in enumerate(grids):
        if index:
            tell()
        for line in grid.lines(rule):
            tell(line)
    for note in notes:
        tell(wrapped(shown(note), width))


EVERY_SECONDS = 30.0
BAR = 24  # columns


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
    """A bar with count, time used and time left, on stderr; silent when that is not a terminal."""
    out = console(stderr=True)
    return Bar(console=out, disable=not out.is_terminal, transient=True)


class Bar(Progress):
    """Bars whose lines fit the terminal."""

    def get_renderables(self) -> Iterator[RenderableType]:
        """A line per task."""
        yield from map(BarLine, self.tasks)


class BarLine:
    """The name of some work, its bar and figures, as far as the terminal has room for them; the name stays."""

    LEFT_OUT = ("pace", "bar", "score", "origin", "loss", "times", "count")
    """In this order, where they do not fit."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw it for this console."""
        line, task = Table.grid(padding=(0, len(GUTTER), 0, 0)), self.task
        cells: list[RenderableType] = []
        for name, text in fitting(parts_of(task), self.LEFT_OUT, options.max_width).items():
            line.add_column(no_wrap=name != "name", overflow="fold")
            cells.append(ProgressBar(task.total, task.completed, len(text)) if name == "bar" else Text(text))
        line.add_row(*cells)
        yield line


def parts_of(task: Task) -> dict[str, str]:
    """The parts of a bar's line from left to right; the bar's is as long as the bar is."""
    further = {name: task.fields.get(name, "") for name in ("origin", "loss", "pace", "score")}
    count = f"{task.completed:.0f}/{task.total or 0:.0f}"
    parts = {"name": shown(task.description), "origin": further.pop("origin"), "bar": " " * BAR, "count": count}
    return parts | {"times": times_of(task)} | further


def times_of(task: Task) -> str:
    """The time used and the time left, or, at the end, the time that it took."""
    used, left = task.finished_time if task.finished else task.elapsed, task.time_remaining
    if task.finished:
        return f"took {duration(used or 0.0)}"
    return duration(used or 0.0) + (f", {duration(left)} left" if left is not None else "")


def fitting(parts: Mapping[str, str], left_out: Sequence[str], width: int) -> dict[str, str]:
    """The parts that say something, without the first of `left_out` as long as they are wider than `width`."""
    kept = {name: text for name, text in parts.items() if text}
    for name in left_out:
        if len(GUTTER.join(kept.values())) > width - len(GUTTER):
            kept.pop(name, None)
    return kept


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 3725 -> '1:02:05'."""
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


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
