"""Runs that are killed with SIGKILL where a test says: before an iteration, or within the writing of a file.

`Runner` starts one process that imports the suite and computes nothing; each run is a fork of it, so a run costs its
training and no imports. That process has one thread, and so has every run: a fork of several is not sound.
"""

import json
import os
import select
import signal
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
import torch._dynamo  # what a run imports when it comes to it, which would be most of a short run's time
import torch.utils.tensorboard

import safmn_bench.ablations.sweeps.command
import safmn_bench.ablations.sweeps.summary
import safmn_bench.ablations.sweeps.sweep  # noqa: F401
from safmn_bench.ablations.run import main
from safmn_bench.ablations.training.learner import Learner

STAGES = ("before", "half", "whole", "in place")
"""Of an atomic write: no file yet, a temporary one with half the content, with all of it, renamed over the target."""


@dataclass(frozen=True, kw_only=True)
class Kill:
    """Where a run is killed: before `iteration`, or when `file` is written for the `nth` time from its start."""

    iteration: int | None = None
    file: str = ""
    nth: int = 1
    stage: str = STAGES[0]


class Runner:
    """`runner(argv, kill)` runs the command and returns its exit status, -9 for a kill that was reached."""

    def __init__(self, log: Path) -> None:
        self.log = log

    def __enter__(self) -> "Runner":
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, __file__, str(self.log)],
            bufsize=0,  # a line read ahead would be one that `ended` does not see
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.communicate()

    def __call__(self, argv: list[str], kill: Kill | None = None) -> int:
        self.start(argv, kill)
        return self.status()

    def start(self, argv: list[str], kill: Kill | None = None) -> int:
        """Begin a run; its process's number."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"argv": argv, "kill": asdict(kill) if kill else None}).encode() + b"\n")
        return self.status()

    def ended(self, within_s: float) -> bool:
        """Whether the run has ended, after waiting for that at most so long."""
        assert self.process.stdout is not None
        return bool(select.select([self.process.stdout], [], [], within_s)[0])

    def status(self) -> int:
        """Wait for the run's end; its exit status."""
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())


def serve(log: Path) -> None:
    """For each line of stdin fork a process, and write its number, and its exit status when it has ended."""
    assert len(list(Path("/proc/self/task").iterdir())) == 1, "a process of several threads is not to be forked"
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            run_forked(log, **json.loads(line))
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def run_forked(log: Path, argv: list[str], kill: dict[str, Any] | None) -> None:
    """Run the command in this process and leave; what it prints goes to `log`."""
    status = 70
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        for stream in (0, 1, 2):
            os.dup2(os.open(os.devnull, os.O_RDONLY) if stream == 0 else descriptor, stream)
        if kill:
            place(Kill(**kill))
        status = main(argv)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def place(kill: Kill) -> None:
    """Have this process killed at that place."""
    if kill.iteration is not None:
        _before_iteration(kill.iteration)
    else:
        _within_a_write(kill)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _before_iteration(number: int) -> None:
    step = Learner.step

    def killed(self: Learner, lr: torch.Tensor, hr: torch.Tensor, iteration: int) -> torch.Tensor:
        if iteration == number:
            _die()
        return step(self, lr, hr, iteration)

    Learner.step = killed  # type: ignore[method-assign]


def _within_a_write(kill: Kill) -> None:
    """Python reports every file that is opened or renamed to audit hooks: no line of the suite is exchanged."""
    left = kill.nth

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal left
        if event != ("open" if kill.stage == "before" else "os.rename"):
            return
        path = str(arguments[0])
        begun = Path(path).name.startswith(f".{kill.file}.")
        if not begun or (event == "os.rename" and Path(arguments[1]).name != kill.file):
            return
        left -= 1
        if left:
            return
        if kill.stage == "half":
            os.truncate(path, Path(path).stat().st_size // 2)
        if kill.stage == "in place":
            os.rename(path, arguments[1])  # noqa: PTH104
        _die()

    sys.addaudithook(hook)


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
