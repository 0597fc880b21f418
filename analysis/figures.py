"""Figures 1, 5, 6 and 7 of the paper from what was measured, each as PDF, SVG and PNG.

python analysis/figures.py --figure 1 7 --runs results/runs --out results/figures
python analysis/figures.py --figure 5 --models safmn --scale 2 --weights safmn_x2.pth --image butterfly.png
python analysis/figures.py --figure 6 --models baseline w_o_FM --runs results/runs --image zebra.png --box 300 150 80 60
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Draw every figure that is asked for, then write them: a wrong option writes nothing."""
    from safmn_bench.analysis.plots.options import arguments

    options = arguments().read(argv)
    from safmn_bench.analysis.plots.command import draw
    from safmn_bench.analysis.plots.style import save, style

    with style(options.named()):
        drawn = [figures for number in dict.fromkeys(options.figure) for figures in draw(number, options).items()]
        for name, figure in drawn:
            for path in save(figure, options.out, name):
                print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
