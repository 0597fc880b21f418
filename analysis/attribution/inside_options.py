"""The options of inside.py: which networks, on which pictures, and where figures go."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.profiling.common.options import DEVICE_HELP, SCALES, Options, Parser, require_at_least


@dataclass(frozen=True, kw_only=True)
class InsideOptions(Options):
    """Options of inside.py. Raises UserError for numbers that cannot be."""

    models: tuple[str, ...]
    scale: int = 4
    weights: tuple[Path, ...] | None = None
    runs: Path = Path("results/runs")
    image: tuple[Path, ...] = ()
    """HR; none given: the embedded photographs that are large enough."""
    size: int = 96
    inputs: int = 8
    device: str = "auto"
    out: Path = Path("results/inside")

    def __post_init__(self) -> None:
        require_at_least(16, size=self.size)
        require_at_least(1, inputs=self.inputs)


def arguments() -> Parser[InsideOptions]:
    """The command line of inside.py."""
    parser = Parser(
        InsideOptions, prog="inside",
        description="Inside a network: its effective receptive field, and spectra of its features and its error.",
    )  # fmt: skip
    parser.add_argument(
        "--models", nargs="+", required=True, metavar="NAME", help="models, variants or YAML files, with weights"
    )
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument(
        "--weights", type=Path, nargs="+", metavar="FILE",
        help="one file per model (none for bicubic), in that order (default: the first seed's weights below --runs)",
    )  # fmt: skip
    parser.add_argument("--runs", type=Path, metavar="DIR", help="where run.py wrote weights (default: %(default)s)")
    parser.add_argument(
        "--image", type=Path, nargs="+", metavar="FILE",
        help="HR images, or folders of them; the middle of each is taken (default: embedded photographs)",
    )  # fmt: skip
    parser.add_argument("--size", type=int, metavar="PX", help="side of LR in pixels (default: %(default)s)")
    parser.add_argument("--inputs", type=int, metavar="N", help="inputs of noise (default: %(default)s)")
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--out", type=Path, metavar="DIR", help="default: %(default)s")
    return parser
