"""Several runs, one after the other, with a progress bar each and one table at the end."""

import sys
import traceback
from collections.abc import Sequence

from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from safmn_bench.ablations.allocator import keep_freed_memory
from safmn_bench.ablations.interrupts import StopRequest, stop_on_signals
from safmn_bench.ablations.processes import Group, join, leave
from safmn_bench.ablations.record import Record
from safmn_bench.ablations.running import Plan, run
from safmn_bench.ablations.summary import print_summary
from safmn_bench.ablations.training import Scores, Stopped
from safmn_bench.models.errors import UserError
from safmn_bench.profiling import display


def run_all(plans: Sequence[Plan]) -> int:
    """Run every plan; returns 0, 1 if some failed (each named with its cause), or 130/143 if told to stop.

    A failure of one run does not stop the others. Raises UserError where the only run cannot start.
    """
    group = join(plans[0].device)
    if group.device.type == "cpu":
        keep_freed_memory()
    try:
        return run_in_turn(plans, group)
    finally:
        leave()


def run_in_turn(plans: Sequence[Plan], group: Group) -> int:
    """Run the plans in this process, one of `group`, and report at the end; returns the exit status."""
    records: list[Record] = []
    failures: list[str] = []
    with stop_on_signals() as stop:
        for plan in plans:
            name = f"{plan.candidate.name} x{plan.scale} seed {plan.seed}"
            try:
                if (record := run_with_bar(plan, name, group, stop)) is not None:
                    records.append(record)
            except Stopped as stopped:
                print(f"{name}: {stopped}; the same command goes on from there.", file=sys.stderr)
                return stop.exit_status
            except UserError as error:
                if len(plans) == 1:
                    raise
                failures.append(f"{name}: {error}")
            except Exception:
                failures.append(f"{name}: {traceback.format_exc()}")
    if group.main and records:
        print_summary(records)
        print(f"Records: {', '.join(str(plan.folder.record) for plan in plans if plan.folder.record.exists())}")
    for failure in failures:
        print(f"failed: {failure}", file=sys.stderr)
    return 1 if failures else 0


def run_with_bar(plan: Plan, name: str, group: Group, stop: StopRequest) -> Record | None:
    """Run one plan under a live progress bar, or with plain lines where there is no terminal."""
    if not group.main or not display.console(stderr=True).is_terminal:
        return run(plan, group, PlainProgress(name, plan), stop)
    columns = ("{task.description}", BarColumn(), "{task.completed}/{task.total}", "{task.fields[state]}")
    times = (TimeElapsedColumn(), TextColumn("ETA"), TimeRemainingColumn(elapsed_when_finished=True))
    with Progress(*columns, *times, console=display.console(stderr=True)) as bar:
        task = bar.add_task(name, total=plan.recipe.train.iterations, state="")
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

    def __init__(self, name: str, plan: Plan) -> None:
        self.name, self.total = name, plan.recipe.train.iterations

    def __call__(self, done: int, loss: float, scores: Scores | None) -> None:
        """Take note of progress."""
        for dataset, values in (scores or {}).items():
            line = f"{self.name}: iteration {done}/{self.total}, loss {loss:.4f}, {dataset}"
            print(f"{line} {values['psnr_y_db']:.2f} dB", file=sys.stderr, flush=True)
