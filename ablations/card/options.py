"""The options of gpu.py: how long, on which GPU, and what comes in and goes out."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import Options, Parser, output_folder

LIMIT_MB = 60
"""Of what is carried from one machine to another, in 10^6 bytes."""
_FVCORE = ("fvcore", "iopath", "yacs", "portalocker", "tabulate", "termcolor")
WHEELS = (*_FVCORE, "captum", "pytest", "pluggy", "iniconfig")
"""What a machine set up for PyTorch usually lacks."""


@dataclass(frozen=True, kw_only=True)
class CardOptions(Options):
    """Options of gpu.py. Raises UserError for less than a minute, and for two errands at once."""

    out: Path = Path("gpu-results")
    minutes: float = 9.0
    device: str = "cuda"
    dry_run: bool = False
    """Every part at the size of a test, on a CPU."""
    train_data: tuple[Path, ...] = ()
    benchmarks: tuple[Path, ...] = ()
    bundle: Path | None = None
    wheels: tuple[str, ...] = WHEELS
    results: Path | None = None
    into: Path = Path("results/gpu")

    def __post_init__(self) -> None:
        if self.minutes < 1:
            raise UserError(f"--minutes {self.minutes:g} is too short for any part. Allowed: from 1 up.")
        if self.bundle is not None and self.results is not None:
            raise UserError("--bundle and --results are for two machines: give one of them.")


def arguments() -> Parser[CardOptions]:
    """The command line of gpu.py."""
    parser = Parser(CardOptions, prog="gpu", description="Find out in minutes what a GPU does with this suite.")
    parser.add_argument("--out", type=Path, metavar="DIR", help="results; DIR.tar.gz holds them (default: %(default)s)")
    parser.add_argument("--minutes", type=float, metavar="N", help="for all parts together (default: %(default)g)")
    parser.add_argument("--device", help="cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--dry-run", action="store_true", help="go through every part at tiny sizes, on a CPU")
    images = "folders for the sweep, or for the bundle (default: embedded photographs)"
    parser.add_argument("--train-data", type=Path, nargs="+", metavar="DIR", help=images)
    parser.add_argument("--benchmarks", type=Path, nargs="+", metavar="DIR", help="likewise, to score on")
    parser.add_argument(
        "--bundle", type=output_folder, metavar="DIR",
        help=f"make a folder below {LIMIT_MB} MB with code, wheels and images for a machine without network",
    )  # fmt: skip
    parser.add_argument("--wheels", nargs="*", metavar="NAME", help="packages for the bundle that are missing there")
    parser.add_argument("--results", type=Path, metavar="FILE", help="take the archive of a measured GPU in")
    parser.add_argument("--into", type=Path, metavar="DIR", help="where to (default: %(default)s)")
    return parser
