"""Networks side by side, a row each: parameters, FLOPs (MACs), activations, time, memory, scores, and DI.

python analysis/compare.py safmn carn_m --scale 4 --weights safmn_x4.pth - --benchmarks Set5
python analysis/compare.py mynet.py:MyNet safmn --weights mine.pth safmn_x4.pth --lam --csv mine.csv --latex mine.tex
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write what is asked for; status 1 where something of a network could not be measured."""
    from safmn_bench.analysis.comparison.options import arguments

    options = arguments().read(argv)
    from safmn_bench.analysis.comparison.command import compare, show, write
    from safmn_bench.profiling.common.devices import choose_device
    from safmn_bench.profiling.common.layout import say

    device = choose_device(options.device)
    comparison = compare(options, device)
    show(comparison.table)
    write(comparison.table, options, device)
    for failure in comparison.failures:
        say(f"error: {failure}", sys.stderr)
    return 1 if comparison.failures else 0


if __name__ == "__main__":
    sys.exit(main())
