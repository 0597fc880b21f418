"""Parameters, FLOPs (MACs) and activations of any model or variant, beside the paper's figures.

python profiling/complexity.py --table 3
python profiling/complexity.py --models baseline w_o_MR my_variant.yaml --scale 2 --csv counts.csv
python profiling/complexity.py --models smsr --scale 2 --weights smsr_x2.pth --images babyx2.png headx2.png
"""

import argparse
import sys
from pathlib import Path

try:
    from safmn_bench.models.errors import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
from safmn_bench.models.names import find_candidate
from safmn_bench.models.variants import Candidate
from safmn_bench.profiling.common.provenance import write_sidecar
from safmn_bench.profiling.counting.cross_check import cross_check, suspicion
from safmn_bench.profiling.counting.flops import Complexity, counted_form
from safmn_bench.profiling.counting.image_cost import report_images
from safmn_bench.profiling.counting.table import count_all, csv_row, paper_table_of, rows_of_table, show, write


@command
def main(argv: list[str] | None = None) -> int:
    """Count, print, and write a CSV if asked."""
    parser = argparse.ArgumentParser(prog="complexity", description="Count parameters, FLOPs and activations.")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--table", type=int, choices=(1, 3, 4, 6), help="all rows of a table; 6: rivals of today")
    what.add_argument("--models", nargs="+", metavar="NAME", help="models, variants or YAML files")
    parser.add_argument("--scale", type=int, choices=(2, 3, 4), help="default: 4; for --table 1 or 6 all three")
    parser.add_argument("--cross-check", action="store_true", help="count with torch's own counter too, and compare")
    parser.add_argument(
        "--csv", type=Path, metavar="FILE", help="also write exact counts here, and how they were made to FILE.json"
    )
    images = parser.add_argument_group("on images", "what networks cost that skip what an image does not need (smsr)")
    images.add_argument("--images", type=Path, nargs="+", metavar="FILE", help="LR images; one model in --models")
    images.add_argument("--weights", type=Path, metavar="FILE", help="its weights (default: fresh ones)")
    options = sys.argv[1:] if argv is None else argv
    args = parser.parse_args(options)

    if args.images or args.weights:
        report_images(parser, args)
        return 0
    if args.table:
        wanted = rows_of_table(args.table, args.scale)
    else:
        wanted = [(find_candidate(name), args.scale or 4) for name in args.models]
    tables = [args.table or paper_table_of(candidate) for candidate, _ in wanted]
    costs = count_all(wanted)
    counted = list(zip(wanted, costs, tables, strict=True))
    rows = [csv_row(candidate, scale, cost, table) for (candidate, scale), cost, table in counted]
    show(f"Complexity, Table {args.table}" if args.table else "Complexity", rows)
    for (candidate, scale), cost, _ in counted:
        if doubt := suspicion(cost):
            print(f"warning: {candidate.name} x{scale}: {doubt}", file=sys.stderr)
    if args.csv:
        write(args.csv, rows)
        write_sidecar(args.csv, "profiling/complexity.py", options, "cpu", {})
    return _cross_check(wanted, costs) if args.cross_check else 0


def _cross_check(wanted: list[tuple[Candidate, int]], costs: list[Complexity]) -> int:
    """Compare each count with torch's; status 1 when one differs."""
    agreed = True
    for (candidate, scale), cost in zip(wanted, costs, strict=True):
        module, shape = counted_form(candidate.build(scale), scale)
        found = cross_check(module, shape, cost)
        print(f"{candidate.name} x{scale}: {found.sentence()}")
        agreed &= found.agree
    return 0 if agreed else 1


if __name__ == "__main__":
    sys.exit(main())
