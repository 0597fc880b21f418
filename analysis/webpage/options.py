"""The options of report.py: which runs, pictures and profiles the page shows."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.analysis.attribution.options import STEPS
from safmn_bench.profiling.common.options import DEVICE_HELP, Options, Parser, output_folder, require_at_least

FILE = "index.html"
PICTURES = ("inside", "beside")
"""The page, or a folder next to it."""


@dataclass(frozen=True, kw_only=True)
class ReportOptions(Options):
    """Options of report.py. Raises UserError for numbers that cannot be."""

    runs: Path = Path("results/runs")
    benchmarks: tuple[Path, ...] = ()
    """None given: embedded photographs."""
    images: int = 2
    pictures: str = "inside"
    """Of PICTURES."""
    no_lam: bool = False
    lam_window: tuple[int, int, int] | None = None
    """(x, y, size) in SR pixels; None: where there is most detail."""
    steps: int = STEPS
    inside: bool = False
    profiles: tuple[Path, ...] = ()
    device: str = "auto"
    out: Path = Path("results/report")

    def __post_init__(self) -> None:
        require_at_least(0, images=self.images)
        require_at_least(1, steps=self.steps)


def arguments() -> Parser[ReportOptions]:
    """The command line of report.py."""
    parser = Parser(
        ReportOptions, prog="report",
        description="One self-contained HTML page about a folder of runs: what mattered, and by how much.",
    )  # fmt: skip
    parser.add_argument("--runs", type=Path, metavar="DIR", help="where run.py wrote (default: %(default)s)")
    parser.add_argument(
        "--benchmarks", type=Path, nargs="+", metavar="DIR",
        help="folders of pictures to compare on (default: embedded photographs)",
    )  # fmt: skip
    parser.add_argument(
        "--images", type=int, metavar="N", help="pictures to compare on; 0: none (default: %(default)s)"
    )
    parser.add_argument(
        "--pictures", choices=PICTURES,
        help="inside the page, or files of DIR/index_pictures beside it, for many or large ones (default: inside)",
    )  # fmt: skip
    parser.add_argument("--no-lam", action="store_true", help="no attribution maps, which take most of the time")
    parser.add_argument(
        "--lam-window", type=int, nargs=3, metavar=("X", "Y", "SIZE"),
        help="attributed SR pixels in the middle 256x256 of the first picture (default: where there is most detail)",
    )  # fmt: skip
    parser.add_argument("--steps", type=int, metavar="N", help="path steps of the maps (default: %(default)s)")
    parser.add_argument(
        "--inside", action="store_true",
        help="also the networks' effective receptive fields and spectra, as inside.py shows them in more detail",
    )  # fmt: skip
    parser.add_argument(
        "--profiles", type=Path, nargs="+", metavar="FILE",
        help="CSV files of latency.py, operators.py, complexity.py and evaluate.py to show",
    )  # fmt: skip
    parser.add_argument("--device", help=DEVICE_HELP)
    parser.add_argument("--out", type=output_folder, metavar="DIR", help=f"DIR/{FILE} (default: %(default)s)")
    return parser
