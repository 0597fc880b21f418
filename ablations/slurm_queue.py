"""What Slurm says about jobs: by squeue and scontrol, which need no accounting database (submitit's own way does)."""

import re
import subprocess
from pathlib import Path

from safmn_bench.ablations.failures import killed_cause

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
