"""FILE.csv.json beside FILE.csv: how a measurement was made, where the columns of the CSV are a contract without it.

Paths in the command are shortened to their last part: results travel, and folders of one machine say nothing.
"""

import datetime
import hashlib
import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from safmn_bench.profiling.common.files import write_json
from safmn_bench.profiling.common.machine import commit, machine, versions
from safmn_bench.profiling.common.places import is_stream


def sidecar_of(csv: Path) -> Path:
    """Where the provenance of a CSV stands."""
    return csv.with_name(f"{csv.name}.json")


def write_sidecar(
    csv: Path,
    script: str,
    options: Sequence[str],
    device: str,
    files: Mapping[str, Path | Mapping[str, str]],
    **more: str,
) -> None:
    """Write it for a CSV that is written by `script`, such as ablations/evaluate.py, with these options.

    `files`: what else decided its numbers, such as weights, by what it is; of a file that is gone, what a sidecar of
    before says of it. `more`: what is to be told in words, such as the form of a network. Beside a device or FIFO
    nothing is written.
    """
    if is_stream(csv):
        return
    provenance: dict[str, Any] = {
        "csv": csv.name,
        "csv_sha256": sha256(csv),
        "command": shlex.join(["python", script, *map(shortened, options)]),
        "files": {what: _identified(file) if isinstance(file, Path) else file for what, file in files.items()},
        **more,
        "machine": machine(torch.device(device)),
        "versions": versions(),
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
    write_json(sidecar_of(csv), provenance)


def _identified(file: Path) -> dict[str, str]:
    return {"name": file.name, "sha256": sha256(file)}


def files_of(csv: Path) -> dict[str, dict[str, str]]:
    """What the sidecar of just this content says of `files`; nothing where there is no such sidecar."""
    if not is_of(csv):
        return {}
    return json.loads(sidecar_of(csv).read_text(encoding="utf-8")).get("files", {})


def is_of(csv: Path) -> bool:
    """Whether there is a sidecar of just this content."""
    try:
        return json.loads(sidecar_of(csv).read_text(encoding="utf-8"))["csv_sha256"] == sha256(csv)
    except (OSError, ValueError, KeyError):
        return False


def sha256(path: Path) -> str:
    """Of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def shortened(argument: str) -> str:
    """A path's last part; everything else as it is."""
    return argument.rstrip("/").rpartition("/")[2] if "/" in argument else argument
