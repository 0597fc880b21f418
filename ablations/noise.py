"""Ways to lower the noise between two trainings: standard deviations of scores by initialisation and scored weights.

Each network is trained with each seed, once by each initialisation; the averages and checkpoints that could be scored
are followed along each training. A line of the table: the standard deviation of a run (within a network), that of the
difference of two networks with one seed, both with their intervals, and the ratio of the latter to that of the recipe
as it is, on the same seeds (Pitman and Morgan's interval, since the scores are paired).

Every training is written when it is done: the same command goes on with those that are missing, and prints the table of
the seeds that are complete.

python ablations/noise.py --seeds 0 1 2 3 4 5 6 7 --out results/noise
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Train what is missing, then print and write the table; 130 or 143 when told to stop."""
    from safmn_bench.ablations.scatter.options import arguments

    options = arguments().read(argv)
    from safmn_bench.ablations.runs.signals import stop_on_signals
    from safmn_bench.ablations.scatter import runs, table
    from safmn_bench.profiling.common.devices import flushed_denormals

    wanted = runs.planned(options)
    with flushed_denormals(), stop_on_signals() as stop:
        if not options.table_only:
            runs.train_missing(wanted, options.out, stop)
        rows = runs.read(wanted, options.out)
        runs.tell(table.lines_of(rows), options.out, rows)
        return stop.exit_status if stop() else 0


if __name__ == "__main__":
    sys.exit(main())
