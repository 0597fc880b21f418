"""The options of latency.py and export.py: which networks, in which forms, at which LR size."""

import re
from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import (
    DEVICE_HELP,
    SCALES,
    Options,
    Parser,
    output_file,
    require_at_least,
    require_threads,
)

IMPLEMENTATIONS = {
    "eager": "the plain module, contiguous memory",
    "unmerged": "the plain module as it is trained, of a network whose parts are merged in every other form",
    "channels_last": "the plain module, channels-last memory",
    "fast": "models.fast.optimise: fused kernels, channels-last memory",
    "compiled": "torch.compile of the plain module",
    "fast_compiled": "torch.compile of the fast form",
    "cuda_graph": "the fast form, recorded once and replayed as a CUDA graph",
    "native": "SAFMN as one C++ function on the CPU (models.native.form), compiled at first use; fp32",
    "onnxruntime": "the exported network in ONNX Runtime",
}
DTYPES = ("fp32", "tf32", "bf16")
ALLOCATORS = {
    "keep": "freed memory is kept for the next pass, as PyTorch does on a GPU",
    "system": "on a CPU, what the C library does: glibc hands large tensors back and faults them in again",
}
LARGEST_SIDE = 16384
LR_SIZE = "320x180"  # the LR image of a 1280x720 frame at x4: Table 2's


def lr_size(given: str) -> tuple[int, int]:
    """'320x180' -> (320, 180), width first. Raises UserError for what is no size."""
    match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", given.strip())
    if match is None or not all(1 <= int(side) <= LARGEST_SIDE for side in match.groups()):
        raise UserError(
            f"--lr-size {given!r} is not a size. Write width x height in pixels, from 1 to {LARGEST_SIDE}, as 320x180."
        )
    return int(match[1]), int(match[2])


@dataclass(frozen=True, kw_only=True)
class LatencyOptions(Options):
    """Options of latency.py. Raises UserError for numbers that cannot be."""

    models: tuple[str, ...] = ()
    """None given: those of Table 2."""
    scale: int = 4
    lr_size: str = LR_SIZE
    runs: int = 50
    implementations: tuple[str, ...] = ("eager", "fast")
    dtypes: tuple[str, ...] = ("fp32",)
    device: str = "auto"
    threads: int | None = None
    allocator: str = "keep"
    cudnn_benchmark: bool = False
    protocol: str = "ours"
    csv: Path | None = None

    def __post_init__(self) -> None:
        lr_size(self.lr_size)
        require_at_least(1, runs=self.runs)
        require_threads(self.threads)


def latency_arguments() -> Parser[LatencyOptions]:
    """The command line of latency.py."""
    forms = "; ".join(f"{name}: {what}" for name, what in IMPLEMENTATIONS.items())
    parser = Parser(LatencyOptions, prog="latency", description="Measure time and memory of one forward pass.")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="models, variants or YAML files (default: Table 2)")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument("--lr-size", metavar="WxH", help="LR pixels (default: %(default)s)")
    parser.add_argument("--runs", type=int, metavar="N", help="timed passes each (default: %(default)s)")
    parser.add_argument("--implementations", nargs="+", choices=tuple(IMPLEMENTATIONS), help=forms)
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, help="default: fp32")
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: torch's)")
    kinds = "; ".join(f"{name}: {what}" for name, what in ALLOCATORS.items())
    parser.add_argument("--allocator", choices=tuple(ALLOCATORS), help=f"default: %(default)s. {kinds}")
    parser.add_argument("--cudnn-benchmark", action="store_true", help="let cuDNN choose kernels by trying them")
    protocol = "ours (default), or ntire: no warm-up, one network after another, mean over all images"
    parser.add_argument("--protocol", choices=("ours", "ntire"), help=protocol)
    parser.add_argument("--csv", type=Path, metavar="FILE|DIR", help="also write it; a folder gets latency_<hardware>")
    return parser


@dataclass(frozen=True, kw_only=True)
class ExportOptions(Options):
    """Options of export.py. Raises UserError for a file of another name, or a size of a file of many sizes."""

    model: str = "safmn"
    scale: int = 4
    weights: Path | None = None
    fixed: bool = False
    lr_size: str | None = None
    """Of a fixed file; None: LR_SIZE."""
    out: Path

    def __post_init__(self) -> None:
        if self.out.suffix != ".onnx":
            raise UserError(f"--out {self.out}: the name of an ONNX file ends in .onnx.")
        if self.lr_size and not self.fixed:
            raise UserError(
                "--lr-size is for a file of one size: add --fixed, or leave it out for a file of many sizes."
            )
        lr_size(self.lr_size or LR_SIZE)


def export_arguments() -> Parser[ExportOptions]:
    """The command line of export.py."""
    parser = Parser(ExportOptions, prog="export", description="Export a network to ONNX and check it.")
    parser.add_argument("--model", metavar="NAME", help="model, variant or YAML file")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="trained weights (default: fresh, fixed seed)")
    parser.add_argument("--fixed", action="store_true", help="this LR size only; exact at any size")
    parser.add_argument("--lr-size", metavar="WxH", help="LR pixels of a fixed file (default: 320x180)")
    parser.add_argument("--out", type=output_file, required=True, metavar="FILE", help="the .onnx file")
    return parser
