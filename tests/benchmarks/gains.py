"""What each step of the fast SAFMN brings: predicted, measured interleaved, kept or not.

python tests/benchmarks/gains.py --csv results/benchmarks
python tests/benchmarks/gains.py --lr-size 64x64 --rounds 5
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
from safmn_bench.profiling.common.options import lr_size
from safmn_bench.profiling.tracing.options import gains_arguments


@command
def main(argv: list[str] | None = None) -> int:
    """Measure every step, print, and write a CSV if asked."""
    options = gains_arguments().read(argv)
    from safmn_bench.profiling.common.devices import choose_device
    from safmn_bench.profiling.common.files import write_csv
    from safmn_bench.profiling.common.machine import result_file
    from safmn_bench.profiling.common.memory import keep_freed_memory
    from safmn_bench.profiling.tracing.fast_steps import COLUMNS, STEPS, measure_steps, rows, show

    device, (width, height) = choose_device(options.device), lr_size(options.lr_size)
    steps = [step for step in STEPS if not (step.compiled and options.no_compile)]
    keep_freed_memory()
    measured = measure_steps(steps, options.scale, height, width, device, options.rounds)
    gains = rows(measured, options.scale, height, width, device)
    show(gains)
    if options.csv:
        path = result_file(options.csv, "fast_safmn_gains", device)
        write_csv(path, COLUMNS, gains)
        print(f"Written: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
