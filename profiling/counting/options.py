"""The options of complexity.py: what is counted, at which scale, and on which images."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import SCALES, Options, Parser, output_file


@dataclass(frozen=True, kw_only=True)
class ComplexityOptions(Options):
    """Options of complexity.py: `table` or `models` is given. Raises UserError for images of several networks."""

    table: int | None = None
    models: tuple[str, ...] = ()
    scale: int | None = None
    """None: 4, and for Tables 1 and 6 all three."""
    cross_check: bool = False
    csv: Path | None = None
    images: tuple[Path, ...] = ()
    weights: Path | None = None

    def __post_init__(self) -> None:
        if (self.images or self.weights) and not (self.images and len(self.models) == 1):
            raise UserError("--images and --weights go with one model: --models NAME --images FILE ...")


def arguments() -> Parser[ComplexityOptions]:
    """The command line of complexity.py."""
    parser = Parser(ComplexityOptions, prog="complexity", description="Count parameters, FLOPs and activations.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--table", type=int, choices=(1, 3, 4, 6), help="all rows of a table; 6: rivals of today")
    what.add_argument("--models", nargs="+", metavar="NAME", help="models, variants or YAML files")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: 4; for --table 1 or 6 all three")
    parser.add_argument("--cross-check", action="store_true", help="count with torch's own counter too, and compare")
    parser.add_argument(
        "--csv",
        type=output_file,
        metavar="FILE",
        help="also write exact counts; how they were made to FILE.json",
    )
    images = parser.add_argument_group("on images", "what networks cost that skip what an image does not need (smsr)")
    images.add_argument("--images", type=Path, nargs="+", metavar="FILE", help="LR images; one model in --models")
    images.add_argument("--weights", type=Path, metavar="FILE", help="its weights (default: fresh ones)")
    return parser
