"""ncnn, by way of pnnx: a TorchScript trace at one size, converted by pnnx's program, float32 throughout."""

import subprocess
import tempfile
import warnings
from importlib import import_module
from pathlib import Path

import numpy as np
import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.runtimes.runtime import Files, Run, Setting, Shape

_TRACE, _PARAM, _BIN = "network.pt", "network.ncnn.param", "network.ncnn.bin"
_LIMIT_S = 600
_HALVES = ("use_fp16_packed", "use_fp16_storage", "use_fp16_arithmetic", "use_bf16_storage")
_LOWERED = (*_HALVES, "use_int8_inference", "use_vulkan_compute")


def convert(network: nn.Module, shape: Shape) -> Files:
    """The two files of ncnn. Raises UserError for a network that cannot be traced, or that pnnx does not take."""
    pnnx = import_module("pnnx")

    with tempfile.TemporaryDirectory() as folder:
        _trace(network, shape, Path(folder) / _TRACE)
        sides = ",".join(map(str, shape))
        call = [pnnx.EXEC_PATH, _TRACE, f"inputshape=[{sides}]", "fp16=0"]
        done = subprocess.run(call, cwd=folder, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
        paths = [Path(folder) / name for name in (_PARAM, _BIN)]
        if done.returncode or not all(path.exists() for path in paths):
            last = next(reversed(done.stderr.strip().splitlines()), "no message")
            raise UserError(f"{type(network).__name__} cannot be converted for ncnn: pnnx says {last!r}.")
        return {path.name: path.read_bytes() for path in paths}


def _trace(network: nn.Module, shape: Shape, path: Path) -> None:
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # the tracer's, on sides that become constants: they are, at one size
            torch.jit.trace(network.eval(), torch.zeros(shape), check_trace=False).save(path)  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever a network's own code raises when it is traced
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(f"{type(network).__name__} cannot be traced for ncnn: {reason}") from error


def start(files: Files, setting: Setting) -> Run:
    """The network in ncnn. Raises UserError where it holds an operator that ncnn has not."""
    ncnn = import_module("ncnn")

    net = ncnn.Net()
    net.opt.num_threads = setting.threads
    for option in _LOWERED:
        setattr(net.opt, option, False)
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        if net.load_param(str(Path(folder) / _PARAM)) or net.load_model(str(Path(folder) / _BIN)):
            raise UserError("ncnn has not every operator of this network: pnnx left some as they are.")

    def run(lr: np.ndarray) -> np.ndarray:
        with net.create_extractor() as extractor:
            extractor.input("in0", ncnn.Mat(lr[0]))
            failed, sr = extractor.extract("out0")
            if failed:
                raise UserError(f"ncnn could not run this network (status {failed}).")
            return np.array(sr)[None]

    return run
