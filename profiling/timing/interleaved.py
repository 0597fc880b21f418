"""Timing several networks fairly: all warm, then in turns, round after round, so that drift hits all alike."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from safmn_bench.profiling.common import console
from safmn_bench.profiling.timing.clock import Spread, spread
from safmn_bench.profiling.timing.forms import Job
from safmn_bench.profiling.timing.workers import Worker, WorkerFailed

RUNS_PER_TURN = 5
FEWEST_TURNS = 10  # the interval is a bootstrap over turns; of a few it would be too narrow
TORCH_FORMS = ("eager", "unmerged", "channels_last", "fast", "compiled", "fast_compiled")
"""Whose memory PyTorch's allocator on a GPU counts, pass by pass."""
SETTLE = 1  # passes at the start of a turn that are not kept


@dataclass(kw_only=True)
class Timed:
    """The measurements of one job; `failure` is the cause where it could not be."""

    job: Job
    rounds_ms: list[list[float]] = field(default_factory=list)
    first_ms: float | None = None
    warm_up_runs: int = 0
    flat: bool | None = None
    """Whether the warm-up ended flat; None for a protocol without one."""
    weights_mib: float = 0.0
    input_mib: float = 0.0
    file_mib: float | None = None
    peak_memory_mib: float | None = None
    remarks: tuple[str, ...] = ()
    failure: str | None = None

    def spread(self) -> Spread:
        """Median and spread over the rounds."""
        return spread(self.rounds_ms)


def measure(
    jobs: Sequence[Job], runs: int, seen: Callable[[Sequence[Timed]], object] = lambda timed: None
) -> list[Timed]:
    """Memory of each job in a fresh process, then the times of all in interleaved rounds of a process each.

    On a GPU PyTorch counts what its own networks take, and the process that times them is asked once it is warm.
    `seen` is given all of them after each round, outside what is timed.
    """
    timings = [Timed(job=job) for job in jobs]
    sizes = turns(runs)
    lines = console.Lines("Memory, warm-ups and rounds", len(jobs) * (2 + len(sizes)))
    with console.progress() as bar:
        for timing in bar.track(timings, description="Memory"):
            if not counted_while_timed(timing.job):
                with Worker(timing.job) as worker:
                    _attempt(timing, worker, _memory)
            lines.advance(about=f"memory of {timing.job}")
        with ExitStack() as stack:
            workers = [stack.enter_context(Worker(job)) for job in jobs]
            pairs = list(zip(timings, workers, strict=True))
            for timing, worker in bar.track(pairs, description="Warming up"):
                _attempt(timing, worker, _warm_up)
                lines.advance(about=f"warm-up of {timing.job}")
            for size in bar.track(sizes, description="Rounds"):
                for timing, worker in pairs:
                    _attempt(timing, worker, _turn, size)
                lines.advance(len(pairs))
                seen(timings)
    return timings


def counted_while_timed(job: Job) -> bool:
    """Whether the process that times a job can tell its memory too: not that of a graph, which holds what it recorded.

    A process more, with a context of its own, takes longer on a GPU than all of a network's rounds.
    """
    return job.device.startswith("cuda") and job.implementation in TORCH_FORMS


def turns(runs: int) -> list[int]:
    """`runs` cut into turns of five, or of fewer so that there are ten turns; the last holds the rest."""
    size = max(1, min(RUNS_PER_TURN, runs // FEWEST_TURNS))
    full, rest = divmod(runs, size)
    return [size] * full + ([rest] if rest else [])


def referee(jobs: Sequence[Job], images: int) -> list[Timed]:
    """The protocol of the NTIRE efficient-SR harness: one network after another, no warm-up, every image counts."""
    timings = [Timed(job=job) for job in jobs]
    with console.progress() as bar:
        for timing in bar.track(timings, description="Models"):
            with Worker(timing.job) as worker:
                _attempt(timing, worker, _referee, images)
    return timings


def _attempt(timing: Timed, worker: Worker, step: Callable[..., None], *arguments: int) -> None:
    """Do one step of a job unless it has failed already; note a failure and go on with the others."""
    if timing.failure is None:
        try:
            step(timing, worker, *arguments)
        except WorkerFailed as error:
            timing.failure = str(error)


def _memory(timing: Timed, worker: Worker) -> None:
    timing.peak_memory_mib = worker.ask("memory")


def _about(timing: Timed, worker: Worker) -> None:
    about = worker.ask("about")
    for name, value in about.items():
        setattr(timing, name, value)


def _warm_up(timing: Timed, worker: Worker) -> None:
    _about(timing, worker)
    warm = worker.ask("warm_up")
    timing.warm_up_runs, timing.flat, timing.first_ms = warm["runs"], warm["flat"], warm["first_ms"]
    if counted_while_timed(timing.job):
        timing.peak_memory_mib = worker.ask("memory_here")


def _turn(timing: Timed, worker: Worker, runs: int) -> None:
    timing.rounds_ms.append(worker.ask("block", runs, SETTLE))


def _referee(timing: Timed, worker: Worker, images: int) -> None:
    _about(timing, worker)
    timing.rounds_ms = [worker.ask("referee", images)]
    timing.first_ms = timing.rounds_ms[0][0]
