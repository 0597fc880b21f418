"""A network as ONNX: exported by torch's exporter, opened in ONNX Runtime, and compared with the original.

SAFMN's adaptive pooling is plain pooling only where height and width are multiples of 2^(levels - 1), 8 for the
paper's network; a module that pools so says its `size_multiple`. Two forms follow, both exact:

- dynamic: any height and width that are multiples of that number (any at all, for a network without a pyramid);
- fixed: one height and width of any kind; the windows of the adaptive pooling are then written into the graph.

A picture of another size can be padded to the multiple and the result cropped, but near the padded edges and in the
cells of the pyramid this is not what the network computes: `exactness` says so, the file's metadata (`lr_sizes`) too,
and the graph begins with a node that fails, by the name of its reason, at a size that is no multiple.

Python code that asks for the size ("if height % 2:") is traced for one answer, and torch's exporter goes on without a
word: such a file would give wrong pixels at other sizes. The exporter does note each question that it answered so.
`to_onnx` asks every one again at many sizes; where another answer would have come, the file is compared with the
network, and refused where it differs ("is a side 1?" has no consequence in ONNX, "is it even?" mostly has).
"""

import contextlib
import io
import logging
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import LARGEST_SIDE, LR_SIZE, lr_size
from safmn_bench.profiling.runtimes.exportable import exportable, nearest_by_index
from safmn_bench.profiling.runtimes.options import ExportOptions

TOLERANCE = 1e-4
OPSET = 20
_COUNTS = (1, 2, 3, 4, 5, 7, 8, 9, 12, 13, 16, 31)
_SIZES = sorted({*((n, n) for n in _COUNTS), *zip(_COUNTS, reversed(_COUNTS), strict=True)})
"""LR sizes, in multiples, at which the questions of a trace are asked again."""
_FROZEN = "its code makes Python numbers of LR's sides, which freezes them"
_EXTRA = "ONNX export needs onnx, onnxscript and onnxruntime: pip install 'safmn-bench[onnx]'."


@dataclass(frozen=True, kw_only=True)
class Exported:
    """An ONNX file's content; `multiple` is None for a fixed size, else what height and width are multiples of."""

    content: bytes
    multiple: int | None
    shape: tuple[int, ...]

    def exactness(self) -> str:
        """The sizes that the file takes, in a sentence."""
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
    """The step of height and width at which the network's pooling is plain; 1 without adaptive pooling."""
    return math.lcm(*(getattr(module, "size_multiple", 1) for module in network.modules()))


def traced_shape(options: ExportOptions, network: nn.Module) -> tuple[int, int, int, int]:
    """The LR shape that is traced: that of a fixed file, or any that the dimensions of a dynamic one can have."""
    if options.fixed:
        width, height = lr_size(options.lr_size or LR_SIZE)
        return 1, 3, height, width
    multiple = size_multiple(network)
    return 1, 3, 5 * max(multiple, 8), 6 * max(multiple, 8)


def check_sizes(exported: Exported) -> list[tuple[int, int]]:
    """LR sizes (height, width) at which a file is checked: its own, and where it takes any, odd and even ones too."""
    own = (exported.shape[-2], exported.shape[-1])
    if exported.multiple is None:
        return [own]
    step = exported.multiple
    return [own, (3 * max(step, 8), 4 * max(step, 8)), *([(9 * step, 7 * step)] if step > 1 else [(37, 53), (31, 16)])]


def to_onnx(network: nn.Module, shape: tuple[int, ...], *, dynamic: bool = False) -> Exported:
    """Export for LR (1, 3, H, W), by tracing; `dynamic` leaves height and width open where that is exact.

    Raises UserError when onnx is not installed, when a dynamic file is asked for at a size that is no multiple, and for
    a network that cannot be exported, or not for more than one size.
    """
    multiple = size_multiple(network)
    fits = all(side % multiple == 0 for side in shape[-2:])
    if dynamic and not fits:
        raise UserError(
            f"A dynamic export is traced at a multiple of {multiple}, and {shape[-1]}x{shape[-2]} is none. "
            "Choose such a size with --lr-size, or export this size alone with --fixed."
        )
    with _quiet():
        try:
            program = _traced(exportable(network, divisible=fits), shape, multiple if dynamic else None)
            onnx = torch.onnx.export(
                program, dynamo=True, verbose=False, opset_version=OPSET, input_names=["lr"], output_names=["sr"]
            )
        except ImportError as error:
            raise UserError(f"{_EXTRA} Missing: {error.name}.") from error
        except Exception as error:  # whatever a network's own code raises when it is traced, and torch around it
            raise _refusal(network, _first_cause(error), dynamic) from error
    assert onnx is not None
    exported = Exported(content=b"", multiple=multiple if dynamic else None, shape=shape)
    model = onnx.model_proto
    model.metadata_props.add(key="lr_sizes", value=exported.exactness())
    if dynamic and multiple > 1:
        _guard(model.graph, multiple)
    exported = replace(exported, content=model.SerializeToString())
    if dynamic:
        for size, question in _other_answers(program, multiple, getattr(network, "least_side", 1)).items():
            if _differs(network, exported, size):
                raise _refusal(network, f"its code asks whether {question}", dynamic)
    return exported


def _traced(network: nn.Module, shape: tuple[int, ...], multiple: int | None) -> ExportedProgram:
    sides: Any = None
    if multiple is not None:
        # a Dim of any size has the exporter refuse harmless answers too; DYNAMIC leaves them to `_other_answers`
        sides = [Dim.DYNAMIC] * 2 if multiple == 1 else [_side(name, multiple) for name in ("height", "width")]
        sides = ({2: sides[0], 3: sides[1]},)
    with nearest_by_index() if multiple is None else contextlib.nullcontext():
        return torch.export.export(network.eval(), (torch.zeros(shape),), dynamic_shapes=sides, strict=False)


def _side(name: str, multiple: int) -> Any:
    return multiple * Dim(name, min=2, max=LARGEST_SIDE // multiple)


def _guard(graph: Any, multiple: int) -> None:
    """Put a Reshape of LR to multiples before an ONNX graph: it fails at any other size, which has more pixels."""
    from onnx import TensorProto, helper

    for node in graph.node:
        node.input[:] = ["lr_checked" if name == "lr" else name for name in node.input]
    graph.initializer.append(helper.make_tensor("lr_multiple", TensorProto.INT64, [], [multiple]))
    nodes = [
        helper.make_node("Shape", ["lr"], ["lr_planes"], start=0, end=2),
        helper.make_node("Shape", ["lr"], ["lr_sides"], start=2),
        helper.make_node("Div", ["lr_sides", "lr_multiple"], ["lr_cells"]),
        helper.make_node("Mul", ["lr_cells", "lr_multiple"], ["lr_whole"]),
        helper.make_node("Concat", ["lr_planes", "lr_whole"], ["lr_wanted"], axis=0),
        helper.make_node(
            "Reshape",
            ["lr", "lr_wanted"],
            ["lr_checked"],
            name=f"height_and_width_must_be_multiples_of_{multiple}",
            allowzero=1,  # a side below the multiple must not mean "as it is"
        ),
    ]
    for i, node in enumerate(nodes):
        graph.node.insert(i, node)


def _first_cause(error: BaseException) -> str:
    """The first line of the innermost cause: the exporter wraps it in pages of advice."""
    while error.__cause__ is not None:
        error = error.__cause__
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return _FROZEN if first.startswith("Constraints violated") else first


def _refusal(network: nn.Module, cause: str, dynamic: bool) -> UserError:
    name, cause = type(network).__name__, cause.rstrip(". ")
    if dynamic:
        return UserError(f"{name} cannot be exported for many sizes ({cause}). Export one size: --fixed --lr-size WxH.")
    return UserError(f"{name} cannot be exported: {cause}.")


def _other_answers(program: ExportedProgram, multiple: int, least_side: int) -> dict[tuple[int, int], str]:
    """LR sizes (height, width) at which the code would have given another answer than in the trace, and the question.

    Of each question the smallest and the largest of the sizes that were tried.
    """
    inputs = [node for node in program.graph.nodes if node.op == "placeholder"]
    lr = next(node.meta["val"] for node in inputs if node.name in program.graph_signature.user_inputs)
    sizes = [size for size in _SIZES if min(size) * multiple >= least_side]
    if not all(isinstance(side, torch.SymInt) for side in lr.shape[-2:]):
        return {(sizes[0][0] * multiple, sizes[0][1] * multiple): f"LR is {lr.shape[-1]}x{lr.shape[-2]}"}
    height, width = (next(iter(side.node.expr.free_symbols)) for side in lr.shape[-2:])
    answers = {}
    for guard in lr.shape[-1].node.shape_env.guards:
        other = [size for size in sizes if not _holds(guard.expr, {height: size[0], width: size[1]})]
        question = str(guard.expr).replace(str(height), "height").replace(str(width), "width")
        answers |= {(h * multiple, w * multiple): question for h, w in (*other[:1], *other[-1:])}
    return answers


def _holds(question: Any, sides: dict[Any, int]) -> bool:
    try:
        return bool(question.subs(sides) == True)  # noqa: E712  # sympy's own truth
    except ZeroDivisionError:  # a part of it has no value there
        return False


def _differs(network: nn.Module, exported: Exported, size: tuple[int, int]) -> bool:
    """Whether the file fails at a size, or gives other pixels, where the network itself takes it."""
    lr = torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(0))
    try:
        with torch.inference_mode():
            network(lr)
    except (RuntimeError, UserError):  # too small for it
        return False
    try:
        return not largest_difference(network, exported, lr) <= TOLERANCE
    except Exception:  # ONNX Runtime's exceptions have no base of their own
        return True


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
