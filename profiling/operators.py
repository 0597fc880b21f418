"""Times of the meta-operations of SAFM and of every other operator of a network (Table 5), self time only.

python profiling/operators.py --csv results/benchmarks
python profiling/operators.py --model safmn --implementation fast --trace trace.json.gz --roofline roofline.png
"""

import argparse
import sys
from pathlib import Path

try:
    from safmn_bench.models.errors import UserError, command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)

from safmn_bench.models.names import find_candidate
from safmn_bench.profiling.common.devices import choose_device
from safmn_bench.profiling.common.files import write_csv
from safmn_bench.profiling.common.machine import result_file
from safmn_bench.profiling.common.memory import keep_freed_memory
from safmn_bench.profiling.timing.forms import DTYPES, build_in_form, lr_size
from safmn_bench.profiling.tracing import roofline
from safmn_bench.profiling.tracing import table as operators_table
from safmn_bench.profiling.tracing.operation_names import blocks_of
from safmn_bench.profiling.tracing.profiler import trace
from safmn_bench.profiling.tracing.traffic import work

FORMS = ("eager", "channels_last", "fast")


@command
def main(argv: list[str] | None = None) -> int:
    """Profile, print, and write what was asked for."""
    args = _parser().parse_args(argv)
    device = choose_device(args.device)
    width, height = lr_size(args.lr_size)
    if args.passes < 1:
        raise UserError(f"--passes {args.passes} is not a number of at least 1.")
    if args.roofline:
        roofline.check_format(args.roofline)
    keep_freed_memory()
    network, lr = build_in_form(args.model, args.scale, args.implementation, args.dtype, device, height, width)
    traced = trace(network, lr, args.passes, args.trace)
    described = {"model": find_candidate(args.model).name, "scale": args.scale, "implementation": args.implementation}
    described |= {"dtype": args.dtype, "lr_height": height, "lr_width": width, "passes": args.passes}
    rows = operators_table.rows(traced, blocks_of(network), described, device)
    operators_table.show(rows, traced, blocks_of(network))
    if args.csv:
        path = result_file(args.csv, f"operators_{args.implementation}", device)
        write_csv(path, operators_table.COLUMNS, rows)
        print(f"Written: {path}")
    if args.roofline:
        title = f"{described['model']} x{args.scale}, {args.implementation}, {args.dtype}, {rows[0]['hardware']}"
        achieved = roofline.points(traced.operations, work(network, lr))
        roofline.draw(args.roofline, title, achieved, roofline.measure_ceilings(device))
        print(f"Written: {args.roofline}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="operators", description="Measure the operators of one forward pass.")
    parser.add_argument("--model", default="safmn", metavar="NAME", help="model, variant or YAML file")
    parser.add_argument("--scale", type=int, default=4, choices=(2, 3, 4), help="default: %(default)s")
    parser.add_argument("--lr-size", default="320x180", metavar="WxH", help="LR pixels (default: %(default)s)")
    parser.add_argument("--implementation", default="eager", choices=FORMS, help="default: %(default)s")
    parser.add_argument("--dtype", default="fp32", choices=DTYPES, help="default: %(default)s")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--passes", type=int, default=10, metavar="N", help="profiled passes (default: %(default)s)")
    parser.add_argument(
        "--csv", type=Path, metavar="FILE|DIR", help="also write it; a folder gets operators_<hardware>"
    )
    parser.add_argument("--trace", type=Path, metavar="FILE", help="a Chrome trace, .json or .json.gz, for Perfetto")
    parser.add_argument("--roofline", type=Path, metavar="FILE", help="a picture, .png, .svg or .pdf")
    return parser


if __name__ == "__main__":
    sys.exit(main())
