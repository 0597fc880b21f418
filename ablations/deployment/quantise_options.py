"""The options of quantise.py: whose layers are quantised by which images, and how much may be lost."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import SCALES, Options, Parser, output_file, require_at_least


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


def arguments() -> Parser[QuantiseOptions]:
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
