"""What each step of the fast SAFMN brings: predicted, measured interleaved, kept or not.

python tests/benchmarks/gains.py --csv results/benchmarks
python tests/benchmarks/gains.py --lr-size 64x64 --rounds 5
"""

import argparse
import sys
from pathlib import Path

try:
    from safmn_bench.models.errors import UserError, command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
from safmn_bench.profiling.common.devices import choose_device
from safmn_bench.profiling.common.files import write_csv
from safmn_bench.profiling.common.machine import result_file
from safmn_bench.profiling.common.memory import keep_freed_memory
from safmn_bench.profiling.timing.forms import lr_size
from safmn_bench.profiling.tracing import fast_steps as gains_table
from safmn_bench.profiling.tracing.fast_steps import STEPS, measure_steps


@command
def main(argv: list[str] | None = None) -> int:
    """Measure every step, print, and write a CSV if asked."""
    parser = argparse.ArgumentParser(prog="gains", description="Measure the steps of the fast SAFMN one by one.")
    parser.add_argument("--scale", type=int, default=4, choices=(2, 3, 4), help="default: %(default)s")
    parser.add_argument("--lr-size", default="320x180", metavar="WxH", help="LR pixels (default: %(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="turns of each (default: %(default)s)")
    parser.add_argument(
        "--no-compile", action="store_true", help="leave out the steps that torch.compile takes part in"
    )
    parser.add_argument(
        "--csv", type=Path, metavar="FILE|DIR", help="also write it; a folder gets fast_safmn_gains_..."
    )
    args = parser.parse_args(argv)
    if args.rounds < 1:
        raise UserError(f"--rounds {args.rounds} is not a number of at least 1.")
    device, (width, height) = choose_device(args.device), lr_size(args.lr_size)
    steps = [step for step in STEPS if not (step.compiled and args.no_compile)]
    keep_freed_memory()
    measured = measure_steps(steps, args.scale, height, width, device, args.rounds)
    rows = gains_table.rows(measured, args.scale, height, width, device)
    gains_table.show(rows)
    if args.csv:
        path = result_file(args.csv, "fast_safmn_gains", device)
        write_csv(path, gains_table.COLUMNS, rows)
        print(f"Written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
