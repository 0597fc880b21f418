"""Why a run failed, in one line, and the record of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from safmn_bench.ablations.record import Record
from safmn_bench.ablations.runs.plan import Plan, claim, finished_record
from safmn_bench.ablations.runs.running import described
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.locks import is_held

LAST_LINES = 20  # of a failed run's output, in its record
_TAIL_BYTES = 8192  # of a log


def record_failure(plan: Plan, cause: str, lines: Sequence[str]) -> None:
    """Write the record of a failed run with the last of its lines.

    Not where it has ended already, another process has taken it over, or its folder is another configuration's.
    """
    try:
        claim(plan)
        if finished_record(plan) is not None or is_held(plan.folder.lock):
            return
        without_result(plan, status="failed", error=cause, last_lines=list(lines)[-LAST_LINES:]).write(plan.folder)
    except UserError:
        return  # the failure is reported anyway; a folder of another configuration is left alone


def without_result(plan: Plan, **known: Any) -> Record:
    """A record that says how a run ended, and holds no figures."""
    nothing: dict[str, Any] = {
        "iterations": 0, "scores": {}, "bicubic": {}, "params": 0, "flops": 0, "acts": 0, "uncounted_ops": {},
        "train_seconds": 0.0, "images_per_second": 0.0,
    }  # fmt: skip
    return Record(**described(plan), **{**nothing, **known})


def cause_of(error: Exception) -> str:
    """A failure in one line; running out of memory is called that."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, UserError):
        return text
    short = text if len(text) <= 300 else f"{text[:300]}..."
    exhausted = any(words in text for words in ("not enough memory", "can't allocate memory"))  # torch on a CPU
    if exhausted or isinstance(error, MemoryError | torch.cuda.OutOfMemoryError):
        return f"out of memory: {short}"
    return f"{type(error).__name__}: {short}"


def killed_cause(exit_code: int | None) -> str:
    """Why a process ended that did not say so itself."""
    if exit_code is not None and exit_code < 0:
        # SIGKILL, which the kernel sends for want of memory
        why = ", as the system does when memory runs out" if exit_code == -9 else ""
        return f"killed by signal {-exit_code}{why}"
    return f"ended with exit status {exit_code}"


def last_lines(path: Path) -> list[str]:
    """The last lines of a log, the empty ones left out; none where there is no log."""
    if not path.exists():
        return []
    with path.open("rb") as handle:
        handle.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = handle.read().decode("utf-8", "replace").splitlines()
    return [line for line in lines if line.strip()][-LAST_LINES:]
