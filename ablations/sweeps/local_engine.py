"""Many runs on this machine: each in a process of its own, as many at a time as there are slots.

A run that crashes, runs out of memory or is killed takes no other one with it. Processes are forked from a server that
has imported everything and computed nothing, so that starting one costs a fraction of a second.
"""

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any

from safmn_bench.ablations.runs.failures import killed_cause, last_lines, record_failure
from safmn_bench.ablations.runs.running import Plan
from safmn_bench.ablations.sweeps.jobs import Job, headline_of
from safmn_bench.ablations.sweeps.worker import Slot, work
from safmn_bench.profiling.common.locks import is_held

LOOK_S = 0.2  # between looks at signals, and redraws
SILENT_S = 3600.0  # after which a network of one's own that says nothing is taken to hang
PATIENCE_S = 120.0  # for a run to save when told to stop


def run_jobs(
    jobs: Sequence[Job],
    slots: Sequence[Slot],
    stop: Callable[[], bool],
    show: Callable[[], None],
    target: Callable[[Plan, Slot, Connection], None] = work,
) -> None:
    """Run every job that waits, until all have ended or `stop()`; `show` is called often. Jobs hold the outcome.

    When told to stop, running ones save first. `target` is what each process does.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["safmn_bench.ablations.sweeps.worker"])
    free = list(slots)
    queue = deque(job for job in jobs if job.state == "waiting")
    running: list[Job] = []
    while (queue or running or _elsewhere(jobs)) and not stop():
        while queue and free:
            running.append(_started(queue.popleft(), free.pop(), context, target))
        for job in _ended(running):
            running.remove(job)
            assert job.slot is not None
            free.append(job.slot)
        if free:
            queue.extend(_returned(jobs))
        show()
    _stop(running)
    show()


def _elsewhere(jobs: Sequence[Job]) -> list[Job]:
    return [job for job in jobs if job.state == "elsewhere"]


def _started(job: Job, slot: Slot, context: Any, target: Callable[[Plan, Slot, Connection], None]) -> Job:
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=target, args=(job.plan, slot, send))
    process.start()
    send.close()
    job.process, job.connection, job.slot = process, receive, slot
    job.state, job.started, job.first_done = "running", time.monotonic(), None
    return job


def _ended(running: Sequence[Job]) -> list[Job]:
    """Take in messages for a moment; the jobs that ended."""
    connections = {job.connection: job for job in running if job.connection is not None}
    ended = []
    if not connections:
        time.sleep(LOOK_S)
    for connection in wait(list(connections), LOOK_S) if connections else []:
        job = connections[connection]  # type: ignore[index]
        job.heard = time.monotonic()
        if not _received(job):
            ended.append(job)
    for job in running:
        if job not in ended and _gone(job):
            _note_end(job, "killed", [])
            ended.append(job)
    return ended


def _gone(job: Job) -> bool:
    """Whether a run has ended without a last word, though the line is open: a process that it forked may hold it.

    A network of one's own that hangs is ended here, so that its place becomes free.
    """
    assert job.process is not None
    assert job.connection is not None
    if job.plan.candidate.own is not None and time.monotonic() - max(job.heard, job.started or 0) > SILENT_S:
        job.process.kill()
        job.process.join()
    return not job.process.is_alive() and not job.connection.poll()


def _received(job: Job) -> bool:
    """Take in one message; False at the last one, or at the end of the process without it."""
    assert job.connection is not None
    try:
        kind, *values = job.connection.recv()
    except (EOFError, OSError):
        kind, values = "killed", []
    if kind == "progress":
        done, loss, scores = values
        job.note(done, loss, headline_of(scores))
        return True
    _note_end(job, kind, values)
    return False


def _note_end(job: Job, kind: str, values: Sequence[str]) -> None:
    assert job.process is not None
    assert job.connection is not None
    job.process.join(PATIENCE_S)
    if job.process.is_alive():  # foreign code may leave a thread behind that never ends
        job.process.kill()
        job.process.join()
    job.connection.close()
    if kind == "done":
        job.state = values[0]
    elif kind == "busy":
        job.state, job.cause = "elsewhere", values[0]
    elif kind == "stopped":
        job.state, job.cause = "stopped", values[0]
    else:
        job.state = "failed"
        job.cause = values[0] if kind == "failed" else killed_cause(job.process.exitcode)
        record_failure(job.plan, job.cause, last_lines(job.plan.folder.log))
    job.process = job.connection = None


def _returned(jobs: Sequence[Job]) -> list[Job]:
    """Jobs that another launcher had: ended there (a failure is not tried again at once), or given back."""
    again = []
    for job in _elsewhere(jobs):
        if job.settle():
            job.skipped = True
        elif not is_held(job.plan.folder.lock):
            job.state, job.cause = "waiting", ""
            again.append(job)
    return again


def _stop(running: Sequence[Job]) -> None:
    """Tell the jobs to save and end, and wait for them; one that takes too long is killed (its checkpoint stays)."""
    for job in running:
        if job.process is not None:
            job.process.terminate()
    deadline = time.monotonic() + PATIENCE_S
    for job in running:
        while job.process is not None and _pending(job, deadline) and _received(job):
            continue
        if job.process is not None:
            job.process.kill()
            job.process.join()
            job.state = "stopped"


def _pending(job: Job, deadline: float) -> bool:
    assert job.connection is not None
    return job.connection.poll(max(0.0, deadline - time.monotonic()))
