"""The options of tables.py: which table of the paper, from which runs and profiles, in which format."""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.options import SCALES, Options, Parser, output_file

SPREADS = ("interval", "sd", "none")
FITS = ("column", "page", "text")
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
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    benchmarks: tuple[str, ...] = ()
    spread: str = "interval"
    fit: str = "page"
    label: str | None = None
    caption: str | None = None

    def __post_init__(self) -> None:
        if self.format == "csv" and (self.rows or self.columns or self.benchmarks or self.spread != "interval"):
            raise UserError(
                "--rows, --columns, --benchmarks and --spread choose what latex and markdown show; a CSV holds every "
                "row and field. Leave them out, or choose another --format."
            )
        if self.format != "latex" and (self.label or self.caption or self.fit != "page"):
            raise UserError("--fit, --label and --caption are for --format latex.")


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
    shown = parser.add_argument_group("what latex and markdown show")
    shown.add_argument(
        "--rows", nargs="+", metavar="NAME",
        help="measured, published or both (default), and names of rows (default: all)",
    )  # fmt: skip
    shown.add_argument(
        "--columns", nargs="+", metavar="FIGURE", help="such as params flops acts runs psnr ssim delta (default: all)"
    )
    shown.add_argument("--benchmarks", nargs="+", metavar="NAME", help="default: all that were scored")
    shown.add_argument("--spread", choices=SPREADS, help="behind the ± of a mean over seeds (default: %(default)s)")
    paper = parser.add_argument_group("latex")
    paper.add_argument(
        "--fit", choices=FITS,
        help="the widest that is read at 7 pt: a column or the page of a two-column paper, or the text of a "
        "one-column one, such as LNCS (default: %(default)s)",
    )  # fmt: skip
    paper.add_argument("--label", help="for \\ref (default: tab: and the table's number)")
    paper.add_argument("--caption", help="default: what the table shows")
    parser.add_argument("--out", type=output_file, metavar="FILE", help="write here instead of to the terminal")
    return parser
