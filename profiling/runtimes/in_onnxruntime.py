"""ONNX Runtime: the network as an ONNX file of one size (onnx_form.py), run on the CPU or on an NVIDIA GPU."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from safmn_bench.profiling.runtimes.onnx_form import open_session, to_onnx
from safmn_bench.profiling.runtimes.runtime import Files, Run, Setting, Shape

_FILE = "network.onnx"


def convert(network: nn.Module, shape: Shape) -> Files:
    """The ONNX file. Raises UserError for a network that cannot be exported."""
    return files_of(to_onnx(network, shape).content)


def files_of(content: bytes) -> Files:
    """An ONNX file as `start` takes it."""
    return {_FILE: content}


def start(files: Files, setting: Setting) -> Run:
    """A session; on a GPU each pass takes LR there and SR back."""
    session = _session(files, setting)
    name = session.get_inputs()[0].name
    return lambda lr: session.run(None, {name: lr})[0]


def bound(files: Files, setting: Setting, lr: np.ndarray) -> Callable[[], Any]:
    """One pass over LR that lies on the GPU already, and whose SR stays there: what is timed."""
    session, device = _session(files, setting), torch.device(setting.device)
    binding = session.io_binding()
    binding.bind_cpu_input(session.get_inputs()[0].name, lr)
    binding.bind_output(session.get_outputs()[0].name, "cuda", device.index or 0)
    binding.synchronize_inputs()

    def forward() -> None:
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()

    return forward


def _session(files: Files, setting: Setting) -> Any:
    device = torch.device(setting.device)
    return open_session(files[_FILE], device, threads=setting.threads, arena=not setting.sparing)
