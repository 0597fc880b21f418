"""One network in each of the forms that are timed: plain, fast, compiled, as a CUDA graph, in another runtime.

All forms of a model have the same weights (those given, or fresh ones from a fixed seed) and the same input.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.models.fast import optimise
from safmn_bench.models.names import find_candidate, written
from safmn_bench.models.native.form import NativeSAFMN, native_form
from safmn_bench.models.own.adaptation import padding_of
from safmn_bench.models.reparameterisation import deployed, has_parts_to_merge
from safmn_bench.models.weights import load_weights
from safmn_bench.profiling.common.devices import set_float32_precision
from safmn_bench.profiling.common.memory import resident_mib
from safmn_bench.profiling.common.options import lr_size
from safmn_bench.profiling.common.paper import read_table
from safmn_bench.profiling.common.sample_images import photograph
from safmn_bench.profiling.runtimes import in_onnxruntime
from safmn_bench.profiling.runtimes.catalog import RUNTIMES
from safmn_bench.profiling.runtimes.recipe import read
from safmn_bench.profiling.runtimes.runtime import INT8, InRuntime, Runtime, Setting, file_mib
from safmn_bench.profiling.timing.options import LatencyOptions

_FAST = ("fast", "fast_compiled", "cuda_graph")
TORCH_DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
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
    allocator: str = "keep"
    """One of ALLOCATORS."""
    weights: str | None = None
    """A weight file; None: fresh weights from a fixed seed."""
    recipe: str | None = None
    """A file that says how to quantise: of a job in int8."""

    @property
    def name(self) -> str:
        """The network's name in tables."""
        return find_candidate(self.model).name

    def __str__(self) -> str:
        return f"{self.name} x{self.scale} {self.implementation} {self.dtype}"


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A network ready to be timed: `forward()` is one pass over an input that is already in place."""

    forward: Callable[[], Any]
    weights_mib: float
    input_mib: float
    device: torch.device
    remarks: tuple[str, ...] = ()
    """Further caveats of what is timed."""
    file_mib: float | None = None
    """Size of the files of another runtime; None in PyTorch."""
    resident_before_mib: float | None = None
    """The process's resident memory before another runtime opened the network, which takes its memory then."""


def models_of_table_2() -> list[str]:
    """The names of the networks of Table 2, in its order."""
    return [find_candidate(row["method"]).name for row in read_table("table2.csv")]


def jobs_of(options: LatencyOptions, device: torch.device) -> list[Job]:
    """Every model in every form and type. Raises UserError for one that cannot be measured on the device."""
    width, height = lr_size(options.lr_size)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    jobs = [
        Job(
            model=written(model),
            scale=options.scale,
            implementation=implementation,
            dtype=dtype,
            device=str(device),
            height=height,
            width=width,
            threads=torch.get_num_threads(),
            cudnn_benchmark=options.cudnn_benchmark,
            allocator=options.allocator,
        )
        for dtype in dict.fromkeys(options.dtypes)
        for implementation in dict.fromkeys(options.implementations)
        for model in dict.fromkeys(options.models or models_of_table_2())
    ]
    for job in jobs:
        check(job)
    return jobs


def check(job: Job) -> None:
    """Raise UserError for a form that cannot be measured on the job's device."""
    cuda = torch.device(job.device).type == "cuda"
    if job.dtype == "tf32" and not cuda:
        raise UserError("tf32 is a mode of NVIDIA GPUs; on the CPU choose --dtypes fp32 or bf16.")
    if job.implementation == "cuda_graph" and not cuda:
        raise UserError(
            "A cuda_graph needs an NVIDIA GPU; on the CPU choose --implementations eager, fast or compiled."
        )
    if job.implementation in RUNTIMES:
        _check_runtime(job)
    elif job.dtype == INT8:
        raise UserError(f"int8 is a type of other runtimes, such as onnxruntime; {job.implementation} has none.")
    if job.implementation == "native" and (cuda or job.dtype != "fp32"):
        raise UserError("The native implementation is a CPU's, in fp32: add --device cpu --dtypes fp32.")
    candidate = find_candidate(job.model)
    if job.implementation == "native":
        native_form(candidate.build(job.scale))  # compiled here, or refused before anything is measured
    elif candidate.own is not None:
        candidate.own.source.digest()  # raises where there is no such file; its code runs in the worker's process
    else:
        candidate.build(job.scale)  # raises for a wrong name or scale


def _check_runtime(job: Job) -> None:
    runtime = RUNTIMES[job.implementation]
    if job.dtype not in runtime.dtypes:
        raise UserError(
            f"The {job.implementation} implementation is measured in {' and '.join(runtime.dtypes)} only: add --dtypes "
            f"{runtime.dtypes[0]}."
        )
    if torch.device(job.device).type not in runtime.devices:
        raise UserError(f"The {job.implementation} implementation is a CPU's: add --device cpu.")
    if job.dtype == INT8 and job.recipe is None:
        raise UserError("int8 needs a recipe: give --int8 FILE, which safmn-bench quantise makes.")


def prepare(job: Job, *, sparing: bool = False) -> Prepared:
    """Build the network and its input in the form of the job, in this process, whose global settings it changes.

    `sparing`: have ONNX Runtime give memory back after each pass, to measure what a pass needs. Raises UserError for a
    runtime that is not installed.
    """
    torch.set_num_threads(job.threads)
    torch.backends.cudnn.benchmark = job.cudnn_benchmark
    device = torch.device(job.device)
    if (runtime := RUNTIMES.get(job.implementation)) is not None:
        runtime.require(job.dtype)
    network, rgb = build_in_form(
        job.model, job.scale, job.implementation, job.dtype, device, job.height, job.width, job.weights
    )
    held = network.tensors if isinstance(network, NativeSAFMN) else (*network.parameters(), *network.buffers())
    weights_mib = sum(t.nbytes for t in held) / 2**20
    if runtime is not None:
        return _in_runtime(runtime, network, rgb, weights_mib, _setting(job, sparing=sparing))
    call = _compiled_if_asked(network, job.implementation)

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            return call(rgb)

    return Prepared(
        forward=_recorded(forward) if job.implementation == "cuda_graph" else forward,
        weights_mib=weights_mib,
        input_mib=rgb.nbytes / 2**20,
        device=device,
        remarks=_remarks(network, job),
    )


def _remarks(network: nn.Module, job: Job) -> tuple[str, ...]:
    padding = padding_of(network, job.height, job.width)
    return (padding,) if padding else ()


def build_in_form(
    model: str,
    scale: int,
    implementation: str,
    dtype: str,
    device: torch.device,
    height: int,
    width: int,
    weights: str | None = None,
) -> tuple[nn.Module, torch.Tensor]:
    """A network with weights from a file or a fixed seed and its input (1, 3, height, width), in the form's memory.

    Other runtimes take both from the processor's memory. Raises UserError for an unknown name or a wrong scale.
    """
    if device.type == "cuda":
        torch.cuda.set_device(device)
        set_float32_precision("tf32" if dtype == "tf32" else "ieee")
    torch.manual_seed(_SEED)
    built = find_candidate(model).build(scale).eval()
    if weights is not None:
        load_weights(built, Path(weights))
    if implementation == "unmerged" and not has_parts_to_merge(built):
        raise UserError(f"{type(built).__name__} has one form: nothing is merged. Choose the eager implementation.")
    network = (built if implementation == "unmerged" else deployed(built)).requires_grad_(False)
    rgb = photograph(height, width)
    if implementation in RUNTIMES:
        return network, rgb
    if implementation == "native":
        return native_form(network), rgb
    network, rgb = network.to(device, TORCH_DTYPES[dtype]), rgb.to(device, TORCH_DTYPES[dtype])
    if implementation in ("channels_last", *_FAST):
        rgb = rgb.contiguous(memory_format=torch.channels_last)
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return (optimise(network) if implementation in _FAST else network), rgb


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


def _in_runtime(
    runtime: Runtime, network: nn.Module, rgb: torch.Tensor, weights_mib: float, setting: Setting
) -> Prepared:
    """The network in a runtime; on a GPU its input and output stay there."""
    files = runtime.converted(network, (1, 3, rgb.shape[-2], rgb.shape[-1]), setting)
    device, lr = torch.device(setting.device), np.ascontiguousarray(rgb.numpy())
    before_mib = resident_mib()
    if device.type == "cuda":
        forward = in_onnxruntime.bound(files, setting, lr)
    else:
        forward = partial(runtime.start(files, setting), lr)
    return Prepared(
        forward=forward,
        weights_mib=weights_mib,
        input_mib=rgb.nbytes / 2**20,
        device=device,
        file_mib=file_mib(files),
        resident_before_mib=before_mib,
    )


def _setting(job: Job, *, sparing: bool = False) -> Setting:
    recipe = read(Path(job.recipe)) if job.recipe and job.dtype == INT8 else None
    return Setting(threads=job.threads, dtype=job.dtype, device=job.device, sparing=sparing, recipe=recipe)


def _compiled_if_asked(network: nn.Module, implementation: str) -> Callable[[torch.Tensor], torch.Tensor]:
    return torch.compile(network) if implementation in ("compiled", "fast_compiled") else network


class AnySize(nn.Module):
    """A job's network for LR float32 (1, 3, H, W) of any size on the CPU, in the form that is timed; SR float32."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        network, lr = build_in_form(
            *(job.model, job.scale, job.implementation, job.dtype, torch.device("cpu"), job.height, job.width),
            job.weights,
        )
        self._like = lr
        if (runtime := RUNTIMES.get(job.implementation)) is not None:
            runtime.require(job.dtype)
            network = InRuntime(network, runtime, _setting(job))
        self._call = _compiled_if_asked(network, job.implementation)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """SR of LR."""
        last = self._like.is_contiguous(memory_format=torch.channels_last)
        form = torch.channels_last if last else torch.contiguous_format
        return self._call(lr.to(self._like.dtype).contiguous(memory_format=form)).float()
