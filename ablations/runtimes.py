"""A network in PyTorch's forms and in other runtimes on this CPU: output difference, PSNR, time and memory, a row each.

python ablations/runtimes.py --models safmn smfanet --scale 4 --csv runtimes.csv
python ablations/runtimes.py --models safmn --scale 2 --weights safmn_x2.pth --benchmarks Set5 --dtypes fp32 bf16
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write a CSV if asked; status 1 where a form failed, or strays from PyTorch."""
    from safmn_bench.ablations.deployment.options import arguments

    options = arguments().read(argv)
    from safmn_bench.ablations.deployment import table
    from safmn_bench.ablations.deployment.command import measure_all, opened_benchmarks
    from safmn_bench.profiling.common.files import csv_made_anew
    from safmn_bench.profiling.common.provenance import write_sidecar

    benchmarks = opened_benchmarks(options)
    with csv_made_anew(options.csv, table.columns([benchmark.name for benchmark in benchmarks])) as keep:
        measured = measure_all(options, benchmarks, lambda so_far: keep(table.rows(so_far)))
    table.show(measured)
    if options.csv is not None:
        files = {f"weights {number}": path for number, path in enumerate(options.weight_files, start=1) if path}
        write_sidecar(options.csv, "ablations/runtimes.py", options.typed, "cpu", files)
        print(f"Written: {options.csv}")
    for failure in measured.failures:
        print(f"error: {failure}", file=sys.stderr)
    return 1 if measured.failures else 0


if __name__ == "__main__":
    sys.exit(main())
