"""What networks look at: local attribution maps (LAM) and the diffusion index (DI), as in Figure 2.

python analysis/lam.py --models safmn --scale 2 --weights safmn_x2.pth --image butterfly.png --window 150 40 16
python analysis/lam.py --models baseline w_o_MR --image Set5/HR --grid 3 16 --no-figures     mean and spread
python analysis/lam.py --models safmn --scale 2 --weights safmn_x2.pth --no-figures     the windows of study.py
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Attribute what the options ask for."""
    from safmn_bench.analysis.attribution.options import arguments

    options = arguments().read(argv)
    from safmn_bench.analysis.attribution.command import carry_out, prepare, report

    report(carry_out(prepare(options), options), options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
