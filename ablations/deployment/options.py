"""The options of runtimes.py: which networks, in which runtimes, scored on what, timed how."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.ablations.data.options import LROptions, add_lr_options
from safmn_bench.ablations.scoring.options import weight_files
from safmn_bench.profiling.common.options import (
    LR_SIZE,
    SCALES,
    Parser,
    lr_size,
    output_file,
    require_at_least,
    require_threads,
)
from safmn_bench.profiling.timing.options import ALLOCATORS, IMPLEMENTATIONS

ROWS = ("eager", "fast", "compiled", "native", "onnxruntime", "openvino", "ncnn")
DTYPES = ("fp32", "bf16", "int8")


@dataclass(frozen=True, kw_only=True)
class RuntimesOptions(LROptions):
    """Options of runtimes.py. Raises UserError for impossible numbers, and where weights and networks do not pair."""

    models: tuple[str, ...] = ("safmn",)
    scale: int = 4
    weights: tuple[str, ...] = ()
    """A file or "-" for each of `models`; none given: fresh weights for all, which are not scored."""
    int8: tuple[str, ...] = ()
    """A recipe or "-" for each of `models`, for their int8 rows."""
    benchmarks: tuple[Path, ...] = ()
    """None given: embedded photographs."""
    implementations: tuple[str, ...] = ROWS
    dtypes: tuple[str, ...] = ("fp32",)
    lr_size: str = LR_SIZE
    runs: int = 50
    threads: int | None = None
    allocator: str = "keep"
    csv: Path | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        lr_size(self.lr_size)
        require_at_least(1, runs=self.runs)
        require_threads(self.threads)
        weight_files(self.models, self.weights)
        weight_files(self.models, self.int8, "--int8")

    @property
    def recipes(self) -> list[Path | None]:
        """For each network."""
        return weight_files(self.models, self.int8, "--int8")

    @property
    def weight_files(self) -> list[Path | None]:
        """For each network."""
        return weight_files(self.models, self.weights)


def arguments() -> Parser[RuntimesOptions]:
    """The command line of runtimes.py."""
    parser = Parser(
        RuntimesOptions, prog="runtimes",
        description="A network in PyTorch's forms and in other runtimes on this CPU: difference, PSNR, time, memory.",
    )  # fmt: skip
    parser.add_argument("--models", nargs="+", metavar="NAME", help="models, variants or YAML files (default: safmn)")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument(
        "--weights", nargs="+", metavar="FILE|-",
        help="one for each network, in that order; - where it has none, and is not scored (default: - for all)",
    )  # fmt: skip
    parser.add_argument(
        "--benchmarks", type=Path, nargs="+", metavar="DIR",
        help="folders with HR/ (and LR_bicubic/X4/), or with images (default: embedded photographs)",
    )  # fmt: skip
    parser.add_argument(
        "--int8", nargs="+", metavar="FILE|-", help="for --dtypes int8: a file of quantise.py for each network, or -"
    )
    kinds = {name: what for name, what in IMPLEMENTATIONS.items() if name != "cuda_graph"}
    parser.add_argument(
        "--implementations", nargs="+", choices=tuple(kinds),
        help=f"default: {' '.join(ROWS)}. {'; '.join(f'{name}: {what}' for name, what in kinds.items())}",
    )  # fmt: skip
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, help="default: fp32")
    parser.add_argument("--lr-size", metavar="WxH", help="LR pixels that are timed (default: %(default)s)")
    parser.add_argument("--runs", type=int, metavar="N", help="timed passes each (default: %(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads of every runtime (default: torch's)")
    parser.add_argument("--allocator", choices=tuple(ALLOCATORS), help="as of latency.py (default: %(default)s)")
    parser.add_argument("--csv", type=output_file, metavar="FILE", help="exact figures; how made to FILE.json")
    add_lr_options(parser)
    return parser
