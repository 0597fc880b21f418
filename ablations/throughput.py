"""Measure the pace of training: plain and fast, step and whole loop, interleaved, beside the hardware's floors.

python ablations/throughput.py --set train.patch=32 train.batch=8 --csv results/benchmarks/pace.csv
"""

import argparse
import sys
from pathlib import Path

try:
    from safmn_bench.models.errors import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
from safmn_bench.ablations.data.preflight import prepare_training
from safmn_bench.ablations.data.training_sets import open_training_sets
from safmn_bench.ablations.recipe import recipe_for
from safmn_bench.ablations.training import speed
from safmn_bench.models.names import find_candidate
from safmn_bench.profiling.common.devices import choose_device
from safmn_bench.profiling.common.files import write_csv


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write a CSV if asked."""
    parser = argparse.ArgumentParser(prog="throughput", description="Measure the pace of training.")
    parser.add_argument("--model", default="safmn", metavar="NAME", help="model, variant or YAML file")
    parser.add_argument("--scale", type=int, default=4, choices=(2, 3, 4), help="default: %(default)s")
    parser.add_argument("--recipe", metavar="NAME", help="default: quick on a CPU, paper on a GPU")
    parser.add_argument("--train-data", type=Path, nargs="+", default=[], metavar="DIR", help="default: embedded")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=8, metavar="N", help="blocks of each mode (default: %(default)s)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="also write the rows here")
    parser.add_argument(
        "--set", dest="overrides", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="recipe keys"
    )
    args = parser.parse_args(argv)

    device, candidate = choose_device(args.device), find_candidate(args.model)
    recipe, _ = recipe_for(candidate, args.recipe, device, args.overrides)
    sets = open_training_sets(args.train_data, args.scale)
    images = prepare_training(sets, [], scale=args.scale, patch=recipe.train.patch)
    modes, floors = speed.measure(candidate, recipe, images, device, max(1, args.rounds))
    found = speed.rows(modes, floors, candidate, recipe, args.scale, device)
    speed.show(found, floors)
    if args.csv:
        write_csv(args.csv, speed.COLUMNS, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
