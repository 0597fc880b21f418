"""Parameters, FLOPs (MACs) and activations of any model or variant, beside the paper's figures.

python profiling/complexity.py --table 3
python profiling/complexity.py --models baseline w_o_MR my_variant.yaml --scale 2 --csv counts.csv
python profiling/complexity.py --models smsr --scale 2 --weights smsr_x2.pth --images babyx2.png headx2.png
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Count, print, and write a CSV if asked."""
    from safmn_bench.profiling.counting.options import arguments

    options = arguments().read(argv)
    from safmn_bench.models.names import find_candidate
    from safmn_bench.profiling.common.layout import say
    from safmn_bench.profiling.common.provenance import write_sidecar
    from safmn_bench.profiling.counting.cross_check import compare_with_torch, suspicion
    from safmn_bench.profiling.counting.image_cost import report_images
    from safmn_bench.profiling.counting.table import count_all, csv_row, paper_table_of, rows_of_table, show, write

    if options.images:
        report_images(options)
        return 0
    if options.table:
        wanted = rows_of_table(options.table, options.scale)
    else:
        wanted = [(find_candidate(name), options.scale or 4) for name in options.models]
    tables = [options.table or paper_table_of(candidate) for candidate, _ in wanted]
    costs = count_all(wanted)
    counted = list(zip(wanted, costs, tables, strict=True))
    rows = [csv_row(candidate, scale, cost, table) for (candidate, scale), cost, table in counted]
    show(f"Complexity, Table {options.table}" if options.table else "Complexity", rows)
    for (candidate, scale), cost, _ in counted:
        if doubt := suspicion(cost):
            say(f"warning: {candidate.name} x{scale}: {doubt}", sys.stderr)
    if options.csv:
        write(options.csv, rows)
        write_sidecar(options.csv, "profiling/complexity.py", options.typed, "cpu", {})
    return 0 if not options.cross_check or compare_with_torch(wanted, costs) else 1


if __name__ == "__main__":
    sys.exit(main())
