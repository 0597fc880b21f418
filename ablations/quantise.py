"""Choose how a network is quantised to int8: what each convolution loses, and which few must stay in float.

A layer's loss is that of the network with this layer alone in int8, simulated on patches of the training images; the
worst stay in float until all others together lose less than --most-loss.

python ablations/quantise.py --model safmn --scale 2 --weights safmn_x2.pth --train-data BSDS400 --out safmn_x2.npz
python ablations/runtimes.py --models safmn --scale 2 --weights safmn_x2.pth --dtypes fp32 int8 --int8 safmn_x2.npz
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write the recipe."""
    from safmn_bench.ablations.deployment.options import quantise_arguments

    options = quantise_arguments().read(argv)
    from safmn_bench.ablations.deployment.quantising import COLUMNS, quantise, rows, show
    from safmn_bench.profiling.common.files import write_csv
    from safmn_bench.profiling.common.provenance import write_sidecar
    from safmn_bench.profiling.runtimes.recipe import save

    quantised = quantise(options)
    save(quantised.recipe, options.out)
    show(quantised)
    print(f"Written: {options.out}")
    if options.csv is not None:
        write_csv(options.csv, COLUMNS, rows(quantised.recipe))
        files = {"weights": options.weights} if options.weights else {}
        write_sidecar(options.csv, "ablations/quantise.py", options.typed, "cpu", files)
        print(f"Written: {options.csv}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
