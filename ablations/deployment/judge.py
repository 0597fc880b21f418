"""What a form of a network computes, beside PyTorch: its largest difference from the plain network, and its scores.

Each form is judged in a process of its own, as it is timed: a crash in compiled code ends its row, and no more.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import torch

from safmn_bench.ablations.data.benchmarks import Benchmark
from safmn_bench.ablations.scoring.score import Protocol, score
from safmn_bench.profiling.common.options import LARGEST_SIDE
from safmn_bench.profiling.common.sample_images import photograph
from safmn_bench.profiling.timing.forms import AnySize, Job
from safmn_bench.profiling.timing.workers import Turns, Worker, WorkerFailed


@dataclass(kw_only=True)
class Judgement:
    """One form of one network; `failure` is the cause where it could not be judged."""

    job: Job
    largest_difference: float | None = None
    """Of an output from the plain network's in float32, on a photograph; of a range of 1."""
    psnr_y_db: Mapping[str, float] = field(default_factory=dict)
    """Benchmark -> mean PSNR-Y; empty for fresh weights."""
    failure: str | None = None
    absent: bool = False
    """Whether it cannot be had here: the runtime is not installed, or does not take this network."""


class Judge(Turns):
    """A worker's answers about the pixels of its job."""

    @cached_property
    def _network(self) -> AnySize:
        torch.set_num_threads(self.job.threads)
        return AnySize(self.job)

    def difference(self) -> float:
        """Largest absolute difference from the plain network in float32, on a photograph of the timed size."""
        network, lr = self._network, photograph(self.job.height, self.job.width)
        plain = AnySize(replace(self.job, implementation="eager", dtype="fp32"))
        with torch.inference_mode():
            return float((network(lr) - plain(lr)).abs().max())

    def scores(self, benchmarks: Sequence[Benchmark], protocol: Protocol) -> dict[str, float]:
        """Mean PSNR-Y by benchmark, in dB."""
        network, cpu = self._network, torch.device("cpu")
        # whole images: what memory a tile would need is PyTorch's question
        tile = LARGEST_SIDE
        return {b.name: score(network, b, protocol, cpu, tile=tile)["psnr_y_db"] for b in benchmarks}


def judged(job: Job, benchmarks: Sequence[Benchmark], protocol: Protocol) -> Judgement:
    """The judgement of one form; scored only with weights from a file."""
    judgement = Judgement(job=job)
    with Worker(job, Judge) as worker:
        try:
            judgement.largest_difference = worker.ask("difference")
            if job.weights is not None:
                judgement.psnr_y_db = worker.ask("scores", benchmarks, protocol)
        except WorkerFailed as error:
            judgement.failure = str(error)
    return judgement
