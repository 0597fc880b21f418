"""Times of the meta-operations of SAFM and of every other operator of a network (Table 5), self time only.

python profiling/operators.py --csv results/benchmarks
python profiling/operators.py --model safmn --implementation fast --trace trace.json.gz --roofline roofline.png
"""

import sys

try:
    from safmn_bench.profiling.common.door import command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)


@command
def main(argv: list[str] | None = None) -> int:
    """Profile, print, and write what was asked for."""
    from safmn_bench.profiling.common.options import lr_size
    from safmn_bench.profiling.tracing.options import operators_arguments

    options = operators_arguments().read(argv)
    from safmn_bench.models.names import find_candidate
    from safmn_bench.profiling.common.devices import choose_device
    from safmn_bench.profiling.common.files import write_csv
    from safmn_bench.profiling.common.machine import result_file
    from safmn_bench.profiling.common.memory import keep_freed_memory
    from safmn_bench.profiling.timing.forms import build_in_form
    from safmn_bench.profiling.tracing import roofline, table
    from safmn_bench.profiling.tracing.operation_names import blocks_of
    from safmn_bench.profiling.tracing.profiler import trace
    from safmn_bench.profiling.tracing.traffic import work

    device = choose_device(options.device)
    width, height = lr_size(options.lr_size)
    form, dtype, scale = options.implementation, options.dtype, options.scale
    keep_freed_memory()
    network, lr = build_in_form(options.model, scale, form, dtype, device, height, width)
    traced = trace(network, lr, options.passes, options.trace)
    described = {"model": find_candidate(options.model).name, "scale": scale, "implementation": form}
    described |= {"dtype": dtype, "lr_height": height, "lr_width": width, "passes": options.passes}
    rows = table.rows(traced, blocks_of(network), described, device)
    table.show(rows, traced, blocks_of(network))
    if options.csv:
        path = result_file(options.csv, f"operators_{form}", device)
        write_csv(path, table.COLUMNS, rows)
        print(f"Written: {path}")
    if options.roofline:
        title = f"{described['model']} x{scale}, {form}, {dtype}, {rows[0]['hardware']}"
        achieved = roofline.points(traced.operations, work(network, lr))
        roofline.draw(options.roofline, title, achieved, roofline.measure_ceilings(device, dtype))
        print(f"Written: {options.roofline}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
