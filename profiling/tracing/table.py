"""Table 5 for this machine: the six meta-operations and the rest, beside the paper's figures, and what is left over."""

import datetime
from collections.abc import Sequence
from typing import Any

import torch

from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.machine import commit, hardware_name, versions
from safmn_bench.profiling.tracing.operation_names import COPIES, meta_operations
from safmn_bench.profiling.tracing.profiler import Operation, Trace

REMAINDER, OUTER = "remainder (outer clock minus operators)", "forward pass (outer clock)"
COLUMNS = (
    *("operation", "calls", "self_time_us", "share", "paper_us"),
    *("per_layer_us", "model", "scale", "implementation", "device", "dtype", "lr_height", "lr_width", "passes"),
    *("hardware", "threads", "torch", "date", "commit"),
)


def rows(traced: Trace, blocks: int, described: dict[str, Any], device: torch.device) -> list[dict[str, Any]]:
    """A row per operation, Table 5's first, then the rest, the remainder, and the outer clock: shares are of it."""
    paper = meta_operations()
    measured = {operation.name: operation for operation in traced.operations}
    listed = [measured.get(name, Operation(name=name, calls=0, self_time_us=0.0)) for name in paper]
    listed += [operation for operation in traced.operations if operation.name not in paper]
    listed.append(Operation(name=REMAINDER, calls=1, self_time_us=traced.remainder_us))
    listed.append(Operation(name=OUTER, calls=1, self_time_us=traced.outer_us))
    shared = {
        **described,
        "device": device.type,
        "hardware": hardware_name(device),
        "threads": torch.get_num_threads(),
        "torch": versions()["torch"],
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
    }
    return [
        {
            "operation": operation.name,
            "calls": operation.calls,
            "self_time_us": round(operation.self_time_us, 3),
            "share": round(operation.self_time_us / traced.outer_us, 5),
            "paper_us": paper.get(operation.name),
            "per_layer_us": round(operation.self_time_us / blocks, 3),
            **shared,
        }
        for operation in listed
    ]


def show(table: Sequence[dict[str, Any]], traced: Trace, blocks: int) -> None:
    """Print the rows, and what was measured."""
    first = table[0]
    title = (
        f"Operators of {first['model']} x{first['scale']} ({first['implementation']}, {first['dtype']}), "
        f"LR {first['lr_width']}x{first['lr_height']}, {first['hardware']}"
    )
    header = ["operation", "calls", "self time [us]", f"per layer (/{blocks}) [us]", "share", "paper [us]"]
    cells = [
        [
            row["operation"],
            str(row["calls"]),
            f"{row['self_time_us']:.0f}",
            f"{row['per_layer_us']:.1f}",
            f"{100 * row['share']:.1f} %",
            row["paper_us"] or "-",
        ]
        for row in table
    ]
    console.print_table(title, header, cells, notes(table, traced))


def notes(table: Sequence[dict[str, Any]], traced: Trace) -> list[str]:
    """Notes: how the figures are made, and what splitting a channel costs in this memory layout."""
    copied = next((row for row in table if row["operation"] == COPIES), None)
    splitting = (
        f"Splitting is a view; in this layout the operators after it copy the parts first ({copied['calls']} copies, "
        f"{copied['self_time_us']:.0f} us), listed as '{COPIES}'."
        if copied
        else "Splitting is a view in this layout: its time is that of making it, and nothing is copied."
    )
    kind = "time of its kernels on the GPU" if table[0]["device"] == "cuda" else "time on the processor"
    return [
        f"Self time: an operator's own {kind}, without the operators it calls; median of {table[0]['passes']} passes. "
        "Freed memory is kept for the next pass.",
        f"Outer clock {traced.outer_us / 1e3:.2f} ms with the profiler, {traced.unprofiled_us / 1e3:.2f} ms without.",
        splitting,
        "Paper: Table 5, its own GPU, which does not say whether per layer or per forward pass; never measured here.",
    ]
