"""Table 2 for this machine: rows with spread, memory and provenance, the paper's figures beside, and honest ranks."""

import datetime
import itertools
from collections.abc import Sequence
from typing import Any

import torch

from safmn_bench.models.names import network_key
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.layout import counted
from safmn_bench.profiling.common.machine import clock_mhz, commit, hardware_name, machine, versions
from safmn_bench.profiling.common.paper import read_table
from safmn_bench.profiling.timing.clock import places
from safmn_bench.profiling.timing.interleaved import Timed
from safmn_bench.profiling.timing.options import ALLOCATORS

COLUMNS = (
    *("model", "scale", "implementation", "device", "dtype", "lr_height", "lr_width"),
    *("median_ms", "p10_ms", "p90_ms", "runs", "peak_memory_mib"),
    *("ci_low_ms", "ci_high_ms", "mean_ms", "first_ms", "place", "speed_up", "warm_up_runs", "warm_up_flat"),
    *("weights_mib", "input_mib", "paper_time_ms", "paper_memory_m", "protocol", "status"),
    *("hardware", "threads", "allocator", "driver", "clock_mhz", "cudnn_benchmark"),
    *("torch", "cuda", "python", "date", "commit", "note"),
)
_PAPER = "Paper: Table 2, its own GPU, never measured here."


def rows(timings: Sequence[Timed], protocol: str, device: torch.device) -> list[dict[str, Any]]:
    """A row per job; one that failed has its cause in `status` and no figures."""
    places_of = _places(timings) if protocol == "ours" else {}
    made_on = _provenance(device)
    return [
        {
            **_figures(timing),
            **paper(timing),
            "place": places_of.get(i),
            "speed_up": _speed_up(timing, timings),
            "protocol": protocol,
            **made_on,
        }
        for i, timing in enumerate(timings)
    ]


def _speed_up(timing: Timed, timings: Sequence[Timed]) -> float | None:
    """How many times faster than the same network's eager form in the same type; None where that was not timed."""
    for other in timings:
        same = (other.job.model, other.job.dtype) == (timing.job.model, timing.job.dtype)
        if same and other.job.implementation == "eager" and other.failure is None and timing.failure is None:
            return round(other.spread().median_ms / timing.spread().median_ms, 3)
    return None


def _figures(timing: Timed) -> dict[str, Any]:
    job = timing.job
    figures: dict[str, Any] = dict.fromkeys(("median_ms", "p10_ms", "p90_ms", "ci_low_ms", "ci_high_ms", "mean_ms"))
    runs = 0
    if timing.failure is None:
        spread = timing.spread()
        figures = {name: round(getattr(spread, name), 4) for name in figures}
        runs = spread.runs
    return {
        "model": job.name,
        "scale": job.scale,
        "implementation": job.implementation,
        "device": torch.device(job.device).type,
        "dtype": job.dtype,
        "lr_height": job.height,
        "lr_width": job.width,
        **figures,
        "runs": runs,
        "peak_memory_mib": _rounded(timing.peak_memory_mib, 3),
        "first_ms": _rounded(timing.first_ms, 4),
        "warm_up_runs": timing.warm_up_runs,
        "warm_up_flat": {None: "none", True: "yes", False: "no"}[timing.flat],
        "weights_mib": round(timing.weights_mib, 3),
        "input_mib": round(timing.input_mib, 3),
        "note": "; ".join(timing.remarks),
        "status": timing.failure or "measured",
        "threads": job.threads,
        "allocator": job.allocator,
        "cudnn_benchmark": "yes" if job.cudnn_benchmark else "no",
    }


def paper(timing: Timed) -> dict[str, str | None]:
    """Table 2's figures for this network, at its scale and size only; printed as "M", read as MiB."""
    for row in read_table("table2.csv"):
        at_its_size = (timing.job.height, timing.job.width, timing.job.scale) == (180, 320, int(row["scale"]))
        if at_its_size and network_key(row["method"]) == network_key(timing.job.name):
            return {"paper_time_ms": row["avg_time_ms"], "paper_memory_m": row["gpu_memory_m"]}
    return {"paper_time_ms": None, "paper_memory_m": None}


def _provenance(device: torch.device) -> dict[str, Any]:
    described, installed = machine(device), versions()
    return {
        "hardware": hardware_name(device),
        "driver": described.get("driver"),
        "clock_mhz": clock_mhz(device),
        "torch": installed["torch"],
        "cuda": described.get("cuda"),
        "python": installed["python"],
        "date": datetime.date.today().isoformat(),
        "commit": commit(),
    }


def _groups(timings: Sequence[Timed]) -> dict[tuple[str, str], list[int]]:
    """Indices of the measured jobs that may be ranked among each other: by implementation and dtype."""
    groups: dict[tuple[str, str], list[int]] = {}
    for i, timing in enumerate(timings):
        if timing.failure is None:
            groups.setdefault((timing.job.implementation, timing.job.dtype), []).append(i)
    return groups


def _places(timings: Sequence[Timed]) -> dict[int, str]:
    """The place of each job in its group: '2', or '2-3' where intervals overlap and the order is open."""
    named = {}
    for members in _groups(timings).values():
        spreads = [timings[i].spread() for i in members]
        open_places = places([(s.ci_low_ms, s.ci_high_ms) for s in spreads])
        for i, (best, worst) in zip(members, open_places, strict=True):
            named[i] = str(best) if best == worst else f"{best}-{worst}"
    return named


def show(table: Sequence[dict[str, Any]], timings: Sequence[Timed], protocol: str) -> None:
    """Print the rows and what must be said about them."""
    header = ["model", "implementation", "dtype", "median [ms]", "95 % interval", "p10", "p90", "place", "x eager"]
    header += ["peak [MiB]", "weights", "input", "paper [ms]", "paper [M]"]
    if protocol == "ntire":
        header[3:3] = ["mean [ms]", "first image"]
    cells = []
    for row in table:
        interval = f"{_ms(row['ci_low_ms'])} .. {_ms(row['ci_high_ms'])}" if row["runs"] else "-"
        figures = [_ms(row["median_ms"]), interval, _ms(row["p10_ms"]), _ms(row["p90_ms"])]
        figures += [row["place"] or "-", _ms(row["speed_up"])]
        if protocol == "ntire":
            figures[:0] = [_ms(row["mean_ms"]), _ms(row["first_ms"])]
        memory = [_ms(row["peak_memory_mib"]), f"{row['weights_mib']:.2f}", f"{row['input_mib']:.2f}"]
        paper = [row["paper_time_ms"] or "-", row["paper_memory_m"] or "-"]
        cells.append(
            [f"{row['model']} x{row['scale']}", row["implementation"], row["dtype"], *figures, *memory, *paper]
        )
    first = table[0]
    title = f"Time and memory of one forward pass, LR {first['lr_width']}x{first['lr_height']}, {first['hardware']}"
    console.print_table(
        title,
        header,
        cells,
        [
            *(f"{timing.job}: {remark}." for timing in timings for remark in timing.remarks),
            *(remarks(table, timings) if protocol == "ours" else ()),
            *method(first, protocol),
            _PAPER,
        ],
        text_columns=3,
    )


def remarks(table: Sequence[dict[str, Any]], timings: Sequence[Timed]) -> list[str]:
    """Limits of the figures: open ranks, and warm-ups that did not end flat."""
    told = []
    for (implementation, dtype), members in _groups(timings).items():
        ordered = sorted(members, key=lambda i: table[i]["median_ms"])
        for a, b in itertools.pairwise(ordered):
            if table[b]["ci_low_ms"] <= table[a]["ci_high_ms"]:
                pair = f"{table[a]['model']} and {table[b]['model']}"
                told.append(f"Not ranked: {pair} ({implementation}, {dtype}); their intervals overlap.")
    told += [
        f"Not warm: {timing.job} was still changing after "
        f"{counted(timing.warm_up_runs, 'pass', 'passes')}; its figures are not steady."
        for timing in timings
        if timing.flat is False and timing.failure is None
    ]
    return told


def method(row: dict[str, Any], protocol: str) -> list[str]:
    """How the figures were made, in a few lines."""
    runs = f"{counted(row['runs'], 'pass', 'passes')} each on a photograph"
    if protocol == "ntire":
        return [
            f"Protocol ntire: {runs}, one network after another, no warm-up; its figure is the mean, the first "
            "image included.",
            "Ours differs: it warms up until the time is flat, lets the networks take turns, and reports median and "
            "interval. Nothing is ranked here: the networks were not timed side by side.",
        ]
    memory = "torch.cuda.max_memory_allocated" if row["device"] == "cuda" else "peak resident growth of the process"
    return [
        f"{runs}, in turns of up to 5, each network in a process of its own, after a warm-up until the time is flat "
        "(three windows of 5 passes within 3 %, or no further apart than their noise explains). The interval is a "
        "bootstrap of the median that draws whole turns.",
        f"Between passes, {ALLOCATORS[row['allocator']]}.",
        f"Peak memory: {memory}, weights and input included; of another runtime than PyTorch, all that the process "
        "took since it opened the network.",
    ]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)
