"""Where a file is written: what its path stands for, the temporary file beside it, and what killed writes left there.

A temporary file names its process. Once that is gone, or after a day where it was on another machine, the file is
nobody's and is removed by the next process that writes into the folder.
"""

import contextlib
import errno
import functools
import hashlib
import os
import re
import stat
import sys
import time
import uuid
from collections.abc import Iterable
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.models.keeping import cache_folder
from safmn_bench.profiling.common.processes import alive, host

ABANDONED_S = 24 * 3600.0  # of another machine's process, of which it cannot be told from here whether it lives
_OURS = re.compile(r"\..*\.([0-9a-f]{8})-(\d+)-[0-9a-f]{8}\.tmp")
NAME_BYTES = 255  # of a file's name, on every usual file system
_KEPT_BYTES = 120  # of the target's name in a temporary one


def is_stream(path: Path) -> bool:
    """Whether a path is written to rather than replaced: a device, a FIFO, a socket, /dev/stdout whatever it is."""
    try:
        kind = path.stat().st_mode
    except (OSError, ValueError):
        return False
    if stat.S_ISDIR(kind):
        return False
    folder = os.path.realpath(path.parent)
    return not stat.S_ISREG(kind) or folder == "/dev" or folder.startswith("/proc/")


def target_of(path: Path) -> Path:
    """The file that is replaced: where a symbolic link points, so that the link stays."""
    return Path(os.path.realpath(path)) if path.is_symlink() else path


def temporary_beside(path: Path) -> Path:
    """A new name in the folder of `path`, which is made where it is missing, and cleared of what killed writes left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_abandoned(path.parent)
    name = os.fsdecode(os.fsencode(path.name)[:_KEPT_BYTES])
    return path.with_name(f".{name}.{_here()}-{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")


@functools.cache
def remove_abandoned(folder: Path) -> None:
    """Remove the temporary files in `folder` whose process is gone; once per process and folder."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if (match := _OURS.fullmatch(entry.name)) and _abandoned(entry, match[1], int(match[2])):
                with contextlib.suppress(OSError):
                    Path(entry.path).unlink()


def _abandoned(entry: os.DirEntry[str], machine: str, pid: int) -> bool:
    if machine == _here():
        return not alive(pid)
    return time.time() - entry.stat(follow_symlinks=False).st_mtime > ABANDONED_S


@functools.cache
def _here() -> str:
    return hashlib.blake2b(host().encode(), digest_size=4).hexdigest()


def write_to_stream(path: Path, content: bytes) -> None:
    """Write to what is no file, after what was printed so far. Raises OSError."""
    if sys.stdout is not None:
        sys.stdout.flush()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND), "wb") as handle:
        handle.write(content)


def require_writable(path: Path | None, option: str = "--csv") -> None:
    """Refuse, before any work, a file that could not be written after it."""
    if path is None or is_stream(path):
        return
    _require_names(path)
    path = target_of(path)
    if path.is_dir():
        raise UserError(f"Cannot write {path}: it is a folder. Choose another place with {option}.")
    _require_place(path, path.absolute().parents, option)


def require_writable_folder(path: Path, option: str) -> None:
    """Refuse, before any work, a folder that could not be made or written into after it."""
    _require_names(path)
    if path.exists() and not path.is_dir():
        raise UserError(f"Cannot write into {path}: it is no folder. Choose another place with {option}.")
    _require_place(path, (path.absolute(), *path.absolute().parents), option)


def require_writable_either(path: Path, option: str) -> None:
    """Refuse, before any work, a folder that is there, or a file, that could not be written after it."""
    _require_names(path)
    (require_writable_folder if path.is_dir() else require_writable)(path, option)


def _require_names(path: Path) -> None:
    longest = max((len(os.fsencode(part)) for part in path.parts), default=0)
    if longest > NAME_BYTES:
        raise UserError(f"Cannot write {path.name[:40]}...: a name of {longest} bytes is too long. Shorten it.")


def _require_place(path: Path, folders: Iterable[Path], option: str) -> None:
    nearest = next(folder for folder in folders if folder.exists())
    if not nearest.is_dir() or not os.access(nearest, os.W_OK):
        raise UserError(f"Cannot write {path}: {nearest} cannot be written to. Choose another place with {option}.")


def cannot_write(path: Path, error: OSError) -> UserError:
    """The user's words for a write that failed."""
    reason = error.strerror or str(error)
    if path.is_relative_to(cache_folder()):
        return UserError(
            f"Cannot write {path}: {reason}. It is in the cache: set SAFMN_BENCH_CACHE to a folder that you may write "
            "to and that has room."
        )
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return UserError(f"Cannot write {path}: {reason}. Make room there, then start the same command again.")
    return UserError(f"Cannot write {path}: {reason}. Choose a folder that you may write to and that has room.")


def sync_folder(folder: Path) -> None:
    """Make a rename in it durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
