"""A process per network: it stays up, takes its turn when asked, and idles while the others are timed.

A process of its own means that no network inherits another's allocator, autotuning or libraries; staying up means that
rounds can be interleaved without paying for the start each time.
"""

import multiprocessing
import traceback
from dataclasses import replace
from multiprocessing.connection import Connection
from typing import Any

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.door import deaf_to_interrupts
from safmn_bench.profiling.common.memory import give_memory_back, keep_freed_memory, peak_memory_mib
from safmn_bench.profiling.timing.clock import time_ms, warm_up
from safmn_bench.profiling.timing.forms import Job, Prepared, prepare

_STOP_SECONDS = 10


class WorkerFailed(Exception):
    """A worker's request failed; `str()` of it is the cause in one line."""


class Worker:
    """A process that holds one network; use as a context manager. Requests are the methods of `answers`, a class.

    `answers` is made in the process, of the job and of nothing else.
    """

    def __init__(self, job: Job, answers: "type[Turns] | None" = None) -> None:
        self.job = job
        context = multiprocessing.get_context("spawn")
        self._line, other = context.Pipe()
        self._process = context.Process(target=_serve, args=(other, job, answers or Turns), daemon=True)
        with deaf_to_interrupts():
            self._process.start()
        other.close()

    def ask(self, request: str, *arguments: Any) -> Any:
        """Have the process do `request` and wait for the answer. Raises WorkerFailed with the cause."""
        try:
            self._line.send((request, arguments))
            done, answer = self._line.recv()
        except (EOFError, OSError) as error:
            self._process.join(_STOP_SECONDS)
            code = self._process.exitcode
            raise WorkerFailed(f"its process ended (status {code}); out of memory is the usual cause") from error
        if not done:
            raise WorkerFailed(answer)
        return answer

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self._line.close()  # the process sees the end of the line, and ends
        self._process.join(_STOP_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class Turns:
    """A worker's answers to what it is asked, in its own process."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.prepared: Prepared | None = None

    def _ready(self) -> Prepared:
        if self.prepared is None:
            if self.job.allocator == "keep":
                keep_freed_memory()
            self.prepared = prepare(self.job)
        return self.prepared

    def _time_once(self) -> float:
        ready = self._ready()
        return time_ms(ready.forward, ready.device)

    def warm_up(self) -> dict[str, Any]:
        """Run until the time is flat: number of runs, whether flat, and the first time in ms."""
        warm = warm_up(self._time_once)
        return {"runs": len(warm.times_ms), "flat": warm.flat, "first_ms": warm.times_ms[0]}

    def block(self, runs: int, settle: int) -> list[float]:
        """Times of `runs` passes in ms, after `settle` passes that are not kept: others have used the caches."""
        return [self._time_once() for _ in range(settle + runs)][settle:]

    def referee(self, images: int) -> list[float]:
        """Times of `images` passes in ms from the first on, without warm-up."""
        return [self._time_once() for _ in range(images)]

    def about(self) -> dict[str, Any]:
        """MiB of the weights, of the input and of a runtime's files, and remarks."""
        ready = self._ready()
        known = ("weights_mib", "input_mib", "file_mib", "remarks")
        return {name: getattr(ready, name) for name in known}

    def memory_here(self) -> float | None:
        """Peak memory of one pass in MiB by this process's own network, on a GPU; ask it when that is warm."""
        ready = self._ready()
        return peak_memory_mib(ready.forward, ready.weights_mib + ready.input_mib, ready.device)

    def memory(self) -> float | None:
        """Peak memory of one pass in MiB; ask this of a fresh process, whose allocator it changes.

        Of another runtime, all that it took since it opened the network. None where it is not known: ONNX Runtime's
        memory on a GPU is not PyTorch's.
        """
        give_memory_back()
        recorded = self.job.implementation == "cuda_graph"  # its replay allocates nothing: it holds what it recorded
        ready = prepare(replace(self.job, implementation="fast") if recorded else self.job, sparing=True)
        if self.job.implementation == "onnxruntime" and ready.device.type == "cuda":
            return None
        for _ in range(2):  # once-only allocations: thread pools, generated kernels, packed weights
            ready.forward()
        before = ready.resident_before_mib
        held_mib = ready.input_mib if before is not None else ready.weights_mib + ready.input_mib
        return peak_memory_mib(ready.forward, held_mib, ready.device, before)


def _serve(line: Connection, job: Job, answers: type[Turns]) -> None:
    """The worker's loop: answers requests until the line closes, which it also does when the parent is killed."""
    turns = answers(job)
    while True:
        try:
            request, arguments = line.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            answer = (True, getattr(turns, request)(*arguments))
        except KeyboardInterrupt:
            return
        except Exception as error:  # told to the parent, which goes on with the other networks
            answer = (False, _cause(error))
        try:
            line.send(answer)
        except OSError:
            return


def _cause(error: Exception) -> str:
    """The error in one line, with the place where it was raised; the user's own is told as it is."""
    if isinstance(error, UserError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    first_line = (str(error).strip() or "no message").splitlines()[0]
    return f"{type(error).__name__}: {first_line} ({place.filename.rsplit('/', 1)[-1]}:{place.lineno})"
