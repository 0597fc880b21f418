"""The steps from the plain SAFMN to the fast one, each on top of those before it, predicted and then measured.

A prediction is the best that a step could bring: the operators that it changes then take the time that their new work
needs at the machine's ceilings (matrix product, copy), measured in the same run; the others stay as they were.
"""

import copy
import datetime
import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from safmn_bench.models.blocks import LayerNorm2d
from safmn_bench.models.fast import FAST_FORMS
from safmn_bench.models.safmn import FMM, SAFM
from safmn_bench.profiling.common import console
from safmn_bench.profiling.common.machine import commit, hardware_name, versions
from safmn_bench.profiling.timing.clock import Spread, spread, time_ms, warm_up
from safmn_bench.profiling.timing.forms import build_in_form
from safmn_bench.profiling.tracing.operation_names import COPIES, NORM, PRODUCT_AND_SUM
from safmn_bench.profiling.tracing.profiler import Trace, trace
from safmn_bench.profiling.tracing.roofline import Ceilings, measure_ceilings
from safmn_bench.profiling.tracing.traffic import Work, work

RUNS_PER_TURN = 2
_PYRAMID = ("Channel Splitting", "Adaptive MaxPool", "Nearest Interpolation", COPIES)
_RESIDUAL = ("Element-wise Product", "Element-wise Addition", PRODUCT_AND_SUM)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step: the classes that get their fast form, and whether torch.compile follows; `changes` names its rows."""

    name: str
    exchanged: tuple[type[nn.Module], ...] = ()
    channels_last: bool = True
    compiled: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    kept: str = "yes"
    changes: Callable[[str], bool]

    def apply(self, network: nn.Module) -> nn.Module:
        """A copy of the plain network with this step and those before it."""
        network = copy.deepcopy(network)
        for module in network.modules():
            if type(module) in self.exchanged:
                module.__class__ = FAST_FORMS[type(module)]
        return network.to(memory_format=torch.channels_last) if self.channels_last else network  # type: ignore[call-overload]


def _convolutions(row: str) -> bool:
    return row.startswith("conv2d")


def _pyramid(row: str) -> bool:
    return row in _PYRAMID or row in ("cat safm", "add safm") or row.startswith(("conv2d safm.aggr", "conv2d safm ("))


_FORMS = (LayerNorm2d, nn.GELU, SAFM, FMM)
STEPS = (
    Step(name="plain", channels_last=False, kept="reference", changes=lambda row: False),
    Step(name="channels-last memory", changes=_convolutions),
    Step(name="LayerNorm in one kernel", exchanged=_FORMS[:1], changes=lambda row: row == NORM),
    Step(name="GELU on contiguous pixels", exchanged=_FORMS[:2], changes=lambda row: row.startswith("gelu")),
    Step(
        name="nested pyramid, 1x1 before upsampling",
        exchanged=_FORMS[:3],
        kept="yes: it is what compilation fuses",
        changes=_pyramid,
    ),
    Step(name="product and residual in one", exchanged=_FORMS, changes=lambda row: row in _RESIDUAL),
    Step(
        name="torch.compile of it",
        exchanged=_FORMS,
        compiled=True,
        kept="on request: torch.compile(optimise(network))",
        changes=lambda row: not _convolutions(row),
    ),
    Step(
        name="torch.compile without the nested pyramid",
        exchanged=_FORMS[:2],
        compiled=True,
        kept="no: for comparison",
        changes=lambda row: not _convolutions(row),
    ),
    Step(
        name="torch.compile with frozen weights",
        exchanged=_FORMS,
        compiled=True,
        options={"freezing": True},
        kept="no: weights can no longer change",
        changes=lambda row: not _convolutions(row),
    ),
    Step(
        name="torch.compile of the plain network",
        channels_last=False,
        compiled=True,
        kept="no: for comparison",
        changes=lambda row: False,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A step with its times, and how many times faster than the step before it could be at best (None: no such)."""

    step: Step
    predicted_ratio: float | None
    times: Spread
    difference: float
    """Largest difference from the plain network's result, relative to the largest value of that."""


def measure_steps(
    steps: Sequence[Step], scale: int, height: int, width: int, device: torch.device, rounds: int
) -> list[Measured]:
    """Predict each step, then time all in interleaved rounds, in this process."""
    plain, lr = build_in_form("safmn", scale, "eager", "fp32", device, height, width)
    ceilings = measure_ceilings(device)
    predicted = _predictions(steps, plain, lr, ceilings)
    calls = [_call(step, step.apply(plain), lr) for step in steps]
    expected = calls[0]()
    differences = [float((call() - expected).abs().max() / expected.abs().max()) for call in calls]
    timers = [functools.partial(time_ms, call, device) for call in calls]
    times: list[list[list[float]]] = [[] for _ in steps]
    with console.progress() as bar:
        for timer in bar.track(timers, description="Warming up"):
            warm_up(timer)
        for _ in bar.track(range(rounds), description="Rounds"):
            for timer, rounds_ms in zip(timers, times, strict=True):
                timer()  # others have used the caches
                rounds_ms.append([timer() for _ in range(RUNS_PER_TURN)])
    return [
        Measured(step=step, predicted_ratio=ratio, times=spread(rounds_ms), difference=difference)
        for step, ratio, rounds_ms, difference in zip(steps, predicted, times, differences, strict=True)
    ]


def _call(step: Step, network: nn.Module, lr: torch.Tensor) -> Callable[[], torch.Tensor]:
    call = torch.compile(network, options=step.options or None) if step.compiled else network
    lr = lr.contiguous(memory_format=torch.channels_last) if step.channels_last else lr

    def forward() -> torch.Tensor:
        with torch.no_grad():  # frozen weights are not supported in inference mode
            return call(lr)

    return forward


def _predictions(steps: Sequence[Step], plain: nn.Module, lr: torch.Tensor, ceilings: Ceilings) -> list[float | None]:
    """How many times faster each step could be than the step that it stands on, from a profile of that."""
    ratios: list[float | None] = []
    before: Trace | None = None
    for step in steps:
        network = step.apply(plain)
        data = lr.contiguous(memory_format=torch.channels_last) if step.channels_last else lr
        comparable = before is not None and not (step.compiled and not step.exchanged)
        ratios.append(best_ratio(before, work(network, data), ceilings, step) if before and comparable else None)
        if not step.compiled:
            before = trace(network, data, 3)
    return ratios


def best_ratio(before: Trace, after: Work, ceilings: Ceilings, step: Step) -> float:
    """The clock of `before` over the same with the step's rows at the ceilings' pace of their work `after`.

    Compilation can leave nothing of what it fuses but the traffic of the convolutions: such rows count as free.
    """
    spared_us = sum(row.self_time_us for row in before.operations if step.changes(row.name))
    needed_s = 0.0
    if not step.compiled:
        for row, moved in after.traffic_bytes.items():
            if step.changes(row):
                needed_s += max(after.flop.get(row, 0) / ceilings.flop_per_s, moved / ceilings.bytes_per_s)
    return before.outer_us / (before.outer_us - spared_us + 1e6 * needed_s)


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
    table = []
    for timing in measured:
        median = timing.times.median_ms
        table.append(
            {
                "step": timing.step.name,
                "median_ms": round(median, 3),
                "ci_low_ms": round(timing.times.ci_low_ms, 3),
                "ci_high_ms": round(timing.times.ci_high_ms, 3),
                "runs": timing.times.runs,
                "ratio_to_plain": round(plain / median, 3),
                "ratio_to_previous": round(previous / median, 3),
                "predicted_ratio": None if timing.predicted_ratio is None else round(timing.predicted_ratio, 3),
                "relative_difference": float(f"{timing.difference:.2e}"),
                "kept": timing.step.kept,
                **shared,
            }
        )
        if not timing.step.compiled:
            previous = median
    return table


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
    console.print_table(title, header, cells, notes)
