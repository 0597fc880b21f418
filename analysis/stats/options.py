"""The options of power.py: where the noise is known from, and what is asked of it."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import Options, Parser, output_file

MOST = 1_000_000
"""Seeds, networks or degrees of freedom."""


@dataclass(frozen=True, kw_only=True)
class PowerOptions(Options):
    """Options of power.py: `runs` or `sd` is given. Raises UserError for a value out of range."""

    runs: Path | None = None
    sd: float | None = None
    """dB."""
    freedom: int | None = None
    """Of `sd`; None: it is exact."""
    detect: float | None = None
    """dB."""
    seeds: tuple[int, ...] = (2, 3, 5, 10, 20)
    networks: int | None = None
    """With the baseline; None: as many as in `runs`."""
    baseline: str = "baseline"
    chance: float = 0.8
    csv: Path | None = None
    figure: Path | None = None

    def __post_init__(self) -> None:
        for name, holds, allowed in (
            ("--chance", 0.05 < self.chance < 1, "above 0.05 and below 1"),
            ("--seeds", min(self.seeds) >= 2, "at least 2: one seed tells no noise"),
            ("--seeds", max(self.seeds) <= MOST, f"at most {MOST}"),
            ("--networks", (self.networks or 2) <= MOST, f"at most {MOST}"),
            ("--freedom", self.freedom is None or 1 <= self.freedom <= MOST, f"from 1 to {MOST}"),
            ("--detect", self.detect is None or self.detect > 0, "above 0"),
            ("--sd", self.sd is None or self.sd > 0, "above 0"),
            ("--networks", self.networks is None or self.networks >= 2, "at least 2, the baseline among them"),
        ):
            if not holds:
                raise UserError(f"{name} is out of range. Allowed: {allowed}.")


def arguments() -> Parser[PowerOptions]:
    """The command line of power.py."""
    parser = Parser(
        PowerOptions, prog="power",
        description="How many seeds a difference needs, and what difference a number of seeds finds.",
    )  # fmt: skip
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--runs", type=Path, metavar="DIR", help="what run.py wrote: the noise is estimated from it")
    source.add_argument("--sd", type=float, metavar="DB", help="a run's standard deviation, if it is known")
    parser.add_argument("--freedom", type=int, metavar="N", help="degrees of freedom of --sd (default: it is exact)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--detect", type=float, metavar="DB", help="how many seeds find this difference")
    what.add_argument("--seeds", type=int, nargs="+", metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--networks", type=int, metavar="N", help="that will be run, with the baseline (default: as many as in --runs)"
    )
    parser.add_argument("--baseline", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--chance", type=float, metavar="P", help="of the find (default: %(default)s)")
    parser.add_argument("--csv", type=output_file, metavar="FILE", help="write the table here as well")
    parser.add_argument("--figure", type=Path, metavar="NAME", help="write NAME.pdf, .svg and .png")
    return parser
