"""Many runs on a Slurm cluster: a job array through submitit, a job per run, watched in the shared run folders.

A run's Slurm job stands in its folder (slurm.json). A launcher that is started again, or beside another one, attaches
to jobs that are queued or running and submits the others; the lock of each run is the last guard. The launcher may end
at any time: the jobs go on without it.
"""

import contextlib
import csv
import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from safmn_bench.ablations.metrics import HEADLINE
from safmn_bench.ablations.record import RunFolder
from safmn_bench.ablations.records import forget_no_result
from safmn_bench.ablations.runs.failures import last_lines, record_failure
from safmn_bench.ablations.runs.plan import claim, finished_record
from safmn_bench.ablations.sweeps.jobs import Job
from safmn_bench.ablations.sweeps.options import RunOptions
from safmn_bench.ablations.sweeps.slurm_job import ENDED, SlurmRun, cause_of_end, job_states, messages_of, state_of_run
from safmn_bench.ablations.sweeps.slurm_options import Resources, device_of, require_slurm, resources_of
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import write_json
from safmn_bench.profiling.common.layout import say
from safmn_bench.profiling.common.locks import Busy, held, is_held

LOOK_S = 3.0  # between looks at Slurm and the folders
TICK_S = 0.2  # between looks at signals, and redraws
GRACE_S = 10.0  # shared storage may show a record later than Slurm shows the job's end
SIGNAL_S = 90  # before the end of a job's time, for a checkpoint


@dataclass
class Ticket:
    """A run's Slurm job."""

    id: str
    """Such as 17_3."""
    ended: float | None = None
    """When Slurm was first seen to have no living job for it."""


def open_engine(options: RunOptions) -> "SlurmEngine":
    """The cluster. Raises UserError where runs cannot be given to it from here, or not to that device."""
    try:
        require_slurm()
    except UserError as missing:
        if not options.dry_run:
            raise
        say(f"note: this plan could not be started here. {missing}", sys.stderr)
    return SlurmEngine(device_of(options), resources_of(options))


class SlurmEngine:
    """Submits arrays, and looks at Slurm and at the run folders now and then."""

    def __init__(self, device: torch.device, resources: Resources) -> None:
        self.device, self.resources = device, resources
        self.tickets: dict[Path, Ticket] = {}
        """By run folder."""
        self.due = 0.0

    def submit(self, jobs: Sequence[Job], stop: Callable[[], bool]) -> None:
        """Give jobs to Slurm as one array, except those that it has already, or that another process runs."""
        with alone(self.resources.folder / "submitting.json", stop) as mine:
            if not mine:
                return
            states = job_states()
            if states is None:
                raise UserError("Slurm does not answer: `squeue --me` fails here. Try again when it works.")
            new = [job for job in jobs if not self._attached(job, states) and claimed(job)]
            if not new:
                return
            for job, slurm_id in zip(new, submitted(new, self.resources), strict=True):
                self.tickets[job.plan.folder.path], job.state = Ticket(slurm_id), "queued"
                write_json(job.plan.folder.slurm, {"job": slurm_id, "until": job.plan.until})

    def watch(self, jobs: Sequence[Job]) -> None:
        """Look, if it is time to; Slurm first, since a record is written before a job ends."""
        time.sleep(TICK_S)
        if time.monotonic() < self.due:
            return
        self.due = time.monotonic() + LOOK_S
        states = job_states()
        for job in jobs:
            ticket = self.tickets.get(job.plan.folder.path)
            if job.state == "elsewhere":
                if not job.settle() and not is_held(job.plan.folder.lock):
                    job.state = "waiting"
            elif job.state in ("queued", "running") and states is not None and ticket is not None:
                self._update(job, ticket, *states.get(ticket.id, ("GONE", "")))

    def stop(self, jobs: Sequence[Job]) -> None:
        """Leave what was submitted to Slurm, and say how to cancel it."""
        open_jobs = [job for job in jobs if job.state in ("queued", "running")]
        if left := sorted({self.tickets[job.plan.folder.path].id.split("_")[0] for job in open_jobs}):
            say(
                "What was submitted goes on in Slurm; the same command attaches to it again, and "
                f"`scancel {' '.join(left)}` cancels it (running ones save first).",
                sys.stderr,
            )

    def _attached(self, job: Job, states: Mapping[str, tuple[str, str]]) -> bool:
        """Whether the run is in Slurm, in another process's hands, or done by now; if so, `job` says which."""
        ticket = self.tickets.get(job.plan.folder.path, Ticket(""))
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # as if it were not there
            kept = json.loads(job.plan.folder.slurm.read_text(encoding="utf-8"))
            if kept.get("until") == job.plan.until:  # one that ends at the cut is not the one that goes on from there
                ticket = Ticket(kept["job"])
        self.tickets[job.plan.folder.path] = ticket
        state, _ = states.get(ticket.id, ("GONE", ""))
        if state not in ENDED:
            job.state = state_of_run(state)
        elif is_held(job.plan.folder.lock):
            job.state = "elsewhere"
        elif finished_record(job.plan) is not None or job.plan.until is not None:
            job.settle()
        return job.state != "waiting"

    def _update(self, job: Job, ticket: Ticket, state: str, reason: str) -> None:
        """Take in what Slurm and the folder say of one submitted run."""
        if job.settle():
            return
        if state not in ENDED:
            job.state, ticket.ended = state_of_run(state), None
            job.cause = reason if job.state == "queued" else ""
            note_progress(job)
            return
        ticket.ended = ticket.ended or time.monotonic()
        if time.monotonic() - ticket.ended > GRACE_S:
            note_end(job, ticket.id, state, self.resources)


@contextlib.contextmanager
def alone(path: Path, stop: Callable[[], bool]) -> Iterator[bool]:
    """One launcher at a time, lest two submit the same runs; yields False when told to stop before its turn."""
    while not stop():
        try:
            with held(path):
                yield True
                return
        except Busy:
            time.sleep(TICK_S)
    yield False


def claimed(job: Job) -> bool:
    """Make the folder the run's; a folder of another configuration fails here, before a node is asked for."""
    try:
        claim(job.plan)
        forget_no_result(job.plan.folder)
    except UserError as error:
        job.state, job.cause = "failed", str(error)
        return False
    return True


def submitted(jobs: Sequence[Job], resources: Resources) -> list[str]:
    """Submit the jobs; their ids. Raises UserError with what Slurm says where it refuses."""
    import submitit
    from submitit.core.utils import FailedJobError

    executor = submitit.SlurmExecutor(folder=resources.folder, max_num_timeout=sys.maxsize)
    executor.update_parameters(**parameters(resources))
    try:
        return [slurm_job.job_id for slurm_job in executor.map_array(SlurmRun(), [job.plan for job in jobs])]
    except FailedJobError as error:
        text = " ".join(str(error).split())
        raise UserError(
            f"Slurm did not take the runs: {text} Check --slurm-partition, --slurm-gpus, --slurm-cpus, "
            "--slurm-time-min and --slurm-memory-gb against what `sinfo` shows."
        ) from error


def parameters(resources: Resources) -> dict[str, Any]:
    """The resources as submitit names them."""
    wanted: dict[str, Any] = {
        "job_name": "safmn-bench",
        "time": resources.time_min,
        "cpus_per_task": resources.cpus,
        "ntasks_per_node": 1,
        "signal_delay_s": min(SIGNAL_S, resources.time_min * 30),  # half the time of a short job, not all of it
        "additional_parameters": {"requeue": True},
    }
    wanted |= {"partition": resources.partition} if resources.partition else {}
    wanted |= {"gpus_per_node": resources.gpus} if resources.gpus else {}
    wanted |= {"mem": f"{round(resources.memory_gb * 1024)}M"} if resources.memory_gb else {}
    return wanted


def note_progress(job: Job) -> None:
    """Read how far the run is, as of its last checkpoint."""
    losses, scores = (last_row(path) for path in (job.plan.folder.losses, job.plan.folder.validation))
    if losses:
        job.note(int(losses["iteration"]), float(losses["loss"]), float(scores[HEADLINE]) if scores else None)


def last_row(path: Path) -> dict[str, str]:
    """The last row of a CSV file, without reading all of it; empty where there is none."""
    lines = last_lines(path)
    if len(lines) < 2:
        return {}
    with path.open(encoding="utf-8") as handle:
        columns = next(csv.reader(handle))
    return dict(zip(columns, next(csv.reader(lines[-1:])), strict=True))


def note_end(job: Job, slurm_id: str, state: str, resources: Resources) -> None:
    """A job that ended without a record: cancelled, given to another process, or failed."""
    folder: RunFolder = job.plan.folder
    if is_held(folder.lock):
        job.state = "elsewhere"
    elif state in ("CANCELLED", "COMPLETED"):
        job.state, job.cause = "stopped", cause_of_end(slurm_id, state)
    else:
        job.state, job.cause = "failed", cause_of_end(slurm_id, state)
        said = last_lines(messages_of(resources.folder, slurm_id))
        record_failure(job.plan, job.cause, [*last_lines(folder.log), *said])
