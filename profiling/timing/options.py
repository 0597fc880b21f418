"""The options of latency.py: which networks, in which forms, at which LR size."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.profiling.common.options import (
    DEVICE_HELP,
    LR_SIZE,
    SCALES,
    Options,
    Parser,
    lr_size,
    output_file_or_folder,
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
    "openvino": "the network in OpenVINO, on the CPU; fp32 or bf16",
    "ncnn": "the network in ncnn, through pnnx, on the CPU; fp32",
}
DTYPES = ("fp32", "tf32", "bf16")
ALLOCATORS = {
    "keep": "freed memory is kept for the next pass, as PyTorch does on a GPU",
    "system": "on a CPU, what the C library does: glibc hands large tensors back and faults them in again",
}


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
    parser.add_argument(
        "--csv", type=output_file_or_folder, metavar="FILE|DIR", help="also write it (a folder: latency_<hardware>)"
    )
    return parser
