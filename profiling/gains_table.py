"""The table of gains: per step what was predicted and measured, against the step before and against the plain form."""

import datetime
from collections.abc import Sequence
from typing import Any

import torch

from safmn_bench.profiling import display
from safmn_bench.profiling.machine import commit, hardware_name, versions
from safmn_bench.profiling.steps import Measured

COLUMNS = (
    *("step", "median_ms", "ci_low_ms", "ci_high_ms", "runs", "ratio_to_plain", "ratio_to_previous"),
    *("predicted_ratio", "relative_difference", "kept"),
    *("model", "scale", "lr_height", "lr_width", "dtype", "device", "hardware", "torch", "date", "commit"),
)


def rows(
    measured: Sequence[Measured], scale: int, height: int, width: int, device: torch.device
) -> list[dict[str, Any]]:
    """A row per step; the steps with torch.compile are compared with the last one without."""
    shared = {"model": "safmn", "scale": scale, "lr_height": height, "lr_width": width, "dtype": "fp32"}
    shared |= {"device": device.type, "hardware": hardware_name(device), "torch": versions()["torch"]}
    shared |= {"date": datetime.date.today().isoformat(), "commit": commit()}
    plain = previous = measured[0].times.median_ms
    found = []
    for one in measured:
        median = one.times.median_ms
        found.append(
            {
                "step": one.step.name,
                "median_ms": round(median, 3),
                "ci_low_ms": round(one.times.ci_low_ms, 3),
                "ci_high_ms": round(one.times.ci_high_ms, 3),
                "runs": one.times.runs,
                "ratio_to_plain": round(plain / median, 3),
                "ratio_to_previous": round(previous / median, 3),
                "predicted_ratio": None if one.predicted_ratio is None else round(one.predicted_ratio, 3),
                "relative_difference": float(f"{one.difference:.2e}"),
                "kept": one.step.kept,
                **shared,
            }
        )
        if not one.step.compiled:
            previous = median
    return found


def show(table: Sequence[dict[str, Any]]) -> None:
    """Print the table and what its columns mean."""
    first = table[0]
    title = (
        f"Gains of the fast SAFMN x{first['scale']}, LR {first['lr_width']}x{first['lr_height']}, {first['hardware']}"
    )
    header = ["step", "median [ms]", "95 % interval", "x plain", "x previous", "at best", "diff", "kept"]
    cells = [
        [
            row["step"],
            f"{row['median_ms']:.1f}",
            f"{row['ci_low_ms']:.1f} .. {row['ci_high_ms']:.1f}",
            f"{row['ratio_to_plain']:.2f}",
            f"{row['ratio_to_previous']:.2f}",
            "-" if row["predicted_ratio"] is None else f"{row['predicted_ratio']:.2f}",
            f"{row['relative_difference']:.0e}",
            row["kept"],
        ]
        for row in table
    ]
    notes = [
        "Each step stands on those before it; steps with torch.compile compare with the last one without.",
        "At best: predicted, if the operators that the step changes ran at the pace of a matrix product or a copy, "
        "both measured in this run.",
        "diff: largest difference from the plain result, relative to its largest value. Freed memory is kept for the "
        "next pass.",
    ]
    display.print_table(title, header, cells, notes)
