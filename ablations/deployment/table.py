"""The runtimes' table: a row per form, as CSV and on the terminal."""

from collections.abc import Sequence
from typing import Any

from safmn_bench.ablations.deployment.command import CPU, Measured, Row
from safmn_bench.profiling.common.console import print_table
from safmn_bench.profiling.runtimes.runtime import TOLERANCE
from safmn_bench.profiling.timing import table as timing_table

COLUMNS = ("weights", "file_mib", "largest_difference")
"""After those of latency.py; then two per benchmark."""


def columns(datasets: Sequence[str]) -> tuple[str, ...]:
    """The columns of the CSV."""
    scores = [column for name in datasets for column in (f"psnr_y_db_{name}", f"psnr_y_loss_db_{name}")]
    return (*timing_table.COLUMNS, *COLUMNS, *scores)


def rows(measured: Measured) -> list[dict[str, Any]]:
    """A row per form; one that could not be measured has its cause in `status` and no figures."""
    timed = timing_table.rows([row.timed for row in measured.rows], "ours", CPU)
    return [{**figures, **_judgement(row, measured)} for row, figures in zip(measured.rows, timed, strict=True)]


def _judgement(row: Row, measured: Measured) -> dict[str, Any]:
    judgement, job = row.judgement, row.timed.job
    plain = _plain(row, measured)
    values: dict[str, Any] = {
        "weights": (job.weights or "").rpartition("/")[2],
        "file_mib": row.timed.file_mib and round(row.timed.file_mib, 4),
        "largest_difference": judgement.largest_difference,
    }
    for benchmark in measured.benchmarks:
        psnr, reference = judgement.psnr_y_db.get(benchmark.name), plain.get(benchmark.name)
        values[f"psnr_y_db_{benchmark.name}"] = psnr
        values[f"psnr_y_loss_db_{benchmark.name}"] = None if psnr is None or reference is None else reference - psnr
    return values


def _plain(row: Row, measured: Measured) -> dict[str, float]:
    """PSNR of the same network as plain PyTorch in float32; empty where that was not scored."""
    for other in measured.rows:
        job = other.timed.job
        if (job.implementation, job.dtype) == ("eager", "fp32") and _network(other) == _network(row):
            return dict(other.judgement.psnr_y_db)
    return {}


def _network(row: Row) -> tuple[str, str | None]:
    return row.timed.job.model, row.timed.job.weights


def show(measured: Measured) -> None:
    """Print the rows and what must be said about them."""
    datasets = [benchmark.name for benchmark in measured.benchmarks]
    header = ["network", "runtime", "dtype", "difference", *(f"{name} [dB] (loss)" for name in datasets)]
    header += ["median [ms]", "95 % interval", "x eager", "peak [MiB]", "file [MiB]"]
    made = rows(measured)
    first = made[0]
    print_table(
        f"Runtimes, LR {first['lr_width']}x{first['lr_height']}, {first['hardware']}",
        header,
        [_cells(row, datasets) for row in made],
        [
            *(f"{row['model']} {row['implementation']} {row['dtype']}: {row['status']}" for row in _without(made)),
            *(f"{row.timed.job}: {remark}." for row in measured.rows for remark in row.timed.remarks),
            f"Difference: the largest of an output from plain PyTorch's in float32, of a range of 1, on a photograph; "
            f"up to {TOLERANCE:g} is rounding.",
            *([measured.protocol.text] if datasets else ["Fresh weights are not scored: give --weights."]),
            *timing_table.method(_timed_row(made), "ours"),
        ],
        text_columns=3,
    )


def _without(made: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [row for row in made if row["status"] != "measured"]


def _timed_row(made: Sequence[dict[str, Any]]) -> dict[str, Any]:
    return next((row for row in made if row["runs"]), made[0])


def _cells(row: dict[str, Any], datasets: Sequence[str]) -> list[str]:
    interval = f"{row['ci_low_ms']:.1f} .. {row['ci_high_ms']:.1f}" if row["runs"] else "-"
    scores = [_score(row[f"psnr_y_db_{name}"], row[f"psnr_y_loss_db_{name}"]) for name in datasets]
    return [
        *(f"{row['model']} x{row['scale']}", row["implementation"], row["dtype"]),
        *(_figure(row["largest_difference"], ".1e"), *scores),
        *(_figure(row["median_ms"], ".1f"), interval, _figure(row["speed_up"], ".2f")),
        *(_figure(row["peak_memory_mib"], ".1f"), _figure(row["file_mib"], ".2f")),
    ]


def _score(psnr: float | None, loss: float | None) -> str:
    if psnr is None:
        return "-"
    return f"{psnr:.3f}" + ("" if loss is None else f" ({loss:.3f})")


def _figure(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"
