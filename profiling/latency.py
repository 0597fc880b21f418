"""Time and memory of one forward pass (Table 2): warm, interleaved, with spread, memory and the machine in each row.

python profiling/latency.py --csv results/benchmarks
python profiling/latency.py --models safmn w_o_FM --implementations eager fast compiled --runs 100
python profiling/latency.py --models safmn --protocol ntire
"""

import sys
from collections.abc import Sequence

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write a CSV if asked; status 1 when a network could not be measured."""
    from safmn_bench.profiling.timing.options import latency_arguments

    options = latency_arguments().read(argv)
    from safmn_bench.profiling.common.devices import choose_device
    from safmn_bench.profiling.common.files import write_csv
    from safmn_bench.profiling.common.machine import result_file
    from safmn_bench.profiling.common.places import is_stream, require_writable, target_of
    from safmn_bench.profiling.timing import table
    from safmn_bench.profiling.timing.forms import jobs_of
    from safmn_bench.profiling.timing.interleaved import Timed, measure, referee

    device = choose_device(options.device)
    path = result_file(options.csv, "latency", device) if options.csv else None
    require_writable(path)
    jobs = jobs_of(options, device)
    target = None if path is None or is_stream(path) else target_of(path)
    partial = target.with_name(f"{target.name}.partial") if target is not None else None

    def keep(timed: Sequence[Timed]) -> None:
        """The rows of the rounds so far, for a command that is stopped."""
        if partial is not None:
            write_csv(partial, table.COLUMNS, table.rows(timed, options.protocol, device))

    timed = referee(jobs, options.runs) if options.protocol == "ntire" else measure(jobs, options.runs, keep)
    rows = table.rows(timed, options.protocol, device)
    table.show(rows, timed, options.protocol)
    if path is not None:
        write_csv(path, table.COLUMNS, rows)
        if partial is not None:
            partial.unlink(missing_ok=True)
        print(f"Written: {path}")
    failed = [network for network in timed if network.failure]
    for network in failed:
        print(f"error: {network.job} was not measured: {network.failure}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
