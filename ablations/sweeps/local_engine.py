"""Many runs on this machine: each in a process of its own, as many at a time as there are slots.

A run that crashes, runs out of memory or is killed takes no other one with it. One that gives no sign of life, as it
does with every iteration and every image that it scores, is told, and killed as soon as the sweep is told to stop: it
could not save, and its last checkpoint stays. Processes are forked from a server that
has imported everything and computed nothing, so that starting one costs a fraction of a second.
"""

import multiprocessing
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

import torch

from safmn_bench.ablations.runs import mps
from safmn_bench.ablations.runs.failures import killed_cause, last_lines, record_failure
from safmn_bench.ablations.runs.plan import Plan
from safmn_bench.ablations.sweeps.jobs import Job, headline_of
from safmn_bench.ablations.sweeps.options import RunOptions
from safmn_bench.ablations.sweeps.worker import Slot, slots_of, work
from safmn_bench.profiling.common.devices import choose_device
from safmn_bench.profiling.common.door import deaf_to_interrupts
from safmn_bench.profiling.common.locks import is_held
from safmn_bench.profiling.common.processes import suspended

LOOK_S = 0.2  # between looks at signals, and redraws
QUIET_S = 60.0  # without a sign of life, after which a run is told to hang
SILENT_S = 3600.0  # after which a network of one's own that says nothing is taken to hang
PATIENCE_S = 120.0  # for a run to save when told to stop


@dataclass
class Running:
    """A job in a process of its own."""

    job: Job
    slot: Slot
    process: BaseProcess
    connection: Connection
    heard: float
    """When it last said anything."""
    told: bool = False
    """Whether it was said that it hangs."""

    @property
    def hangs(self) -> bool:
        """Whether it gives no sign of life, or cannot: its process is stopped."""
        return time.monotonic() - self.heard > QUIET_S or suspended(self.process.pid or 0)


def open_engine(options: RunOptions) -> "LocalEngine":
    """The engine of this machine. Raises UserError for a device that is not there."""
    device = choose_device(options.device)
    return LocalEngine(device, slots_of(every_gpu(options, device), options.slots_per_device), share=not options.no_mps)


def every_gpu(options: RunOptions, device: torch.device) -> torch.device:
    """What `slots_of` divides: all GPUs where the options name none, though a device always has a number."""
    return torch.device(device.type) if options.device in ("auto", "cuda") else device


def devices_side_by_side(options: RunOptions, device: torch.device) -> int:
    """How many devices compute at a time, as far as that is known here: a cluster's queue says it of no others."""
    return 1 if options.engine != "local" else len({slot.gpu for slot in slots_of(every_gpu(options, device), 1)})


class LocalEngine:
    """`target` is what each process does."""

    def __init__(
        self, device: torch.device, slots: Sequence[Slot], target: Callable[[Plan, Slot, Connection], None] = work,
        *, share: bool = False,
    ) -> None:  # fmt: skip
        self.device = device
        self.free, self.target = list(slots), target
        self.running: list[Running] = []
        self.share = share
        self.daemon: mps.Daemon | None = None
        self.looked = time.monotonic()
        self.context = multiprocessing.get_context("forkserver")
        self.context.set_forkserver_preload(["safmn_bench.ablations.sweeps.worker"])

    def submit(self, jobs: Sequence[Job], stop: Callable[[], bool]) -> None:
        """Start as many as there are free slots; the others wait."""
        if self.share and not self.running:
            self._share()
        for job in jobs[: len(self.free)]:
            self.running.append(self._started(job, self.free.pop()))

    def watch(self, jobs: Sequence[Job]) -> None:
        """Take in messages for a moment; with a free slot, also look at jobs that another launcher had."""
        self._rest()
        for ended in self._ended():
            self.running.remove(ended)
            self.free.append(ended.slot)
        for run in self.running:
            _tell_whether_it_hangs(run)
        if self.free:
            _take_back(jobs)

    def stop(self, jobs: Sequence[Job]) -> None:
        """Tell what runs to save and end, and wait; one that hangs, or takes too long, is killed: its checkpoint stays.

        Interrupted once more, it kills them all.
        """
        for run in self.running:
            run.process.terminate()  # all are told before any is waited for: they save side by side
        try:
            deadline = time.monotonic() + PATIENCE_S
            for run in self.running:
                if not _ends(run, deadline):
                    _kill(run)
        except BaseException:
            for run in self.running:
                _kill(run)
            raise
        finally:
            self.running.clear()
            if self.daemon is not None:
                self.daemon.stop()

    def _share(self) -> None:
        """Before the first run: the service by which several runs on a GPU compute at once, where there is one."""
        self.share = False
        gpus = [slot.gpu for slot in self.free if slot.gpu is not None]
        if len(gpus) == len(set(gpus)) or (daemon := mps.start(list(dict.fromkeys(gpus)))) is None:
            return
        self.daemon = daemon
        self.free = [
            replace(slot, gpu=daemon.number(slot.gpu), shared=daemon.environment) for slot in self.free if slot.gpu
        ]

    def _rest(self) -> None:
        """Leave out of every silence the time in which this process was stopped (Ctrl-Z) and could hear nothing."""
        now = time.monotonic()
        for run in self.running if now - self.looked > QUIET_S / 2 else ():
            run.heard += now - self.looked
        self.looked = now

    def _started(self, job: Job, slot: Slot) -> Running:
        receive, send = self.context.Pipe(duplex=False)
        process = self.context.Process(target=self.target, args=(job.plan, slot, send))
        with deaf_to_interrupts():
            process.start()
        send.close()  # the child has its own; with this one open its end would not be seen
        job.state, job.started, job.first_done = "running", time.monotonic(), None
        return Running(job, slot, process, receive, heard=time.monotonic())

    def _ended(self) -> list[Running]:
        """Take in messages for a moment; the runs that ended."""
        lines = {run.connection: run for run in self.running}
        ended = []
        if not lines:
            time.sleep(LOOK_S)
        for line in wait(list(lines), LOOK_S) if lines else []:
            run = lines[line]  # type: ignore[index]
            run.heard = time.monotonic()
            if not _received(run):
                ended.append(run)
        for run in self.running:
            if run not in ended and _gone(run):
                _note_end(run, "killed", [])
                ended.append(run)
        return ended


def _gone(run: Running) -> bool:
    """Whether a run has ended without a last word, though the line is open: a process that it forked may hold it.

    A network of one's own that hangs is ended here, so that its place becomes free.
    """
    if run.job.plan.candidate.own is not None and time.monotonic() - run.heard > SILENT_S:
        run.process.kill()
        run.process.join()
    return not run.process.is_alive() and not run.connection.poll()


def _ends(run: Running, deadline: float) -> bool:
    """Take in messages up to the last one; False where the run hangs, or the deadline passes."""
    while time.monotonic() < deadline and not run.hangs:
        if run.connection.poll(LOOK_S):
            run.heard = time.monotonic()
            if not _received(run):
                return True
    return False


def _kill(run: Running) -> None:
    run.process.kill()
    run.process.join()
    run.job.state = "stopped"
    run.job.cause = run.job.cause or "killed: it hung, or took too long to save; its last checkpoint stays"


def _tell_whether_it_hangs(run: Running) -> None:
    """A line on stderr when a run falls silent, and one when it is heard again."""
    if run.hangs == run.told:
        return
    run.told, pid = run.hangs, run.process.pid
    line = f"{run.job.plan.title} is heard again."
    if run.told:
        why = f"is stopped (kill -CONT {pid} lets it go on)" if suspended(pid or 0) else "seems to hang"
        line = (
            f"{run.job.plan.title}: no sign of life for {time.monotonic() - run.heard:.0f} s; its process {pid} {why}. "
            f"kill -9 {pid} ends it alone, Ctrl-C all; the same command goes on from its checkpoint."
        )
    print(line, file=sys.stderr, flush=True)


def _received(run: Running) -> bool:
    """Take in one message; False at the last one, or at the end of the process without it."""
    try:
        kind, *values = run.connection.recv()
    except (EOFError, OSError):
        kind, values = "killed", []
    if kind == "alive":
        return True
    if kind == "progress":
        done, loss, scores = values
        run.job.note(done, loss, headline_of(scores))
        return True
    _note_end(run, kind, values)
    return False


def _note_end(run: Running, kind: str, values: Sequence[str]) -> None:
    job = run.job
    run.process.join(PATIENCE_S)
    if run.process.is_alive():  # foreign code may leave a thread behind that never ends
        run.process.kill()
        run.process.join()
    run.connection.close()
    if kind == "done":
        job.state = values[0]
    elif kind == "busy":
        job.state, job.cause = "elsewhere", values[0]
    elif kind == "stopped":
        job.state, job.cause = "stopped", values[0]
    else:
        job.state = "failed"
        job.cause = values[0] if kind == "failed" else killed_cause(run.process.exitcode)
        record_failure(job.plan, job.cause, last_lines(job.plan.folder.log))


def _take_back(jobs: Sequence[Job]) -> None:
    """Jobs that another launcher had: ended there (a failure is not tried again at once), or given back."""
    for job in jobs:
        if job.state != "elsewhere":
            continue
        if job.settle():
            job.skipped = True
        elif not is_held(job.plan.folder.lock):
            job.state, job.cause = "waiting", ""
