"""The options of lam.py and inside.py: which networks, images and windows, by which method, and what is written."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safmn_bench.analysis.attribution.methods import METHODS
from safmn_bench.models.errors import UserError, match_name
from safmn_bench.profiling.common.options import DEVICE_HELP, SCALES, Options, Parser, output_folder, require_at_least

VIEWS = ("map", "density")  # of an attribution, in figures
STEPS = 50  # of the path from the blurred image: the default of LAM's authors


@dataclass(frozen=True, kw_only=True)
class LamOptions(Options):
    """Options of lam.py. Raises UserError for an unknown method, no steps, images without windows or the reverse."""

    models: tuple[str, ...]
    scale: int = 4
    weights: tuple[Path, ...] | None = None
    runs: Path = Path("results/runs")
    image: tuple[Path, ...] = ()
    """None given: the windows of a study, in the middle of embedded photographs."""
    window: tuple[tuple[int, int, int], ...] = ()
    """(x, y, size) in SR pixels, by the upper left corner."""
    grid: tuple[int, int] | None = None
    """(windows across, size)."""
    method: str = "lam"
    steps: int = STEPS
    step_batch: int | None = None
    """None: by free memory."""
    views: tuple[str, ...] = ("map",)
    """Of VIEWS, from above."""
    blend: bool = True
    """Lay them half over the picture."""
    no_figures: bool = False
    device: str = "auto"
    out: Path = Path("results/lam")

    def __post_init__(self) -> None:
        match_name("method", self.method, METHODS, "Choose one with --method.")
        require_at_least(1, steps=self.steps, step_batch=self.step_batch)
        if self.image and not (self.window or self.grid):
            raise UserError("--image: its windows are missing. Add --grid N SIZE, or --window X Y SIZE.")
        if not self.image and (self.window or self.grid):
            raise UserError("--window and --grid are windows of images. Add --image FILE, or leave them out.")
        if self.grid and self.grid[0] < 1:
            raise UserError(f"--grid {self.grid[0]} {self.grid[1]}: N is the number of windows across, 1 or more.")


def arguments() -> Parser[LamOptions]:
    """The command line of lam.py."""
    parser = Parser(
        LamOptions, prog="lam",
        description="Local attribution maps (LAM) and the diffusion index (DI): what networks look at.",
    )  # fmt: skip
    _add_networks(parser, "models, variants, YAML files, or bicubic")
    parser.add_argument(
        "--image", type=Path, nargs="+", metavar="FILE",
        help="HR images, or folders of them, with --window or --grid (default: the 18 windows of study.py, of "
        "the middle of three embedded photographs)",
    )  # fmt: skip
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--window", type=int, nargs=3, action="append", metavar=("X", "Y", "SIZE"),
        help="a square of SR pixels by its top-left corner; may be given again",
    )  # fmt: skip
    where.add_argument(
        "--grid", type=int, nargs=2, metavar=("N", "SIZE"), help="N x N windows spread evenly over every image"
    )
    parser.add_argument(
        "--method", metavar="NAME",
        help="; ".join(f"{name}: {method.text}" for name, method in METHODS.items()) + " (default: lam)",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, metavar="N", help="path steps (default: %(default)s)")
    parser.add_argument("--step-batch", type=int, metavar="N", help="path steps at once (default: by free memory)")
    parser.add_argument(
        "--views", nargs="+", choices=VIEWS, help="what the figures show of each map: it, or its density (default: map)"
    )
    laid = parser.add_mutually_exclusive_group()
    laid.add_argument("--blend", action="store_true", help="lay the views half over the picture (as is usual)")
    laid.add_argument("--plain", dest="blend", action="store_false", help="show them without the picture")
    parser.add_argument("--no-figures", action="store_true", help="only the CSV files")
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--out", type=output_folder, metavar="DIR", help="default: %(default)s")
    return parser


def _add_networks(parser: Parser[Any], models: str) -> None:
    """Which networks, at which scale, with which weights."""
    parser.add_argument("--models", nargs="+", required=True, metavar="NAME", help=models)
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: %(default)s")
    parser.add_argument(
        "--weights", type=Path, nargs="+", metavar="FILE",
        help="one file per model (none for bicubic), in that order (default: the first seed's weights below --runs)",
    )  # fmt: skip
    parser.add_argument("--runs", type=Path, metavar="DIR", help="where run.py wrote weights (default: %(default)s)")


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


def inside_arguments() -> Parser[InsideOptions]:
    """The command line of inside.py."""
    parser = Parser(
        InsideOptions, prog="inside",
        description="Inside a network: its effective receptive field, and spectra of its features and its error.",
    )  # fmt: skip
    _add_networks(parser, "models, variants or YAML files, with weights")
    parser.add_argument(
        "--image", type=Path, nargs="+", metavar="FILE",
        help="HR images, or folders of them; the middle of each is taken (default: embedded photographs)",
    )  # fmt: skip
    parser.add_argument("--size", type=int, metavar="PX", help="side of LR in pixels (default: %(default)s)")
    parser.add_argument("--inputs", type=int, metavar="N", help="inputs of noise (default: %(default)s)")
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--out", type=output_folder, metavar="DIR", help="default: %(default)s")
    return parser
