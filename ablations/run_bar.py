"""One run in this process, with a live progress bar, or plain lines where there is no terminal."""

import sys

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from safmn_bench.ablations.interrupts import StopRequest
from safmn_bench.ablations.processes import Group
from safmn_bench.ablations.record import Record
from safmn_bench.ablations.running import Plan, run
from safmn_bench.ablations.training import Scores
from safmn_bench.profiling import display


def run_with_bar(plan: Plan, group: Group, stop: StopRequest) -> Record | None:
    """Run one plan under a live progress bar, or with plain lines where there is no terminal."""
    if not group.main or not display.console(stderr=True).is_terminal:
        return run(plan, group, PlainProgress(plan), stop)
    columns = ("{task.description}", BarColumn(), "{task.completed}/{task.total}", "{task.fields[state]}")
    times = (TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn(elapsed_when_finished=True))
    with Progress(*columns, *times, console=display.console(stderr=True)) as bar:
        task = bar.add_task(plan.title, total=plan.recipe.train.iterations, state="")
        return run(plan, group, LiveProgress(bar, task, plan), stop)


class LiveProgress:
    """Shows loss, images per second and the last validation PSNR on a rich bar."""

    def __init__(self, bar: Progress, task: TaskID, plan: Plan) -> None:
        self.bar, self.task, self.batch = bar, task, plan.recipe.train.batch
        self.psnr = ""

    def __call__(self, done: int, loss: float, scores: Scores | None) -> None:
        """Take note of progress."""
        for dataset, values in (scores or {}).items():
            self.psnr = f"{dataset} {values['psnr_y_db']:.2f} dB"
        speed = (self.bar.tasks[0].speed or 0.0) * self.batch
        state = f"loss {loss:.4f}  {speed:.0f} images/s  {self.psnr}"
        self.bar.update(self.task, completed=done, state=state)


class PlainProgress:
    """A line per validation, for logs."""

    def __init__(self, plan: Plan) -> None:
        self.name, self.total = plan.title, plan.recipe.train.iterations

    def __call__(self, done: int, loss: float, scores: Scores | None) -> None:
        """Take note of progress."""
        for dataset, values in (scores or {}).items():
            line = f"{self.name}: iteration {done}/{self.total}, loss {loss:.4f}, {dataset}"
            print(f"{line} {values['psnr_y_db']:.2f} dB", file=sys.stderr, flush=True)
