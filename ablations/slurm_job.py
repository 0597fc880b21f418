"""One run as a Slurm job: what happens on the node, and how it is queued again.

Before a job's time is up Slurm sends SIGUSR2 (submitit asks for that), and before a preemption SIGTERM. Either makes
the run stop at its next iteration with its checkpoint written. Only then is submitit's own handler called, which queues
the job again and ends it: called by the signal itself it would do so in the middle of an iteration. The job then goes
on from the checkpoint, under its old number. A job that Slurm is already ending (scancel, scontrol requeue) only saves.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch

from safmn_bench.ablations.interrupts import stop_on_signals
from safmn_bench.ablations.locks import STALE_S
from safmn_bench.ablations.placement import choose_placement
from safmn_bench.ablations.run_bar import PlainProgress
from safmn_bench.ablations.running import Plan
from safmn_bench.ablations.worker import outcome, print_to

RETRY_S = 2.0  # between attempts at a run that another process has


class SlurmRun:
    """What submitit pickles and calls on the node."""

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
        """What submitit runs after requeueing: the same, which goes on from the checkpoint."""
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
