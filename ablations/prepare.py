"""Check training sets and pack them once, so that training starts at once and never waits for decoding.

python ablations/prepare.py --train-data DIV2K Flickr2K --scale 2 3 4
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Check and pack what the options ask for."""
    from safmn_bench.ablations.data.options import arguments

    options = arguments().read(argv)
    from safmn_bench.ablations.data.command import prepare

    prepare(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
