"""What lowers the noise between two trainings: standard deviations of scores by initialisation and scored weights.

Each network is trained with each seed, once by each initialisation; the averages and checkpoints that could be scored
are followed along each training. A line of the table: the standard deviation of a run (within a network), that of the
difference of two networks with one seed, both with their intervals, and the ratio of the latter to that of the recipe
as it is, on the same seeds (Pitman and Morgan's interval, since the scores are paired).

Every training is written when it is done: the same command goes on with those that are missing, and prints the table of
the seeds that are complete.

python ablations/noise.py --seeds 0 1 2 3 4 5 6 7 --out results/noise
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

try:
    from safmn_bench.models.errors import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
from safmn_bench.ablations.runs.signals import stop_on_signals
from safmn_bench.ablations.scatter import runs, table
from safmn_bench.profiling.common import console

NETWORKS = ("baseline", "channel_mlp", "w_o_SAFM")
"""Two variants of which torch's order leaves most weights unlike the baseline's: there another order can help."""


@command
def main(argv: list[str] | None = None) -> int:
    """Train what is missing, then print and write the table; 130 or 143 when told to stop."""
    args = arguments().parse_args(argv)
    wanted = runs.planned(args.variants, args.seeds, args.recipe, args.benchmarks, args.train_data, args.set)
    with stop_on_signals() as stop:
        if not args.table_only:
            runs.train_missing(wanted, args.out, stop)
        rows = runs.read(wanted, args.out)
        write(table.lines_of(rows), args.out, rows)
        return stop.exit_status if stop() else 0


def write(lines: Sequence[table.Line], out: Path, rows: Sequence[runs.Row]) -> None:
    """The table to the terminal and as noise.csv; every score as scores.csv."""
    if not lines:
        print("Too few seeds are complete for a table: (networks - 1) x (seeds - 1) must be at least 3.")
        return
    for dataset in dict.fromkeys(line.dataset for line in lines):
        title = f"PSNR-Y on {dataset}, {lines[0].networks} networks x {lines[0].seeds} seeds"
        shown = [table.cells(line) for line in lines if line.dataset == dataset]
        console.print_table(title, table.HEADER, shown, text_columns=2)
    runs.write_csvs(out, lines, rows)
    print(f"Written: {out / 'noise.csv'}, {out / 'scores.csv'}")


def arguments() -> argparse.ArgumentParser:
    """The options of noise.py."""
    parser = argparse.ArgumentParser(prog="noise", description="Measure what lowers the noise between two trainings.")
    parser.add_argument("--variants", nargs="+", default=list(NETWORKS), metavar="NAME", help="default: %(default)s")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(8)), metavar="N", help="default: 0 to 7")
    parser.add_argument("--recipe", default="quick", metavar="NAME", help="default: %(default)s")
    parser.add_argument(
        "--train-data", type=Path, nargs="+", metavar="DIR", help="folders of images (default: embedded photographs)"
    )
    parser.add_argument(
        "--benchmarks", type=Path, nargs="+", metavar="DIR", help="folders to score on (default: embedded photographs)"
    )
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="recipe keys")
    parser.add_argument("--out", type=Path, default=Path("results/noise"), metavar="DIR", help="default: %(default)s")
    parser.add_argument("--table-only", action="store_true", help="train nothing: the table of what is there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
