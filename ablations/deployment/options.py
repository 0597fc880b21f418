"""The options of runtimes.py (which runtimes, scored on what, timed how) and of quantise.py (which layers in int8)."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.ablations.data.options import LROptions, add_lr_options
from safmn_bench.ablations.scoring.options import weight_files
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import (
    LR_SIZE,
    SCALES,
    Options,
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


@dataclass(frozen=True, kw_only=True)
class QuantiseOptions(Options):
    """Options of quantise.py. Raises UserError for numbers that cannot be, and a recipe of another name."""

    model: str = "safmn"
    scale: int = 4
    weights: Path | None = None
    train_data: tuple[Path, ...] = ()
    """None given: the embedded photographs."""
    images: int = 32
    most_loss: float = 0.05
    """In dB; see sensitivity.EASY_DB."""
    keep: int | None = None
    """Layers in float, the worst; None: as few as `most_loss` allows."""
    out: Path
    csv: Path | None = None

    def __post_init__(self) -> None:
        require_at_least(2, images=self.images)
        require_at_least(0, keep=self.keep)
        if not self.most_loss >= 0:
            raise UserError(f"--most-loss {self.most_loss:g} is out of range. Allowed: 0 dB or more, such as 0.05.")
        if self.out.suffix != ".npz":
            raise UserError(f"--out {self.out}: the name of a recipe ends in .npz.")


def quantise_arguments() -> Parser[QuantiseOptions]:
    """The command line of quantise.py."""
    parser = Parser(
        QuantiseOptions, prog="quantise",
        description="Measure what each convolution loses in int8, and keep as few as need be in float.",
    )  # fmt: skip
    parser.add_argument("--model", metavar="NAME", help="model, variant or YAML file (default: %(default)s)")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument("--weights", type=Path, metavar="FILE", help="its trained weights")
    parser.add_argument(
        "--train-data", type=Path, nargs="+", metavar="DIR", help="training images (default: embedded photographs)"
    )
    parser.add_argument("--images", type=int, metavar="N", help="how many of them (default: %(default)s)")
    parser.add_argument(
        "--most-loss", type=float, metavar="DB",
        help="PSNR that int8 may lose on an image that reaches 40 dB; harder ones lose less (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--keep", type=int, metavar="N", help="keep the worst N layers in float instead (0: none)")
    parser.add_argument("--out", type=output_file, required=True, metavar="FILE", help="the recipe, a .npz file")
    parser.add_argument("--csv", type=output_file, metavar="FILE", help="a row per layer; how made to FILE.json")
    return parser
