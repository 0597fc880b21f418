"""Measure the pace of training: plain and fast, step and whole loop, interleaved, beside the hardware's floors.

python ablations/throughput.py --set train.patch=32 train.batch=8 --csv results/benchmarks/pace.csv
python ablations/throughput.py --device cuda --recipe paper --forms --csv forms.csv
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write a CSV if asked."""
    from safmn_bench.ablations.training.options import arguments

    options = arguments().read(argv)
    from safmn_bench.ablations.data.preflight import prepare_training
    from safmn_bench.ablations.data.training_sets import open_training_sets
    from safmn_bench.ablations.recipe import recipe_for
    from safmn_bench.ablations.training import forms, speed
    from safmn_bench.models.names import find_candidate
    from safmn_bench.profiling.common.devices import choose_device, flushed_denormals
    from safmn_bench.profiling.common.files import write_csv

    device, candidate = choose_device(options.device), find_candidate(options.model)
    recipe, _ = recipe_for(candidate, options.recipe, device, options.overrides)
    sets = open_training_sets(options.train_data, options.scale)
    with flushed_denormals():  # as runs do
        images = prepare_training(sets, [], scale=options.scale, patch=recipe.train.patch)
        if options.forms:
            forms.run(candidate, recipe, images, device, options)
            return 0
        modes, floors = speed.measure(candidate, recipe, images, device, options.rounds)
    rows = speed.rows(modes, floors, candidate, recipe, options.scale, device)
    speed.show(rows, floors)
    if options.csv:
        write_csv(options.csv, speed.COLUMNS, rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
