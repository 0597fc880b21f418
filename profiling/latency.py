"""Time and memory of one forward pass (Table 2): warm, interleaved, with spread, memory and the machine in each row.

python profiling/latency.py --csv results/benchmarks
python profiling/latency.py --models safmn w_o_FM --implementations eager fast compiled --runs 100
python profiling/latency.py --models safmn --protocol ntire
"""

import argparse
import sys
from pathlib import Path

try:
    from safmn_bench.models.errors import UserError, command
except ModuleNotFoundError:
    print("safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.", file=sys.stderr)
    sys.exit(2)
import torch

from safmn_bench.models.names import written
from safmn_bench.profiling.common.devices import choose_device
from safmn_bench.profiling.common.files import write_csv
from safmn_bench.profiling.common.machine import result_file
from safmn_bench.profiling.timing import table as latency_table
from safmn_bench.profiling.timing.forms import ALLOCATORS, DTYPES, IMPLEMENTATIONS, Job, check, lr_size
from safmn_bench.profiling.timing.interleaved import measure, referee


@command
def main(argv: list[str] | None = None) -> int:
    """Measure, print, and write a CSV if asked; status 1 when a network could not be measured."""
    args = _parser().parse_args(argv)
    device = choose_device(args.device)
    jobs = _jobs(args, device)
    for job in jobs:
        check(job)
    found = referee(jobs, args.runs) if args.protocol == "ntire" else measure(jobs, args.runs)
    rows = latency_table.rows(found, args.protocol, device)
    latency_table.show(rows, found, args.protocol)
    if args.csv:
        path = result_file(args.csv, "latency", device)
        write_csv(path, latency_table.COLUMNS, rows)
        print(f"Written: {path}")
    failed = [one for one in found if one.failure]
    for one in failed:
        print(f"error: {one.job} was not measured: {one.failure}", file=sys.stderr)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    forms = "; ".join(f"{name}: {what}" for name, what in IMPLEMENTATIONS.items())
    parser = argparse.ArgumentParser(prog="latency", description="Measure time and memory of one forward pass.")
    parser.add_argument("--models", nargs="+", metavar="NAME", help="models, variants or YAML files (default: Table 2)")
    parser.add_argument("--scale", type=int, default=4, choices=(2, 3, 4), help="default: %(default)s")
    parser.add_argument("--lr-size", default="320x180", metavar="WxH", help="LR pixels (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=50, metavar="N", help="timed passes each (default: %(default)s)")
    parser.add_argument("--implementations", nargs="+", default=["eager", "fast"], choices=IMPLEMENTATIONS, help=forms)
    parser.add_argument("--dtypes", nargs="+", default=["fp32"], choices=DTYPES, help="default: fp32")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N (default: %(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: torch's)")
    kinds = "; ".join(f"{name}: {what}" for name, what in ALLOCATORS.items())
    parser.add_argument("--allocator", default="keep", choices=ALLOCATORS, help=f"default: %(default)s. {kinds}")
    parser.add_argument("--cudnn-benchmark", action="store_true", help="let cuDNN choose kernels by trying them")
    protocol = "ours (default), or ntire: no warm-up, one network after another, mean over all images"
    parser.add_argument("--protocol", default="ours", choices=("ours", "ntire"), help=protocol)
    parser.add_argument("--csv", type=Path, metavar="FILE|DIR", help="also write it; a folder gets latency_<hardware>")
    return parser


def _jobs(args: argparse.Namespace, device: torch.device) -> list[Job]:
    """Every model in every form and type; raises UserError for numbers that cannot be."""
    width, height = lr_size(args.lr_size)
    threads = torch.get_num_threads() if args.threads is None else args.threads
    for option, number in (("--runs", args.runs), ("--threads", threads)):
        if number < 1:
            raise UserError(f"{option} {number} is not a number of at least 1.")
    torch.set_num_threads(threads)
    return [
        Job(
            model=written(model),
            scale=args.scale,
            implementation=implementation,
            dtype=dtype,
            device=str(device),
            height=height,
            width=width,
            threads=threads,
            cudnn_benchmark=args.cudnn_benchmark,
            allocator=args.allocator,
        )
        for dtype in dict.fromkeys(args.dtypes)
        for implementation in dict.fromkeys(args.implementations)
        for model in dict.fromkeys(args.models or latency_table.models_of_table_2())
    ]


if __name__ == "__main__":
    sys.exit(main())
