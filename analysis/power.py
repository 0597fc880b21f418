"""How many seeds a difference needs, and what difference a number of seeds finds, from runs or a standard deviation.

python analysis/power.py --runs results/runs --detect 0.03
python analysis/power.py --sd 0.022 --networks 10 --seeds 2 3 5 10 --csv power.csv --figure power
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Print the table, and write it and its figure where asked."""
    from safmn_bench.analysis.stats.options import arguments

    options = arguments().read(argv)
    from safmn_bench.ablations.metrics import HEADLINE
    from safmn_bench.analysis.plots import comparisons
    from safmn_bench.analysis.plots.style import save, style
    from safmn_bench.analysis.stats.command import known_noise, lines_of, show
    from safmn_bench.profiling.common.files import write_csv

    networks, known = known_noise(options)
    lines = lines_of(options, networks, known)
    show(lines, known, options.chance)
    if options.csv:
        write_csv(options.csv, tuple(lines[0].to_row()), [line.to_row() for line in lines])
        print(f"Written: {options.csv}")
    if options.figure:
        shown = {where: noise for where, noise in known.items() if where[1] == HEADLINE} or known
        with style():
            figure = comparisons.power_figure(shown, networks=networks, chance=options.chance)
            paths = save(figure, options.figure.parent, options.figure.name)
        print(f"Written: {', '.join(map(str, paths))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
