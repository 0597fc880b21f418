"""Tables 1 to 5 of the paper, and 6, rivals of today: published beside measured, as CSV, LaTeX or Markdown.

python analysis/tables.py --table 3 --format latex --runs results/runs --out table3.tex
python analysis/tables.py --table 2 --format markdown --profiles latency.csv
python analysis/tables.py --ntire 2026 --profiles latency.csv
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Build the table and print it, or write it."""
    from safmn_bench.analysis.tabular.options import arguments

    options = arguments().read(argv)
    from safmn_bench.analysis.tabular.command import WRITERS, table_of
    from safmn_bench.analysis.tabular.latex import Paper, to_latex
    from safmn_bench.analysis.tabular.selection import Selection, selected
    from safmn_bench.profiling.common.files import write_text

    if options.ntire is not None:
        from safmn_bench.analysis.stats.profiles import read_profiles
        from safmn_bench.analysis.tabular.ntire import ntire_table

        table = ntire_table(options.ntire, read_profiles(options.profiles))
    else:
        assert options.table is not None
        table = table_of(options.table, runs=options.runs, profiles=options.profiles, scale=options.scale)
    if options.format == "csv":
        content = WRITERS["csv"](table)
    else:
        choice = Selection(
            rows=options.rows, columns=options.columns, benchmarks=options.benchmarks, spread=options.spread
        )
        table = selected(table, choice)
        paper = Paper(fit=options.fit, label=options.label, caption=options.caption)
        content = to_latex(table, paper) if options.format == "latex" else WRITERS[options.format](table)
    if options.out:
        write_text(options.out, content)
    else:
        print(content, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
