"""Self times of all operators of a forward pass, by torch.profiler, each attributed to the module that called it.

Every module's forward is a named range in the profile. An operator's self time excludes the operators that it calls,
so the times add up without counting anything twice; what the outer clock shows beyond their sum is the remainder
(the interpreter, the profiler, giving memory back, and on a GPU the gaps between kernels).
"""

import contextlib
import os
import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from safmn_bench.profiling.common.files import write_atomically
from safmn_bench.profiling.timing.clock import time_ms, warm_up
from safmn_bench.profiling.tracing.operation_names import COPIES, NORM, is_norm, operation_name

_MODULE, _FORWARD = "module:", "forward pass"


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One row of Table 5, per forward pass: how often it is called, and its own time in microseconds (median)."""

    name: str
    calls: int
    self_time_us: float


@dataclass(frozen=True, kw_only=True)
class Trace:
    """All operations of a forward pass, and the clock around it in microseconds, with and without the profiler."""

    operations: list[Operation]
    outer_us: float
    unprofiled_us: float

    @property
    def remainder_us(self) -> float:
        """Time of the outer clock beyond the sum of the operators' own times."""
        return self.outer_us - sum(operation.self_time_us for operation in self.operations)


def trace(network: nn.Module, lr: torch.Tensor, passes: int, chrome: Path | None = None) -> Trace:
    """Profile `passes` forward passes of `network` on `lr` (1, 3, H, W); `chrome` gets a trace of them for Perfetto."""
    device = lr.device
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # its remarks on itself would go between the results
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if device.type == "cuda" else [])]

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            return network(lr)

    warm_up(lambda: time_ms(forward, device), seconds=30)
    # before the hooks are there, which take time themselves
    unprofiled = statistics.median(time_ms(forward, device) for _ in range(passes))
    outer_ms = []
    with module_ranges(network):
        time_ms(forward, device)
        with profile(activities=activities, acc_events=True) as profiler:
            for _ in range(passes):
                with record_function(_FORWARD):
                    outer_ms.append(time_ms(forward, device))
    if chrome is not None:
        _write_trace(profiler, chrome)
    operations = _operations(profiler.events() or [], dict(network.named_modules()), device.type == "cuda")
    return Trace(operations=operations, outer_us=1e3 * statistics.median(outer_ms), unprofiled_us=1e3 * unprofiled)


@contextlib.contextmanager
def module_ranges(network: nn.Module) -> Iterator[None]:
    """Within it, each module's forward is a range 'module:<path>' of the profiler."""
    with contextlib.ExitStack() as hooks:
        for path, module in network.named_modules():
            ranges: list[record_function] = []
            hooks.callback(module.register_forward_pre_hook(_opening(path, ranges)).remove)
            hooks.callback(module.register_forward_hook(_closing(ranges), always_call=True).remove)
        yield


def _opening(path: str, ranges: list[record_function]) -> Callable[..., None]:
    def enter(*_: object) -> None:
        ranges.append(record_function(_MODULE + path))
        ranges[-1].__enter__()

    return enter


def _closing(ranges: list[record_function]) -> Callable[..., None]:
    def leave(*_: object) -> None:
        ranges.pop().__exit__(None, None, None)

    return leave


def _operations(events: list[Any], modules: dict[str, nn.Module], on_gpu: bool) -> list[Operation]:
    """Sum self times by operation in each pass, and take the median over the passes; longest first."""
    times: dict[int, Counter[str]] = defaultdict(Counter)
    calls: dict[int, Counter[str]] = defaultdict(Counter)
    for event in events:
        if event.device_type.name != "CPU":
            continue
        operators, path, forward = _position(event)
        if path is None or forward is None:
            continue
        if not operators:  # the range of a module; a norm is called once, however many operators it is written in
            calls[forward][NORM] += is_norm(modules[path])
            continue
        name = operation_name(modules, path, tuple(operators))
        times[forward][name] += event.self_device_time_total if on_gpu else event.self_cpu_time_total
        if name != NORM:
            calls[forward][name] += operators[-1] == "copy_" if name == COPIES else len(operators) == 1
    names = {name for counter in times.values() for name in counter}
    rows = [
        Operation(
            name=name,
            calls=int(statistics.median(calls[i][name] for i in times)),
            self_time_us=float(statistics.median(times[i][name] for i in times)),
        )
        for name in names
    ]
    return sorted(rows, key=lambda row: -row.self_time_us)


def _position(event: Any) -> tuple[list[str], str | None, int | None]:
    """The chain of operators from the module's call down to `event`, the module's path, and the id of the pass."""
    operators: list[str] = []
    path: str | None = None
    current = event
    while current is not None:
        if current.name == _FORWARD:
            return operators, path, current.id
        if current.name.startswith(_MODULE):
            path = current.name.removeprefix(_MODULE) if path is None else path
        elif path is None:
            operators.insert(0, current.name.removeprefix("aten::"))
        current = current.cpu_parent
    return operators, path, None


def _write_trace(profiler: Any, path: Path) -> None:
    """A Chrome trace, for chrome://tracing and ui.perfetto.dev; gzipped where the name ends in .gz."""
    with TemporaryDirectory() as folder:
        whole = Path(folder) / path.name
        profiler.export_chrome_trace(str(whole))
        write_atomically(path, lambda handle: handle.write(whole.read_bytes()))
