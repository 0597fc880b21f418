"""A run as a folder for a model hub: weights as safetensors, how to build the network, and a card of what was measured.

python analysis/card.py results/runs/w_o_MR/x4/seed0 --out w_o_MR-x4
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Write the folder's files and say where they are; nothing is uploaded."""
    from safmn_bench.analysis.findings.options import card_arguments

    options = card_arguments().read(argv)
    from safmn_bench.analysis.findings.model_card import write_card

    for path in write_card(options.run, options.out or options.run / "card"):
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
