"""A network as ONNX: exported by torch's exporter, opened in ONNX Runtime, and compared with the original.

SAFMN's adaptive pooling is plain pooling only where height and width are multiples of 2^(levels - 1), 8 for the
paper's network; a module that pools so says its `size_multiple`. Two forms follow, both exact:

- dynamic: any height and width that are multiples of that number (any at all, for a network without a pyramid);
- fixed: one height and width of any kind; the windows of the adaptive pooling are then written into the graph.

A picture of another size can be padded to the multiple and the result cropped, but near the padded edges and in the
cells of the pyramid this is not what the network computes: `exactness` says so.
"""

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.export import Dim

from safmn_bench.models.errors import UserError

TOLERANCE = 1e-4
OPSET = 20
_LARGEST_SIDE = 16384
_EXTRA = "ONNX export needs onnx, onnxscript and onnxruntime: pip install 'safmn-bench[onnx]'."

Pool = Callable[[torch.Tensor, tuple[int, int]], torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An ONNX file's content; `multiple` is None for a fixed size, else what height and width are multiples of."""

    content: bytes
    multiple: int | None
    shape: tuple[int, ...]

    def exactness(self) -> str:
        """What sizes the file takes, in a sentence."""
        height, width = self.shape[-2:]
        if self.multiple is None:
            return f"fixed: LR of {width}x{height} only (width x height)"
        if self.multiple == 1:
            return "dynamic: any height and width"
        return (
            f"dynamic: height and width that are multiples of {self.multiple}; pad other pictures and crop the result "
            "(then not exactly the network's own output), or export their size with --lr-size"
        )


def size_multiple(network: nn.Module) -> int:
    """What height and width must be multiples of for the network's pooling to be plain; 1 without adaptive pooling."""
    return math.lcm(*(getattr(module, "size_multiple", 1) for module in network.modules()))


def to_onnx(network: nn.Module, shape: tuple[int, ...], *, dynamic: bool = False) -> Exported:
    """Export for LR (1, 3, H, W), by tracing; `dynamic` leaves height and width open where that is exact.

    Raises UserError when onnx is not installed, or when a dynamic file is asked for at a size that is no multiple.
    """
    multiple = size_multiple(network)
    fits = all(side % multiple == 0 for side in shape[-2:])
    if dynamic and not fits:
        raise UserError(
            f"A dynamic export is traced at a multiple of {multiple}, and {shape[-1]}x{shape[-2]} is none. "
            "Choose such a size with --lr-size, or export this size alone with --fixed."
        )
    least = getattr(network, "least_side", 1)
    sides = {2: _side("height", multiple, least), 3: _side("width", multiple, least)} if dynamic else None
    with _exportable(network, divisible=fits), _quiet():
        try:
            program = torch.onnx.export(
                network.eval(),
                (torch.zeros(shape),),
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                input_names=["lr"],
                output_names=["sr"],
                dynamic_shapes=(sides,) if sides else None,
            )
        except ImportError as error:
            raise UserError(f"{_EXTRA} Missing: {error.name}.") from error
    assert program is not None
    return Exported(
        content=program.model_proto.SerializeToString(), multiple=multiple if dynamic else None, shape=shape
    )


def open_session(content: bytes, device: torch.device, *, threads: int | None = None, arena: bool = True) -> Any:
    """An ONNX Runtime session; without `arena` memory is given back after each run. Raises UserError without it."""
    try:
        import onnxruntime
    except ImportError as error:
        raise UserError(_EXTRA) from error
    wanted = "CUDAExecutionProvider" if device.type == "cuda" else "CPUExecutionProvider"
    if wanted not in onnxruntime.get_available_providers():
        raise UserError(f"This onnxruntime has no {wanted}: install onnxruntime-gpu, or choose --device cpu.")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    options.intra_op_num_threads = threads or torch.get_num_threads()
    options.enable_cpu_mem_arena = arena
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle threads must not slow the others
    return onnxruntime.InferenceSession(content, options, providers=[wanted])


def largest_difference(network: nn.Module, exported: Exported, lr: torch.Tensor) -> float:
    """The largest absolute difference of ONNX Runtime's result on `lr` (1, 3, H, W) from the network's own."""
    (got,) = open_session(exported.content, torch.device("cpu")).run(None, {"lr": lr.numpy()})
    with torch.inference_mode():
        expected = network.eval()(lr)
    return float((torch.from_numpy(got) - expected).abs().max())


def _side(name: str, multiple: int, least: int) -> Any:
    side = Dim(name, min=max(2, math.ceil(least / multiple)), max=_LARGEST_SIDE // multiple)
    return multiple * side if multiple > 1 else side


@contextlib.contextmanager
def _exportable(network: nn.Module, *, divisible: bool) -> Iterator[None]:
    """Within it, adaptive pooling is written with operators that ONNX has, with the same results."""
    plain = {F.adaptive_max_pool2d: F.max_pool2d, F.adaptive_avg_pool2d: F.avg_pool2d}
    written_out = {F.adaptive_max_pool2d: gathered_max, F.adaptive_avg_pool2d: weighted_mean}
    modules: list[Any] = [module for module in network.modules() if getattr(module, "pool", None) in plain]
    before = [module.pool for module in modules]
    for module, pool in zip(modules, before, strict=True):
        module.pool = _windowed(plain[pool]) if divisible else written_out[pool]
    try:
        yield
    finally:
        for module, pool in zip(modules, before, strict=True):
            module.pool = pool


def _windowed(pool: Callable[..., torch.Tensor]) -> Pool:
    """Adaptive pooling where the size divides: windows side by side."""
    return lambda x, size: pool(x, (x.shape[-2] // size[0], x.shape[-1] // size[1]))


def cell_bounds(length: int, cells: int) -> list[tuple[int, int]]:
    """The windows of adaptive pooling: cell i covers floor(i n / m) to ceil((i + 1) n / m), the end excluded."""
    return [(i * length // cells, -(-(i + 1) * length // cells)) for i in range(cells)]


def gathered_max(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Adaptive max-pooling of (B, C, H, W) to `size`: short windows repeat their last line."""
    for axis, cells in ((2, size[0]), (3, size[1])):
        bounds = cell_bounds(x.shape[axis], cells)
        widest = max(end - start for start, end in bounds)
        lines = [min(start + k, end - 1) for start, end in bounds for k in range(widest)]
        x = x.index_select(axis, torch.tensor(lines)).unflatten(axis, (cells, widest)).amax(axis + 1)
    return x


def weighted_mean(x: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Adaptive average-pooling of (B, C, H, W) to `size`, as a product with a matrix of weights on each side."""
    rows, columns = (_mean_matrix(n, m) for n, m in zip(x.shape[-2:], size, strict=True))
    return rows @ x @ columns.T


def _mean_matrix(length: int, cells: int) -> torch.Tensor:
    matrix = torch.zeros(cells, length)
    for row, (start, end) in zip(matrix, cell_bounds(length, cells), strict=True):
        row[start:end] = 1 / (end - start)
    return matrix


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on itself."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
