"""One network in each of the forms that are timed: plain, fast, compiled, as a CUDA graph, in ONNX Runtime.

All forms of a model have the same weights (fresh, from a fixed seed) and the same input.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from safmn_bench.models.errors import UserError, normalised
from safmn_bench.models.fast import optimise
from safmn_bench.models.variants import find_candidate
from safmn_bench.profiling.devices import set_float32_precision
from safmn_bench.profiling.photograph import photograph

IMPLEMENTATIONS = {
    "eager": "the plain module, contiguous memory",
    "channels_last": "the plain module, channels-last memory",
    "fast": "models.fast.optimise: fused kernels, channels-last memory",
    "compiled": "torch.compile of the plain module",
    "fast_compiled": "torch.compile of the fast form",
    "cuda_graph": "the fast form, recorded once and replayed as a CUDA graph",
    "onnxruntime": "the exported network in ONNX Runtime",
}
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
_SEED = 0


@dataclass(frozen=True, kw_only=True)
class Job:
    """One network in one form: what a worker process measures. `model` is a name or a YAML file."""

    model: str
    scale: int
    implementation: str
    dtype: str
    device: str
    height: int
    width: int
    threads: int
    cudnn_benchmark: bool = False

    @property
    def name(self) -> str:
        """What the network is called in tables."""
        return network_name(self.model)

    def __str__(self) -> str:
        return f"{self.name} x{self.scale} {self.implementation} {self.dtype}"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A network ready to be timed: `forward()` is one pass over an input that is already in place."""

    forward: Callable[[], Any]
    weights_mib: float
    input_mib: float
    device: torch.device
    probe: Callable[[], Any] | None = None
    """The pass whose memory is measured, where `forward` would not show it: a replayed graph allocates nothing."""


def network_name(given: str) -> str:
    """The name of what a user named: SAFMN stays `safmn`, although its variant is called `baseline`."""
    return "safmn" if normalised(given) == "safmn" else find_candidate(given).name


def check(job: Job) -> None:
    """Raise UserError for a form that cannot be measured on the job's device."""
    cuda = torch.device(job.device).type == "cuda"
    if job.dtype == "tf32" and not cuda:
        raise UserError("tf32 is a mode of NVIDIA GPUs; on the CPU choose --dtypes fp32 or bf16.")
    if job.implementation == "cuda_graph" and not cuda:
        raise UserError(
            "A cuda_graph needs an NVIDIA GPU; on the CPU choose --implementations eager, fast or compiled."
        )
    if job.implementation == "onnxruntime" and job.dtype != "fp32":
        raise UserError("The onnxruntime implementation is measured in fp32 only: add --dtypes fp32.")
    find_candidate(job.model).build(job.scale)  # raises for a wrong name or scale


def prepare(job: Job, *, sparing: bool = False) -> Prepared:
    """Build the network and its input in the form of the job, in this process, whose global settings it changes.

    `sparing`: have ONNX Runtime give memory back after each pass, to measure what a pass needs.
    """
    torch.set_num_threads(job.threads)
    device, dtype = torch.device(job.device), DTYPES[job.dtype]
    if device.type == "cuda":
        torch.cuda.set_device(device)
        set_float32_precision("tf32" if job.dtype == "tf32" else "ieee")
        torch.backends.cudnn.benchmark = job.cudnn_benchmark
    torch.manual_seed(_SEED)
    network = find_candidate(job.model).build(job.scale).eval().requires_grad_(False)
    weights_mib = sum(t.nbytes for t in (*network.parameters(), *network.buffers())) / 2**20
    rgb = photograph(job.height, job.width)
    if job.implementation == "onnxruntime":
        return _in_onnxruntime(network, rgb, weights_mib, device, arena=not sparing)
    network, rgb = network.to(device, dtype), rgb.to(device, dtype)
    forward = _forward(network, rgb, job.implementation)
    return Prepared(
        forward=_recorded(forward) if job.implementation == "cuda_graph" else forward,
        weights_mib=weights_mib * torch.finfo(dtype).bits / 32,
        input_mib=rgb.nbytes / 2**20,
        device=device,
        probe=forward,
    )


def _forward(network: nn.Module, rgb: torch.Tensor, implementation: str) -> Callable[[], torch.Tensor]:
    if implementation in ("channels_last", "fast", "fast_compiled", "cuda_graph"):
        rgb = rgb.contiguous(memory_format=torch.channels_last)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if implementation in ("fast", "fast_compiled", "cuda_graph"):
        network = optimise(network)
    call: Callable[[torch.Tensor], torch.Tensor] = network
    if implementation in ("compiled", "fast_compiled"):
        call = torch.compile(network)

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            return call(rgb)

    return forward


def _recorded(forward: Callable[[], torch.Tensor]) -> Callable[[], torch.Tensor]:
    """Record one pass as a CUDA graph, after the passes on a side stream that recording asks for."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            forward()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        output = forward()

    def replay() -> torch.Tensor:
        graph.replay()
        return output

    return replay


def _in_onnxruntime(
    network: nn.Module, rgb: torch.Tensor, weights_mib: float, device: torch.device, arena: bool
) -> Prepared:
    """The network in ONNX Runtime, input and output bound to the device's memory."""
    from safmn_bench.profiling.onnx_form import open_session, to_onnx  # onnx is an optional dependency

    session = open_session(to_onnx(network, tuple(rgb.shape)).content, device, arena=arena)
    feed = np.ascontiguousarray(rgb.numpy())
    name = session.get_inputs()[0].name
    if device.type == "cpu":

        def forward() -> Any:
            return session.run(None, {name: feed})
    else:
        binding = session.io_binding()
        binding.bind_cpu_input(name, feed)
        binding.bind_output(session.get_outputs()[0].name, "cuda", device.index or 0)
        binding.synchronize_inputs()

        def forward() -> Any:
            session.run_with_iobinding(binding)
            binding.synchronize_outputs()

    return Prepared(forward=forward, weights_mib=weights_mib, input_mib=rgb.nbytes / 2**20, device=device)
