"""One part after the other, each in processes of its own and within its limit; then the archive of what they left."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from safmn_bench.ablations.card.archive import pack
from safmn_bench.ablations.card.options import CardOptions
from safmn_bench.ablations.card.parts import Part, measuring_parts, sweep
from safmn_bench.ablations.card.sharing import sharing_parts, write_sharing
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.devices import choose_device
from safmn_bench.profiling.common.door import INTERRUPTED
from safmn_bench.profiling.common.files import write_json, write_text
from safmn_bench.profiling.common.machine import commit, machine, versions

GRACE_S = 20.0  # for a part that is told to stop, to save
PACKING_S = 15.0  # kept for the archive
SWEEP_S = 30.0  # below which no sweep is begun: its runs would only start
ROOT = Path(__file__).resolve().parents[2]


def run_parts(options: CardOptions) -> int:
    """Run every part that is not done yet, then pack; 1 if a part failed. Raises UserError where there is no GPU."""
    device = device_of(options)
    out = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + 60 * options.minutes - PACKING_S
    done = _read(out / "parts.json")
    status = 0
    try:
        for part in parts_of(options, out, deadline):
            if done.get(part.name, {}).get("status") != "done":
                done[part.name] = _noted(part, out, deadline)
                write_json(out / "parts.json", done)
    except KeyboardInterrupt:
        print("interrupted: the same command goes on with what is left", file=sys.stderr)
        status = INTERRUPTED
    write_json(out / "parts.json", done)
    write_sharing(out)
    describe(out, device)
    print(f"Archive: {pack(out)}. On the machine of the repository: make gpu-results ARCHIVE=FILE")
    return status or int(any(told["status"].startswith("failed") for told in done.values()))


def parts_of(options: CardOptions, out: Path, deadline: float) -> Iterator[Part]:
    """All parts; the sweep is planned when the others have been run, by the time that they left."""
    yield from measuring_parts(options, out)
    yield from sharing_parts(options, out)
    left = deadline - time.monotonic()
    if left > SWEEP_S:
        yield sweep(options, out, left)


def device_of(options: CardOptions) -> torch.device:
    """The GPU, or the CPU of a dry run. Raises UserError where there is none."""
    if options.dry_run:
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise UserError("No GPU is visible here, and this measures one: --dry-run goes through all parts on a CPU.")
    device = choose_device(options.device)
    if device.type != "cuda":
        raise UserError(f"--device {options.device} is no GPU. Allowed: cuda or cuda:N; --dry-run takes the CPU.")
    return device


def _noted(part: Part, out: Path, deadline: float) -> dict[str, Any]:
    """Run it, within its limit and the deadline; what parts.json says of it."""
    seconds = min(part.limit_s, deadline - time.monotonic())
    if seconds <= 0:
        return {"status": "not begun: the time was over", "command": list(part.command)}
    print(f"{part.name}: up to {seconds:.0f} s ...", flush=True)
    started = time.monotonic()
    status = run_part(part, out / f"{part.name}.log", seconds)
    spent = time.monotonic() - started
    print(f"{part.name}: {status}, {spent:.0f} s", flush=True)
    return {"status": status, "seconds": round(spent, 1), "command": list(part.command)}


def run_part(part: Part, log: Path, seconds: float) -> str:
    """Run a command with its output appended to `log`: "done", "failed: ..." or "stopped after ... s"."""
    with log.open("ab") as handle:
        process = subprocess.Popen(
            part.command, stdout=handle, stderr=subprocess.STDOUT, cwd=ROOT, start_new_session=True
        )
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            _end(process)
            again = "; the same command goes on with it" if part.resumable else ""
            return f"stopped after {seconds:.0f} s{again}"
        except BaseException:
            _end(process)
            raise
    return "done" if code == 0 else f"failed: exit status {code}, see {log.name}"


def _end(process: subprocess.Popen[bytes]) -> None:
    """Tell a command to stop, and after a while it and all that it started to go."""
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=GRACE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def describe(out: Path, device: torch.device) -> None:
    """card.json (machine, versions, commit) and what nvidia-smi says."""
    write_json(out / "card.json", {"machine": machine(device), "versions": versions(), "commit": commit()})
    if device.type == "cuda":
        with contextlib.suppress(OSError, subprocess.SubprocessError):
            told = subprocess.run(["nvidia-smi", "-q"], capture_output=True, text=True, timeout=20, check=False)
            write_text(out / "nvidia-smi.txt", told.stdout + told.stderr)


def _read(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError):
        content = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(content, dict):
            return content
    return {}
