"""One run in a process of its own: what it is given, and what it tells the process that started it.

Messages are tuples: ("progress", iterations done, loss, scores or None), ("alive",); then one of ("done", status or
AT_CUT), ("busy", owner), ("stopped", where), ("failed", cause). A process that ends without the last was killed.
"""

import contextlib
import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from safmn_bench.ablations.runs.failures import cause_of, last_lines, record_failure
from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.ablations.runs.running import run
from safmn_bench.ablations.runs.signals import stop_on_signals
from safmn_bench.ablations.sweeps.jobs import AT_CUT
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.loop import AtCut, Progress, Scores, Stopped
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.devices import flushed_denormals
from safmn_bench.profiling.common.locks import Busy
from safmn_bench.profiling.common.memory import free_bytes, keep_freed_memory

ALIVE_S = 2.0  # between signs of life
_OWN_BYTES = 2**31  # what libraries and threads' stacks hold already


@dataclass(frozen=True)
class Slot:
    """Where a run computes: one GPU (as CUDA_VISIBLE_DEVICES names it), or CPU threads."""

    gpu: str | None
    threads: int
    shared: Mapping[str, str] = field(default_factory=dict)
    """What the environment has more where runs share the GPU by a service (runs/mps.py)."""


class Report:
    """Sends progress; once nobody listens any more, the run is to stop."""

    def __init__(self, connection: Connection) -> None:
        self.connection, self.alone = connection, False
        self.said = 0.0

    def __call__(self, done: int, loss: float | None, scores: Scores | None) -> None:
        """Send what came in."""
        self.send("progress", done, loss, scores)

    def live(self) -> None:
        """Say, now and then, that the run goes on: called with every iteration, and with every image that is scored."""
        if time.monotonic() - self.said > ALIVE_S:
            self.send("alive")

    def send(self, *message: object) -> None:
        """Send a message, if anybody is there."""
        self.said = time.monotonic()
        try:
            self.connection.send(message)
        except OSError:
            self.alone = True


def work(plan: Plan, slot: Slot, connection: Connection) -> None:
    """Run one plan in this process, which was started for it."""
    print_to(plan.folder.log)
    if slot.gpu is not None:
        os.environ.update(slot.shared, CUDA_VISIBLE_DEVICES=slot.gpu)  # before this process has used CUDA
        plan = replace(plan, device=torch.device("cuda", 0))
    if plan.candidate.own is not None:
        confine(plan.device)
    report = Report(connection)
    with flushed_denormals(), stop_on_signals() as stop:
        torch.set_num_threads(slot.threads)

        def asked() -> bool:
            report.live()
            return stop() or report.alone

        last = outcome(plan, report, asked)
    report.send(*last)


def confine(device: torch.device) -> None:
    """Let this process, which runs foreign code, be the first to go where memory runs out.

    On a CPU it may take what is free now: an allocation beyond that fails here, before the system has to kill anything.
    (On a GPU no such limit is set: CUDA reserves address space in plenty.)
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if device.type == "cpu":
        limit = resource.getrlimit(resource.RLIMIT_DATA)[1]
        wanted = free_bytes(device) + _OWN_BYTES
        resource.setrlimit(resource.RLIMIT_DATA, (wanted if limit < 0 else min(wanted, limit), limit))


def outcome(plan: Plan, progress: Progress, stop: Callable[[], bool]) -> tuple[str, ...]:
    """Run it; the last message. A failure is recorded in its folder, its traceback goes to the log."""
    if plan.device.type == "cpu":
        keep_freed_memory()
    try:
        record = run(plan, Group(0, 1, plan.device), progress, stop)
        assert record is not None
        return "done", record.status
    except AtCut:
        return "done", AT_CUT
    except Stopped as stopped:
        return "stopped", str(stopped)
    except Busy as busy:
        return "busy", str(busy)
    except Exception as error:
        traceback.print_exc()
        cause = cause_of(error)
        record_failure(plan, cause, last_lines(plan.folder.log))
        return "failed", cause


def print_to(path: Path) -> None:
    """Append everything that this process prints, also from C, to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    log = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    # by lines: a process that is killed flushes nothing, and its last lines go into the record of the failure
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", closefd=False)  # noqa: SIM115


def slots_of(device: torch.device, per_device: int) -> list[Slot]:
    """`per_device` slots on `device`; `cuda` without a number means every visible GPU.

    Threads are divided among the slots. Raises UserError for fewer than one slot.
    """
    if per_device < 1:
        raise UserError(f"--slots-per-device {per_device} leaves no place to run. Allowed: whole numbers from 1 up.")
    gpus: list[str | None] = [None]
    if device.type == "cuda":
        visible = visible_gpus(os.environ.get("CUDA_VISIBLE_DEVICES"), torch.cuda.device_count())
        gpus = [*visible] if device.index is None else [visible[device.index]]
    slots = len(gpus) * per_device
    threads = max(1, torch.get_num_threads() // slots)
    return [Slot(gpu, threads) for _ in range(per_device) for gpu in gpus]


def visible_gpus(setting: str | None, count: int) -> list[str]:
    """The names that CUDA_VISIBLE_DEVICES uses for the `count` GPUs that this process sees."""
    if setting:
        return [name.strip() for name in setting.split(",")][:count]
    return [str(i) for i in range(count)]
