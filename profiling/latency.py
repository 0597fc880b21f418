"""Time and memory of one forward pass (Table 2): warm, interleaved, with spread, memory and the machine in each row.

python profiling/latency.py --csv results/benchmarks
python profiling/latency.py --models safmn w_o_FM --implementations eager fast compiled --runs 100
python profiling/latency.py --models safmn --protocol ntire
"""

import sys

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
    from safmn_bench.profiling.common.files import csv_made_anew
    from safmn_bench.profiling.common.layout import say
    from safmn_bench.profiling.common.machine import result_file
    from safmn_bench.profiling.timing import table
    from safmn_bench.profiling.timing.forms import jobs_of
    from safmn_bench.profiling.timing.interleaved import measure, referee

    device = choose_device(options.device)
    path = result_file(options.csv, "latency", device) if options.csv else None
    with csv_made_anew(path, table.COLUMNS) as keep:
        jobs = jobs_of(options, device)
        if options.protocol == "ntire":
            timed = referee(jobs, options.runs)
        else:
            timed = measure(jobs, options.runs, lambda timed: keep(table.rows(timed, options.protocol, device)))
        rows = table.rows(timed, options.protocol, device)
        table.show(rows, timed, options.protocol)
        keep(rows)
    if path is not None:
        print(f"Written: {path}")
    failed = [network for network in timed if network.failure]
    for network in failed:
        say(f"error: {network.job} was not measured: {network.failure}", sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
