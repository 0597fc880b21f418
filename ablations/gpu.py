"""Find out in ten minutes what a GPU does with this suite: tests, pace of training, Tables 2 and 5, a first ablation.

Every part has a limit of its own, and what it wrote by then counts; a part that fails is told, and the next begins.
All comes out as one archive: records, CSV files, weights, the log and what nvidia-smi says. Started again, it goes on
with what is not done.

python ablations/gpu.py --bundle gpu-bundle            what travels to a machine without network
python ablations/gpu.py                                there: every part; again: what is left of the sweep
python ablations/gpu.py --results gpu-results.tar.gz   here again: into results/gpu/
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, bundle, or take results in."""
    from safmn_bench.ablations.card.options import arguments

    options = arguments().read(argv)
    if options.bundle is not None:
        from safmn_bench.ablations.card.bundle import make_bundle

        return make_bundle(options)
    if options.results is not None:
        from safmn_bench.ablations.card.archive import take_in

        return take_in(options.results, options.into)
    from safmn_bench.ablations.card.running import run_parts

    return run_parts(options)


if __name__ == "__main__":
    sys.exit(main())
