"""The options of figures.py: which figures, from which runs, networks and images."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import DEVICE_HELP, SCALES, Options, Parser, output_folder

AXES = {"flops": "FLOPs (MACs) [G]", "latency": "time per image [ms]"}


@dataclass(frozen=True, kw_only=True)
class FiguresOptions(Options):
    """Options of figures.py. Raises UserError for a loss curve that is smoothed over nothing."""

    figure: tuple[int, ...]
    out: Path = Path("results/figures")
    runs: Path | None = None
    scale: int | None = None
    """None: 2 for Figure 1, else 4."""
    x: str = "flops"
    dataset: str | None = None
    profiles: tuple[Path, ...] = ()
    models: tuple[str, ...] | None = None
    weights: tuple[Path, ...] | None = None
    image: Path | None = None
    block: int | None = None
    box: tuple[int, int, int, int] | None = None
    device: str = "auto"
    variants: tuple[str, ...] | None = None
    """Of the runs; None: all."""
    norms: bool = False
    """The variants of the paper's Figure 7, those that have runs."""
    labels: tuple[str, ...] = ()
    """name=Label: how a network is called in the figures."""
    smooth: int | None = None
    """Iterations; None: a 50th of the longest run."""

    def __post_init__(self) -> None:
        if 2 in self.figure:
            raise UserError(
                "Figure 2, what networks look at, is made by lam: safmn-bench lam --models NAME ... --image FILE "
                "--window X Y SIZE."
            )
        if wrong := [text for text in self.labels if not all(text.partition("="))]:
            raise UserError(f"--labels {wrong[0]!r} is not name=Label, such as w_o_FM='without modulation'.")
        if self.norms and self.variants:
            raise UserError("--norms names the variants itself: leave out --variants.")
        if self.smooth is not None and self.smooth < 1:
            raise UserError(f"--smooth {self.smooth}: give a number of iterations from 1 up.")

    def named(self) -> dict[str, str]:
        """Name -> label."""
        return {name: label for name, _, label in (text.partition("=") for text in self.labels)}


def arguments() -> Parser[FiguresOptions]:
    """The command line of figures.py."""
    parser = Parser(FiguresOptions, prog="figures", description="Figures 1, 5, 6 and 7 as PDF, SVG and PNG.")
    parser.add_argument(
        "--figure", type=int, nargs="+", required=True, choices=(1, 2, 5, 6, 7),
        help="1: cost against PSNR; 2: made by lam; 5: features of the SAFM; 6: visual comparison; 7: loss curves",
    )  # fmt: skip
    parser.add_argument("--out", type=output_folder, metavar="DIR", help="default: %(default)s")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="what run.py wrote")
    parser.add_argument("--scale", type=int, choices=SCALES, help="default: 2 for Figure 1, else 4")
    parser.add_argument("--labels", nargs="+", metavar="NAME=LABEL", help="how networks are called in the figures")
    costs = parser.add_argument_group("Figure 1")
    costs.add_argument("--x", choices=tuple(AXES), help="default: %(default)s")
    costs.add_argument("--dataset", metavar="NAME", help="default: Set5")
    costs.add_argument(
        "--profiles", type=Path, nargs="+", metavar="FILE",
        help="CSV files of complexity.py, latency.py, evaluate.py",
    )  # fmt: skip
    looks = parser.add_argument_group("Figures 5 and 6")
    looks.add_argument("--models", nargs="+", metavar="NAME", help="models, variants or YAML files; one for Figure 5")
    looks.add_argument(
        "--weights", type=Path, nargs="+", metavar="FILE",
        help="a file per model (default: those of the lowest seed in --runs)",
    )  # fmt: skip
    looks.add_argument("--image", type=Path, metavar="FILE", help="an HR image; LR is made by MATLAB-style bicubic")
    looks.add_argument("--block", type=int, metavar="N", help="Figure 5: which block, from 1 (default: the middle one)")
    looks.add_argument(
        "--box", type=int, nargs=4, metavar=("X", "Y", "WIDTH", "HEIGHT"), help="Figure 6: HR pixels, from upper left"
    )
    looks.add_argument("--device", help=DEVICE_HELP)
    losses = parser.add_argument_group("Figure 7")
    losses.add_argument("--variants", nargs="+", metavar="NAME", help="which of the runs (default: all)")
    losses.add_argument(
        "--norms", action="store_true", help="the paper's: with LayerNorm, without it, with other norms"
    )
    losses.add_argument(
        "--smooth", type=int, metavar="N", help="iterations to smooth over (default: a 50th of the run)"
    )
    return parser
