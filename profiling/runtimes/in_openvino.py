"""OpenVINO: the network through its PyTorch frontend, at one size, in float32 or, where the CPU has it, bfloat16.

Its own adaptive pooling takes sides of any length; the ONNX file would bring gathers there.
"""

import os
import tempfile
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.runtimes.exportable import nearest_by_index
from safmn_bench.profiling.runtimes.runtime import Files, Run, Setting, Shape

_XML, _BIN = "network.xml", "network.bin"
PRECISIONS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}  # int8 is in the file: the rest of it is float32


def convert(network: nn.Module, shape: Shape) -> Files:
    """OpenVINO's two files, weights in float32. Raises UserError for a network that it cannot take."""
    return files_of(model_of(network, shape), shape)


def files_of(model: Any, shape: Shape) -> Files:
    """A model's two files for LR of one size, which it takes on."""
    model.reshape(list(shape))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _XML
        library().save_model(model, path, compress_to_fp16=False)
        return {name: (path.parent / name).read_bytes() for name in (_XML, _BIN)}


def model_of(network: nn.Module, traced: Shape, *, any_size: bool = False) -> Any:
    """OpenVINO's model of a network, traced at that shape; `any_size`: sides that the trace left open stay open.

    Raises UserError for a network that it cannot take.
    """
    # convert_model itself reports its use to OpenVINO's makers
    frontend = library("openvino.frontend").FrontEndManager().load_by_framework("pytorch")
    decoder_of = library("openvino.frontend.pytorch.ts_decoder").TorchScriptPythonDecoder
    try:
        with warnings.catch_warnings(), nearest_by_index(any_size=any_size):
            warnings.simplefilter("ignore")  # the tracer's, on sides that become constants: they are, at one size
            decoder = decoder_of(network.eval(), example_input=torch.zeros(traced))
        model = frontend.convert(frontend.load(decoder))
        model.reshape([1, 3, -1, -1] if any_size else list(traced))
    except Exception as error:  # whatever tracing a network's own code raises, and OpenVINO's untyped exceptions
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(f"{type(network).__name__} cannot be converted for OpenVINO: {reason}") from error
    return model


def start(files: Files, setting: Setting) -> Run:
    """The compiled network, one stream. Raises UserError for bfloat16 on a CPU that has none."""
    openvino = library()
    core = openvino.Core()
    if setting.dtype == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise UserError("This CPU has no bfloat16 arithmetic (AVX512-BF16 or AMX): choose --dtypes fp32.")
    model = core.read_model(files[_XML], files[_BIN])
    options = {
        "INFERENCE_NUM_THREADS": setting.threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": PRECISIONS[setting.dtype],
    }
    request = core.compile_model(model, "CPU", options).create_infer_request()
    return lambda lr: request.infer(lr, share_inputs=True)[0]


def library(name: str = "openvino") -> Any:
    """The package or a part of it, without its report to its makers, which it does not send where it runs in CI."""
    before = os.environ.get("CI")
    os.environ["CI"] = "true"
    try:
        return import_module(name)
    finally:
        if before is None:
            del os.environ["CI"]
        else:
            os.environ["CI"] = before
