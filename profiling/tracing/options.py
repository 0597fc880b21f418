"""The options of operators.py and gains.py: which network is profiled, in which form, and what is written."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import (
    DEVICE_HELP,
    LR_SIZE,
    SCALES,
    Options,
    Parser,
    lr_size,
    output_file,
    output_file_or_folder,
    require_at_least,
)
from safmn_bench.profiling.timing.options import DTYPES

FORMS = ("eager", "channels_last", "fast")
PICTURES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, kw_only=True)
class OperatorsOptions(Options):
    """Options of operators.py. Raises UserError for numbers that cannot be, and a picture of another kind."""

    model: str = "safmn"
    scale: int = 4
    lr_size: str = LR_SIZE
    implementation: str = "eager"
    dtype: str = "fp32"
    device: str = "auto"
    passes: int = 10
    csv: Path | None = None
    trace: Path | None = None
    roofline: Path | None = None

    def __post_init__(self) -> None:
        lr_size(self.lr_size)
        require_at_least(1, passes=self.passes)
        if self.roofline and self.roofline.suffix.lower() not in PICTURES:
            raise UserError(f"--roofline {self.roofline}: its name must end in one of {', '.join(PICTURES)}.")


def operators_arguments() -> Parser[OperatorsOptions]:
    """The command line of operators.py."""
    parser = Parser(OperatorsOptions, prog="operators", description="Measure the operators of one forward pass.")
    parser.add_argument("--model", metavar="NAME", help="model, variant or YAML file")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument("--lr-size", metavar="WxH", help="LR pixels (default: %(default)s)")
    parser.add_argument("--implementation", choices=FORMS, help="default: %(default)s")
    parser.add_argument("--dtype", choices=DTYPES, help="default: %(default)s")
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--passes", type=int, metavar="N", help="profiled passes (default: %(default)s)")
    parser.add_argument(
        "--csv",
        type=output_file_or_folder,
        metavar="FILE|DIR",
        help="also write it (a folder: operators_<hardware>)",
    )
    parser.add_argument("--trace", type=output_file, metavar="FILE", help="a Chrome trace, .json(.gz), for Perfetto")
    parser.add_argument("--roofline", type=output_file, metavar="FILE", help="a picture, .png, .svg or .pdf")
    return parser


@dataclass(frozen=True, kw_only=True)
class GainsOptions(Options):
    """Options of gains.py. Raises UserError for numbers that cannot be."""

    scale: int = 4
    lr_size: str = LR_SIZE
    device: str = "auto"
    rounds: int = 20
    no_compile: bool = False
    csv: Path | None = None

    def __post_init__(self) -> None:
        lr_size(self.lr_size)
        require_at_least(1, rounds=self.rounds)


def gains_arguments() -> Parser[GainsOptions]:
    """The command line of gains.py."""
    parser = Parser(GainsOptions, prog="gains", description="Measure the steps of the fast SAFMN one by one.")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument("--lr-size", metavar="WxH", help="LR pixels (default: %(default)s)")
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--rounds", type=int, metavar="N", help="turns of each (default: %(default)s)")
    parser.add_argument(
        "--no-compile", action="store_true", help="leave out the steps that torch.compile takes part in"
    )
    parser.add_argument(
        "--csv",
        type=output_file_or_folder,
        metavar="FILE|DIR",
        help="also write it (a folder: fast_safmn_gains_...)",
    )
    return parser
