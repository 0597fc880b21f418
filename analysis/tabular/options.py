"""The options of tables.py: which table of the paper, from which runs and profiles, in which format."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.profiling.common.options import SCALES, Options, Parser, output_file

FORMATS = ("csv", "latex", "markdown")
YEARS = (2025, 2026)
"""Of NTIRE's challenge on efficient super-resolution: those of ntire.CHALLENGES."""


@dataclass(frozen=True, kw_only=True)
class TablesOptions(Options):
    """Options of tables.py."""

    table: int | None = None
    ntire: int | None = None
    """Instead of a table: the score of that year's challenge."""
    format: str = "markdown"
    runs: Path | None = None
    profiles: tuple[Path, ...] = ()
    scale: int | None = None
    """None: that of the paper; for Tables 1 and 6 all three."""
    out: Path | None = None
    """None: the terminal."""


def arguments() -> Parser[TablesOptions]:
    """The command line of tables.py."""
    parser = Parser(
        TablesOptions,
        prog="tables",
        description="Tables of the paper, and of rivals of today: published beside measured.",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--table", type=int, choices=(1, 2, 3, 4, 5, 6), help="6: rivals of today")
    which.add_argument(
        "--ntire", type=int, choices=YEARS, help="the score of that year's challenge, from the CSV of latency.py"
    )
    parser.add_argument("--format", choices=FORMATS, help="default: %(default)s")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="what run.py wrote (default: none)")
    parser.add_argument(
        "--profiles", type=Path, nargs="+", metavar="FILE",
        help="CSV files of complexity.py, latency.py (Tables 2, 6), operators.py (5), evaluate.py (1, 6)",
    )  # fmt: skip
    parser.add_argument(
        "--scale", type=int, choices=SCALES, help="default: that of the paper; for Tables 1 and 6 all three"
    )
    parser.add_argument("--out", type=output_file, metavar="FILE", help="write here instead of to the terminal")
    return parser
