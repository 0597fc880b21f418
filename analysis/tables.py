"""Tables 1 to 5 of the paper, and 6, rivals of today: published beside measured, as CSV, LaTeX or Markdown.

python analysis/tables.py --table 3 --format latex --runs results/runs --out table3.tex
python analysis/tables.py --table 2 --format markdown --profiles latency.csv
"""

import argparse
import sys
from pathlib import Path

try:
    from safmn_bench.models.errors import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
from safmn_bench.analysis.tabular.command import FORMATS, table_of
from safmn_bench.profiling.common.files import write_text


@command
def main(argv: list[str] | None = None) -> int:
    """Build the table and print it, or write it."""
    args = arguments().parse_args(argv)
    content = FORMATS[args.format](table_of(args.table, runs=args.runs, profiles=args.profiles, scale=args.scale))
    if args.out:
        write_text(args.out, content)
    else:
        print(content, end="")
    return 0


def arguments() -> argparse.ArgumentParser:
    """The options of tables.py."""
    parser = argparse.ArgumentParser(
        prog="tables", description="Tables of the paper, and of rivals of today: published beside measured."
    )
    parser.add_argument("--table", type=int, required=True, choices=(1, 2, 3, 4, 5, 6), help="6: rivals of today")
    parser.add_argument("--format", default="markdown", choices=tuple(FORMATS), help="default: %(default)s")
    parser.add_argument("--runs", type=Path, metavar="DIR", help="what run.py wrote (default: none)")
    parser.add_argument(
        "--profiles", type=Path, nargs="+", default=[], metavar="FILE",
        help="CSV files of complexity.py, latency.py (Tables 2, 6), operators.py (5), evaluate.py (1, 6)",
    )  # fmt: skip
    parser.add_argument(
        "--scale", type=int, choices=(2, 3, 4), help="default: that of the paper; for Tables 1 and 6 all three"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write here instead of to the terminal")
    return parser


if __name__ == "__main__":
    sys.exit(main())
