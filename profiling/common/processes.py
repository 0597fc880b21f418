"""Whether a process lives that a file names, and where its number means something."""

import contextlib
import os
import socket
from pathlib import Path


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
