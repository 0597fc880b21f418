"""Train, score and profile variants of SAFMN and its peers: name one, get its row.

python ablations/run.py --variant w_o_MR
python ablations/run.py --variants baseline my_variant.yaml --seeds 0 1 2 --set train.iterations=3000
python ablations/run.py --table 3 --seeds 0 1 2 --slots-per-device 4
python ablations/run.py --table 3 --seeds 0 1 2 --engine slurm --slurm-gpus 1 --slurm-time-min 240
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Run what the options ask for, and print the table."""
    from safmn_bench.ablations.sweeps.options import arguments

    options = arguments().read(argv)
    from safmn_bench.ablations.sweeps.command import make_plans, with_sweep_file
    from safmn_bench.ablations.sweeps.sweep import run_all
    from safmn_bench.profiling.common.devices import flushed_denormals

    options = with_sweep_file(options)
    with flushed_denormals():  # here, since one run alone trains in this process
        return run_all(make_plans(options), options)


if __name__ == "__main__":
    sys.exit(main())
