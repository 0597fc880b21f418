"""A whole training step as one CUDA graph: samples, learning rate, forward, loss, backward, clipping, Adam, average.

A step of SAFMN launches some 500 kernels; at small batches the processor needs longer to launch them than the GPU to
run them. Recorded once, they are launched together, and nothing of a step waits for Python. What the graph does is
`Learner.update` and nothing else; where it cannot be recorded, and on a CPU, the same lines run as they are written.
"""

import sys
from collections.abc import Callable, Iterator

import torch

from safmn_bench.ablations.data.sampling import PatchSampler
from safmn_bench.ablations.training.feeds import CopyFeed, TableFeed
from safmn_bench.ablations.training.learner import Learner
from safmn_bench.ablations.training.steps import Batches, Steps

WARM_UPS = 3  # steps before recording, as PyTorch's notes on CUDA graphs have it
CAPTURED = "captured"


class GraphSteps(Steps):
    """Steps that are recorded before the first of them, and replayed."""

    def __init__(self, learner: Learner, batches: Batches) -> None:
        super().__init__(learner, batches)
        if learner.device.type == "cuda" and learner.recipe.compute.precision == "bf16":
            # what autocast keeps of one step would be read by a graph after it was freed
            learner.autocast = torch.autocast("cuda", torch.bfloat16, cache_enabled=False)
        in_place = isinstance(batches, PatchSampler)
        self.feed = TableFeed(batches, learner) if in_place else CopyFeed(batches, learner)
        self.run: Callable[[], torch.Tensor] = self.once

    def once(self) -> torch.Tensor:
        """The step itself: (loss, gradient norm)."""
        lr, hr = self.feed.read()
        return self.learner.update(lr, hr)

    def prepare_on(self, first: int) -> None:
        """Compile, warm up and record on iteration `first`; what cannot be recorded is told, and runs unrecorded."""
        for _ in self.feed.ready(first, first + 1):
            if self.learner.device.type == "cpu":
                self.once()
                self.form = "not captured: a CPU has no graphs"
            else:
                warmed_up(self.once, self.learner.device)
                self.record()

    def record(self) -> None:
        """Replay from now on, or say why not."""
        try:
            self.run, self.form = captured(self.once, self.learner), CAPTURED
        except RuntimeError as error:
            reason = f"{type(error).__name__}: {error}".partition("\n")[0]
            self.form = f"not captured: {reason}"
            line = f"note: compute.graph: the step could not be recorded ({reason}); it runs as it is written."
            print(line, file=sys.stderr)

    def take(self, first: int, end: int) -> Iterator[torch.Tensor]:
        """(loss, gradient norm) of iterations `first` to `end`, each a tensor of two of its own on the device."""
        for _ in self.feed.ready(first, end):
            yield self.run()


def warmed_up(step: Callable[[], object], device: torch.device) -> None:
    """Steps on a stream of their own: libraries choose kernels and plans now, which recording does not allow."""
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):  # makes its device the current one, too
        for _ in range(WARM_UPS):
            step()
    torch.cuda.current_stream(device).wait_stream(side)


def captured(step: Callable[[], torch.Tensor], learner: Learner) -> Callable[[], torch.Tensor]:
    """The step as a graph; each call replays it and returns a copy of its result. Raises RuntimeError."""
    graph, group = torch.cuda.CUDAGraph(), learner.optimizer.param_groups[0]
    group["capturable"] = True  # Adam asks for it while it is recorded; a fused one computes the same either way
    try:
        # by thread: the one that reads batches ahead allocates memory meanwhile
        with torch.cuda.graph(graph, stream=torch.cuda.Stream(learner.device), capture_error_mode="thread_local"):
            outcome = step()
    finally:
        group["capturable"] = False

    def replay() -> torch.Tensor:
        graph.replay()
        return outcome.clone()  # the next replay writes over it

    return replay


def steps_of(learner: Learner, batches: Batches) -> Steps:
    """The steps that the recipe asks for: recorded where `compute.graph` says so, on a GPU of one process."""
    if not learner.recipe.compute.graph or learner.device.type == "cpu":
        return Steps(learner, batches)
    if learner.group.world > 1:
        steps = Steps(learner, batches)
        steps.form = f"not captured: {learner.group.world} processes share the step"
        return steps
    return GraphSteps(learner, batches)
