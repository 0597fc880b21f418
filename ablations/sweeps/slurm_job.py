"""One run as a Slurm job: what happens on the node, and how it is queued again.

Before a job's time is up Slurm sends SIGUSR2 (submitit asks for that), and before a preemption SIGTERM. Either makes
the run stop at its next iteration with its checkpoint written. Only then is submitit's own handler called, which queues
the job again and ends it: called by the signal itself it would do so in the middle of an iteration. The job then goes
on from the checkpoint, under its old number. A job that Slurm is already ending (scancel, scontrol requeue) only saves.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from safmn_bench.ablations.data.prefetch import choose_placement
from safmn_bench.ablations.runs.failures import killed_cause
from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.ablations.runs.signals import stop_on_signals
from safmn_bench.ablations.sweeps.progress import PlainProgress
from safmn_bench.ablations.sweeps.worker import outcome, print_to
from safmn_bench.profiling.common.locks import STALE_S

RETRY_S = 2.0  # between attempts at a run that another process has


class SlurmRun:
    """The callable that submitit pickles and calls on the node."""

    def __call__(self, plan: Plan) -> tuple[str, ...]:
        """Run one plan; the last message of `worker`."""
        print_to(plan.folder.log)
        torch.set_num_threads(int(os.environ.get("SLURM_CPUS_PER_TASK", "1")))
        with stop_on_signals(signal.SIGUSR2) as stop:
            last = patient_outcome(on_this_node(plan), stop)
        print(f"{plan.title}: {': '.join(last)}", file=sys.stderr)
        if last[0] == "stopped" and job_state() == "RUNNING":
            signal.raise_signal(signal.SIGUSR2)  # submitit's handler is back: it requeues, and ends the process
        return last

    def checkpoint(self, plan: Plan) -> Any:
        """The job that submitit runs after requeueing: the same, which goes on from the checkpoint."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, plan)


def on_this_node(plan: Plan) -> Plan:
    """The plan with its images where this node has room for them."""
    images = plan.training_set
    return replace(plan, placement=choose_placement(images.hr.nbytes + images.lr.nbytes, plan.device))


def patient_outcome(plan: Plan, stop: Callable[[], bool]) -> tuple[str, ...]:
    """`outcome`; a lock that a killed job left on another node is waited for until it is stale."""
    deadline = time.monotonic() + 2 * STALE_S
    while True:
        last = outcome(plan, PlainProgress(plan), stop)
        if last[0] != "busy" or stop() or time.monotonic() > deadline:
            return last
        time.sleep(RETRY_S)


def job_state() -> str:
    """Slurm's word for this job: RUNNING, unless it is being ended."""
    command = ["squeue", "--noheader", "--format=%T", f"--jobs={os.environ['SLURM_JOB_ID']}"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "OUT_OF_MEMORY", "NODE_FAIL", "BOOT_FAIL", "DEADLINE", "GONE")
_ON_A_NODE = ("RUNNING", "COMPLETING", "SUSPENDED", "STOPPED")


def job_states() -> dict[str, tuple[str, str]] | None:
    """Of this user's jobs: id -> (state, reason), as far back as Slurm remembers; None where it does not answer."""
    command = ["squeue", "--me", "--array", "--noheader", "--states=all", "--format=%i|%T|%r"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        return None
    return parsed(done.stdout)


def parsed(listing: str) -> dict[str, tuple[str, str]]:
    """`id|state|reason` lines; spaces that pad them do not count."""
    rows = (line.split("|", 2) for line in listing.splitlines() if line.count("|") >= 2)
    return {job.strip(): (state.strip(), reason.strip()) for job, state, reason in rows}


def state_of_run(state: str) -> str:
    """A run's state while its Slurm job lives: running or queued."""
    return "running" if state in _ON_A_NODE else "queued"


def cause_of_end(job: str, state: str) -> str:
    """Why a job ended that left no record, in one line."""
    if state == "GONE":
        return f"Slurm job {job} left no record, and Slurm no longer knows it"
    shown = subprocess.run(["scontrol", "show", "job", job], capture_output=True, text=True, check=False).stdout
    return f"Slurm job {job}: {state}{exit_cause(shown)}"


def exit_cause(shown: str) -> str:
    """From what `scontrol show job` prints: the exit status or signal, and the node."""
    code = re.search(r"\bExitCode=(\d+):(\d+)", shown)
    node = re.search(r"\bNodeList=([^\s(]+)", shown)
    words = ""
    if code and (int(code[1]) or int(code[2])):
        status, number = int(code[1]), int(code[2])
        number = number or (status - 128 if status > 128 else 0)  # a shell's way to say that a signal ended it
        words = f", {killed_cause(-number if number else status)}"
    return f"{words}, on node {node[1]}" if node else words


def messages_of(folder: Path, job: str) -> Path:
    """The file of what Slurm and srun said about a job."""
    return folder / f"{job}_0_log.err"
