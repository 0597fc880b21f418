"""One self-contained HTML page from a runs folder: what mattered, by how much, is it noise, what do networks look at.

python analysis/report.py --runs results/runs --out results/report
python analysis/report.py --benchmarks Set5 --profiles latency.csv operators.csv
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Write the page and say where it is."""
    from safmn_bench.analysis.webpage.options import arguments

    options = arguments().read(argv)
    from safmn_bench.analysis.webpage.command import make

    print(make(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
