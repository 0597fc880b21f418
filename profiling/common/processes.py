"""Whether a process lives that a file names, and where its number means something; a call in a process of its own."""

import contextlib
import multiprocessing
import os
import socket
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import TypeVar

Result = TypeVar("Result")


def in_child(function: Callable[..., Result], *arguments: object) -> Result:
    """`function(*arguments)` in a process that ends with it, and with it what it took, such as a GPU's context.

    Raises what the function raises, and BrokenProcessPool where the process was killed.
    """
    context = multiprocessing.get_context("forkserver")  # not a fork of this process: CUDA does not survive that
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def alive(pid: int) -> bool:
    """Whether a process of this number runs here; one that has ended unnoticed by its parent does not."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return not _zombie(pid)


def _zombie(pid: int) -> bool:
    return _state(pid) == "Z"


def suspended(pid: int) -> bool:
    """Whether a process of this machine is stopped (SIGSTOP, Ctrl-Z): it does nothing until SIGCONT, or SIGKILL."""
    return _state(pid) == "T"


def _state(pid: int) -> str:
    """The kernel's letter for what a process does; empty where that is not told."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()[0]
    except (OSError, IndexError):
        return ""


def host() -> str:
    """Where process numbers mean the same: name/boot/process namespace. Containers may share a name, not the rest."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(parts)
