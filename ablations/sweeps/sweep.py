"""A sweep: the plan is shown, what is finished is skipped, the rest runs, and a table and sweep.csv come out."""

import csv
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from safmn_bench.ablations import cli
from safmn_bench.ablations.record import TRIALS, TUNED, Record
from safmn_bench.ablations.records import read_record
from safmn_bench.ablations.runs.checked import CheckedWeights
from safmn_bench.ablations.runs.failures import cause_of, record_failure
from safmn_bench.ablations.runs.plan import Plan, conflict_of, is_finished
from safmn_bench.ablations.runs.signals import StopRequest, stop_on_signals
from safmn_bench.ablations.sweeps import halving, tuning
from safmn_bench.ablations.sweeps.engines import open_engine, run_jobs
from safmn_bench.ablations.sweeps.estimate import seconds_of
from safmn_bench.ablations.sweeps.jobs import AT_CUT, OTHER, Job
from safmn_bench.ablations.sweeps.local_engine import devices_side_by_side
from safmn_bench.ablations.sweeps.more_seeds import next_seeds, require_planned
from safmn_bench.ablations.sweeps.options import RunOptions
from safmn_bench.ablations.sweeps.progress import run_with_bar, shown
from safmn_bench.ablations.sweeps.summary import print_summary
from safmn_bench.ablations.training.distributed import Group, join, leave
from safmn_bench.ablations.training.loop import Stopped
from safmn_bench.models.errors import UserError
from safmn_bench.models.stored.archives import is_whole
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.files import csv_rows, write_csv
from safmn_bench.profiling.common.layout import counted, say
from safmn_bench.profiling.common.locks import is_held
from safmn_bench.profiling.common.memory import keep_freed_memory

COLUMNS = ("variant", "model", "scale", "seed", "status", "cause", "iterations", "train_seconds", "config_hash", "log")
_KEY = COLUMNS[:4]
_ENDED = ("finished", "collapsed")
_SHOWN = 40  # runs up to which the plan names each


def run_all(plans: Sequence[Plan], options: RunOptions) -> int:
    """Run every plan; returns 0, 1 if some failed (each named with its cause), or 130/143 if told to stop.

    Several runs have a process each, or a Slurm job; one alone here, or the processes of torchrun, run in this one. A
    failure of one run does not stop the others. Raises UserError where the only run cannot start.
    """
    checked = CheckedWeights(options.out)
    jobs = [job_of(plan, options, checked.is_whole) for plan in plans]
    if not options.dry_run:
        checked.keep()
    group = join(plans[0].device)
    try:
        prepare(jobs, options, group)
        if group.main and (len(jobs) > 1 or options.dry_run):
            show_plan(jobs, options)
        if options.dry_run:
            return 0
        with stop_on_signals() as stop:
            train(jobs, options, group, stop)
            if options.tune_lr is not None and not stop():
                return run_tuned(jobs, options, group, stop)
            if options.halve is not None and not stop() and all_at_cut(jobs, options):
                halving.settle(jobs, options)
                train(jobs, options, group, stop)
            while options.seeds_until is not None and not stop() and (more := next_seeds(jobs, options)):
                jobs += [job_of(plan, options) for plan in more]
                train(jobs, options, group, stop)
        return finish(jobs, options, stop) if group.main else 0
    finally:
        leave()


def train(jobs: Sequence[Job], options: RunOptions, group: Group, stop: StopRequest) -> None:
    """Run the jobs that wait; they hold the outcome."""
    if options.engine == "local" and (len(jobs) == 1 or group.world > 1):
        run_here(jobs, group, stop)
    else:
        with shown(jobs) as view:
            run_jobs(jobs, open_engine(options), stop, view)


def run_tuned(jobs: Sequence[Job], options: RunOptions, group: Group, stop: StopRequest) -> int:
    """After the runs at the recipe's rate: choose each network's own, and run the same seeds at that."""
    plans = [job.plan for job in jobs]
    tried = [job_of(plan, options) for plan in tuning.trials(plans, options)]
    train(tried, options, group, stop)
    own: list[Job] = []
    if not stop() and all(job.state in _ENDED for job in tried):
        choice = tuning.choose(tried, options.out)
        own = [job_of(plan, options) for plan in tuning.tuned(plans, choice, options.out)]
        train(own, options, group, stop)
        tuning.copy_shared(jobs, choice, options.out)
    for further, folder in ((tried, TRIALS), (own, TUNED)):
        if further:
            write_sweep(options.out / folder / "sweep.csv", further, records_of(further))
    return finish(jobs, options, stop, further=[*tried, *own])


def prepare(jobs: Sequence[Job], options: RunOptions, group: Group) -> None:
    """Conditions of a sweep that decides by its own runs, before it begins. Raises UserError."""
    if options.halve is None and options.seeds_until is None and options.tune_lr is None:
        return
    if group.world > 1:
        raise UserError(
            "--halve, --seeds-until and --tune-lr are for runs of one process each: leave torchrun out, or them."
        )
    if options.halve is not None:
        halving.prepare(jobs, options)
    if options.seeds_until is not None:
        require_planned(jobs)


def all_at_cut(jobs: Sequence[Job], options: RunOptions) -> bool:
    """Whether the runs may be judged: who failed is to be tried again first, unless told not to."""
    failed = [job for job in jobs if job.state not in (*_ENDED, AT_CUT)]
    if not failed or options.skip_failed:
        return True
    say("Not halved yet, since not all runs reached the cut; with --skip-failed the others decide.", sys.stderr)
    return False


def job_of(plan: Plan, options: RunOptions, whole: Callable[[Path], bool] = is_whole) -> Job:
    """The state of a run before it starts: finished, failed for good, or to be done; nothing is written."""
    job = Job(plan)
    try:
        record = read_record(plan.folder)
        if (record is None or record.config_hash != plan.config_hash()) and (conflict := conflict_of(plan)):
            job.state, job.cause = OTHER, conflict
            return job
        ended = record is not None and is_finished(plan, record, whole)
    except UserError as error:
        job.state, job.cause = "failed", str(error)
        return job
    if record is not None and (ended or (options.skip_failed and record.status == "failed")):
        job.state, job.cause, job.skipped = record.status, record.error, True
    return job


def show_plan(jobs: Sequence[Job], options: RunOptions) -> None:
    """Print what there is to do, and how long it will take."""
    todo = [job for job in jobs if job.state == "waiting"]
    refused = [job for job in jobs if job.state in ("failed", OTHER) and not job.skipped]
    if len(jobs) <= _SHOWN:
        rows = [[job.plan.title, state_of(job), job.plan.config_hash()] for job in jobs]
        notes = [f"{job.plan.title}: {job.cause}" for job in refused]
        console.print_table("Plan", ["run", "state", "configuration"], rows, notes, text_columns=3)
    begun = sum(state_of(job) == "begun" for job in todo)
    line = f"{counted(len(jobs), 'run')}: {len(jobs) - len(todo) - len(refused)} done, {len(todo)} to do"
    line += f" ({begun} from a checkpoint)" if begun else ""
    line += f", {len(refused)} that cannot be" if refused else ""
    seconds = seconds_of([job.plan for job in todo], devices_side_by_side(options, jobs[0].plan.device))
    if seconds is not None:
        line += f", about {console.duration(seconds)} of training from the first iteration on, by steps measured now"
    say(" ".join([f"{line}.", *rules_of(jobs, options)]))


def rules_of(jobs: Sequence[Job], options: RunOptions) -> list[str]:
    """Rules by which a sweep that decides by its own runs may change this plan, in a sentence each."""
    networks = len({(job.plan.candidate.name, job.plan.scale) for job in jobs})
    told = []
    if cuts := sorted({job.plan.until for job in jobs if job.plan.until is not None}):
        told.append(f"After iteration {', '.join(map(str, cuts))} networks surely not in the top half stop.")
    if options.seeds_until is not None:
        told.append(f"Undecided networks and the baseline get more seeds, up to {options.max_seeds} of each.")
    if options.tune_lr is not None:
        trials = networks * len(set(options.tune_lr))
        most = counted(len(jobs), "run")
        told.append(f"Then {counted(trials, 'trial')} of learning rates, and up to {most} at each network's own.")
    return told


def state_of(job: Job) -> str:
    """A run's state in the plan."""
    folder = job.plan.folder
    if job.state != "waiting":
        return f"{job.state}, skipped" if job.skipped else job.state
    if is_held(folder.lock):
        return "elsewhere"
    return "begun" if folder.checkpoint.exists() else "new"


def run_here(jobs: Sequence[Job], group: Group, stop: StopRequest) -> None:
    """Run the jobs in this process, one of `group`, one after the other; jobs hold the outcome."""
    if group.device.type == "cpu":
        keep_freed_memory()
    for job in jobs:
        try:
            record = run_with_bar(job.plan, group, stop)
            job.state, job.cause = (record.status, "") if record is not None else ("finished", "")
        except Stopped as stopped:
            job.state, job.cause = "stopped", str(stopped)
            return
        except UserError as error:
            if len(jobs) == 1:
                raise
            job.state, job.cause = "failed", str(error)
        except Exception as error:
            traceback.print_exc()
            job.state, job.cause = "failed", cause_of(error)
            if group.main:
                record_failure(job.plan, job.cause, traceback.format_exc().splitlines())


def records_of(jobs: Sequence[Job]) -> list[Record]:
    """The records of those that finished or collapsed."""
    return [record for job in jobs if (record := ended_record(job)) is not None]


def finish(jobs: Sequence[Job], options: RunOptions, stop: StopRequest, further: Sequence[Job] = ()) -> int:
    """Write sweep.csv, print the tables and every failure; returns the exit status."""
    records = records_of(jobs)
    write_sweep(options.out / "sweep.csv", jobs, records)
    for scale in sorted({record.scale for record in records}):
        print_summary([record for record in records if record.scale == scale])
    if records:
        print(f"Records and sweep.csv: {options.out}")
    if records and options.table:
        write_tables(options.table, options.out)
    if stop():
        told = [job for job in (*jobs, *further) if job.state == "stopped" and not job.decided]
        causes = "; ".join(f"{job.plan.title}: {job.cause}" for job in told)
        say(f"{causes or 'Stopped'}; the same command goes on from there.", sys.stderr)
        return stop.exit_status
    if line := halving.saved(jobs):
        say(line)
    failures = [job for job in (*jobs, *further) if job.state not in (*_ENDED, AT_CUT) and not job.decided]
    for job in failures:
        log = f" (log: {job.plan.folder.log})" if job.plan.folder.log.exists() else ""
        say(f"{job.state}: {job.plan.title}: {job.cause or 'told to stop by a signal'}{log}", sys.stderr)
    return 1 if failures else 0


def write_tables(table: int, runs: Path) -> None:
    """Write the paper's table from the records: the command `tables`, which this package does not import."""
    for form, ending in (("csv", "csv"), ("latex", "tex"), ("markdown", "md")):
        path = runs / f"table{table}.{ending}"
        call = ["tables", "--table", str(table), "--runs", str(runs), "--format", form, "--out", str(path)]
        if cli.main(call) == 0:
            print(f"Table {table}: {path}")


def ended_record(job: Job) -> Record | None:
    """The record of a job that finished or collapsed, without the scores of each image: a sweep holds many records."""
    record = read_record(job.plan.folder) if job.state in _ENDED else None
    if record is None:
        return None
    return replace(record, scores=means_of(record.scores), bicubic=means_of(record.bicubic))


def means_of(scores: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The mean scores on each benchmark, without those of single images."""
    return {name: {key: mean for key, mean in values.items() if key != "images"} for name, values in scores.items()}


def write_sweep(path: Path, jobs: Sequence[Job], records: Sequence[Record]) -> None:
    """One line per run: those of this sweep, and those of others that the file already had."""
    by_folder = {(r.variant, r.model, r.scale, r.seed): r for r in records}
    rows = {}
    for job in jobs:
        key = (job.plan.candidate.name, job.plan.candidate.model, job.plan.scale, job.plan.seed)
        rows[tuple(map(str, key))] = row_of(job, by_folder.get(key))
    kept = [row for row in read_sweep(path) if tuple(row[column] for column in _KEY) not in rows]
    everything = [*kept, *rows.values()]
    scores = dict.fromkeys(column for row in everything for column in row if column not in COLUMNS)
    columns = (*COLUMNS, *scores)
    write_csv(path, columns, [{column: row.get(column) for column in columns} for row in everything])


def row_of(job: Job, record: Record | None) -> dict[str, Any]:
    """A run's line, with its mean score on each benchmark if it has any."""
    plan = job.plan
    row: dict[str, Any] = dict(
        zip(_KEY, (plan.candidate.name, plan.candidate.model, plan.scale, plan.seed), strict=True)
    )
    row |= {"status": job.state, "cause": job.cause, "config_hash": plan.config_hash()}
    row |= {"iterations": record.iterations if record else job.done}
    row |= {"train_seconds": record.train_seconds if record else None}
    row |= {"log": str(plan.folder.log) if plan.folder.log.exists() else None}
    for name, scores in (record.scores if record else {}).items():
        row |= {f"{name}_{metric}": mean for metric, mean in scores.items()}
    return row


def read_sweep(path: Path) -> list[dict[str, str]]:
    """The rows of a sweep.csv, or none; one that is none is kept beside, and a line says so."""
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = list(csv_rows(handle))
        if all(isinstance(row.get(column), str) for row in rows for column in _KEY):
            return rows
    except FileNotFoundError:
        return []
    except (OSError, ValueError, csv.Error):
        pass
    aside = path.with_name(f"{path.name}.damaged")
    path.replace(aside)
    say(f"note: {path} could not be read, and is now {aside.name}.", sys.stderr)
    return []
