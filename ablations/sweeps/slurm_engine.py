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
from pathlib import Path
from typing import Any

from safmn_bench.ablations.metrics import HEADLINE
from safmn_bench.ablations.record import RunFolder, forget_failure
from safmn_bench.ablations.runs.failures import last_lines, record_failure
from safmn_bench.ablations.runs.running import claim, finished_record
from safmn_bench.ablations.sweeps.jobs import Job
from safmn_bench.ablations.sweeps.slurm_job import ENDED, SlurmRun, cause_of_end, job_states, messages_of, state_of_run
from safmn_bench.ablations.sweeps.slurm_options import Resources
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import write_json
from safmn_bench.profiling.common.locks import Busy, held, is_held

LOOK_S = 3.0  # between looks at Slurm and the folders
TICK_S = 0.2  # between looks at signals, and redraws
GRACE_S = 10.0  # shared storage may show a record later than Slurm shows the job's end
SIGNAL_S = 90  # before the end of a job's time, for a checkpoint
_OPEN = ("waiting", "queued", "running", "elsewhere")


def run_jobs(jobs: Sequence[Job], resources: Resources, stop: Callable[[], bool], show: Callable[[], None]) -> None:
    """Have every job that waits run by Slurm, and watch until all have ended or `stop()`. Jobs hold the outcome.

    Raises UserError where Slurm refuses them.
    """
    while not stop() and any(job.state in _OPEN for job in jobs):
        if waiting := [job for job in jobs if job.state == "waiting"]:
            submit(waiting, resources, stop)
        look([job for job in jobs if job.state in _OPEN], resources)
        due = time.monotonic() + LOOK_S
        while time.monotonic() < due and not stop():
            show()
            time.sleep(TICK_S)
    show()
    if left := sorted({job.slurm_id.split("_")[0] for job in jobs if job.state in ("queued", "running")}):
        print(
            "What was submitted goes on in Slurm; the same command attaches to it again, and "
            f"`scancel {' '.join(left)}` cancels it (running ones save first).",
            file=sys.stderr,
        )


def submit(jobs: Sequence[Job], resources: Resources, stop: Callable[[], bool]) -> None:
    """Give jobs to Slurm as one array, except those that it has already, or that another process runs."""
    with alone(resources.folder / "submitting.json", stop) as mine:
        if not mine:
            return
        states = job_states()
        if states is None:
            raise UserError("Slurm does not answer: `squeue --me` fails here. Try again when it works.")
        new = [job for job in jobs if not attached(job, states) and claimed(job)]
        if not new:
            return
        for job, slurm_id in zip(new, submitted(new, resources), strict=True):
            job.slurm_id, job.state, job.ended = slurm_id, "queued", None
            write_json(job.plan.folder.slurm, {"job": slurm_id})


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


def attached(job: Job, states: Mapping[str, tuple[str, str]]) -> bool:
    """Whether the run is in Slurm, in another process's hands, or done by now; if so, `job` says which."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        job.slurm_id = json.loads(job.plan.folder.slurm.read_text(encoding="utf-8"))["job"]
    state, _ = states.get(job.slurm_id, ("GONE", ""))
    if state not in ENDED:
        job.state, job.ended = state_of_run(state), None
    elif is_held(job.plan.folder.lock):
        job.state = "elsewhere"
    elif finished_record(job.plan) is not None:
        job.settle()
    return job.state != "waiting"


def claimed(job: Job) -> bool:
    """Make the folder the run's; a folder of another configuration fails here, before a node is asked for."""
    try:
        claim(job.plan)
        forget_failure(job.plan.folder)
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
        return [one.job_id for one in executor.map_array(SlurmRun(), [job.plan for job in jobs])]
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
        "signal_delay_s": min(SIGNAL_S, resources.time_min * 30),
        "additional_parameters": {"requeue": True},
    }
    wanted |= {"partition": resources.partition} if resources.partition else {}
    wanted |= {"gpus_per_node": resources.gpus} if resources.gpus else {}
    wanted |= {"mem": f"{round(resources.memory_gb * 1024)}M"} if resources.memory_gb else {}
    return wanted


def look(jobs: Sequence[Job], resources: Resources) -> None:
    """Bring the jobs' states up to date: Slurm first, since a record is written before a job ends."""
    states = job_states()
    for job in jobs:
        if job.state == "elsewhere":
            if not job.settle() and not is_held(job.plan.folder.lock):
                job.state = "waiting"
        elif states is not None and job.slurm_id:
            update(job, *states.get(job.slurm_id, ("GONE", "")), resources)


def update(job: Job, state: str, reason: str, resources: Resources) -> None:
    """Take in what Slurm and the folder say of one submitted run."""
    if job.settle():
        return
    if state not in ENDED:
        job.state, job.ended = state_of_run(state), None
        job.cause = reason if job.state == "queued" else ""
        note_progress(job)
        return
    job.ended = job.ended or time.monotonic()
    if time.monotonic() - job.ended > GRACE_S:
        note_end(job, state, resources)


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


def note_end(job: Job, state: str, resources: Resources) -> None:
    """A job that ended without a record: cancelled, given to another process, or failed."""
    folder: RunFolder = job.plan.folder
    if is_held(folder.lock):
        job.state = "elsewhere"
    elif state in ("CANCELLED", "COMPLETED"):
        job.state, job.cause = "stopped", cause_of_end(job.slurm_id, state)
    else:
        job.state, job.cause = "failed", cause_of_end(job.slurm_id, state)
        said = last_lines(messages_of(resources.folder, job.slurm_id))
        record_failure(job.plan, job.cause, [*last_lines(folder.log), *said])
