"""Score weights, or plain bicubic, on benchmarks: PSNR and SSIM on luma, as the literature reports them.

python ablations/evaluate.py --model safmn --scale 2 --weights safmn_x2.pth --benchmarks Set5 B100 --csv scores.csv
python ablations/evaluate.py --model bicubic --scale 4 --benchmarks Set14 --grey plane
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Score what the options ask for."""
    from safmn_bench.ablations.scoring.options import arguments

    options = arguments().read(argv)
    from safmn_bench.ablations.scoring.command import evaluate

    evaluate(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
