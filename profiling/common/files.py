"""Writing files so that a crash, a kill or a full disk never leaves half of one behind.

Every file is written under a temporary name beside its target, flushed to the disk and renamed over it: a reader
sees the old content or the new, and the old stays valid until the new is complete.
"""

import csv
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from safmn_bench.models.errors import UserError


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call `write` with a binary file that becomes `path` only when all of it is on the disk.

    Missing parent folders are made. Raises UserError when the file cannot be written (permissions, full disk);
    what stood at `path` before is then untouched.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    except OSError as error:
        raise _cannot_write(path, error) from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            write(handle)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        _sync_folder(path.parent)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise _cannot_write(path, error) from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically."""
    write_atomically(path, lambda handle: handle.write(text.encode("utf-8")))


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, indented, non-finite numbers refused (JSON has none)."""
    write_text(path, json.dumps(value, indent=2, allow_nan=False) + "\n")


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV atomically; None becomes an empty cell, a missing or unknown column is a KeyError."""
    lines = [csv_line(columns)]
    for row in rows:
        if unknown := set(row) - set(columns):
            raise KeyError(f"columns {sorted(unknown)} are not in {list(columns)}")
        lines.append(csv_line([row[column] for column in columns]))
    write_text(path, "".join(lines))


@contextmanager
def csv_as_it_comes(path: Path | None, columns: Sequence[str]) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """A function that adds a row to a CSV whose rows take long to make; None is a file that nobody asked for.

    Rows go to `path` with `.partial` at its end, each in one piece, and that becomes `path` when the block ends: what
    stood at `path` stays until all of the new is there. Where the block ends by a defect or an interrupt, the rows so
    far stay in the partial file, and a line on stderr says where; wrong input leaves nothing. Raises UserError before
    the block where nothing can be written.
    """
    if path is None:
        yield lambda row: None
        return
    partial = path.with_name(f"{path.name}.partial")
    require_writable(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = partial.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise _cannot_write(partial, error) from error
    written = 0

    def add(row: Mapping[str, Any]) -> None:
        nonlocal written
        try:
            handle.write(csv_line([row[column] for column in columns]))
            handle.flush()
        except OSError as error:
            raise _cannot_write(partial, error) from error
        written += 1

    with handle:
        handle.write(csv_line(columns))
        try:
            yield add
        except UserError:  # wrong input, told in one paragraph, leaves nothing behind
            partial.unlink(missing_ok=True)
            raise
        except BaseException:
            handle.flush()
            if written:
                print(f"{partial} keeps the rows that were done: {written}.", file=sys.stderr)
            else:
                partial.unlink(missing_ok=True)
            raise
        handle.flush()
        os.fsync(handle.fileno())
    partial.replace(path)
    _sync_folder(path.parent)


def csv_line(cells: Sequence[Any]) -> str:
    """One line of a CSV; None is an empty cell."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue()


def _cannot_write(path: Path, error: OSError) -> UserError:
    reason = error.strerror or str(error)
    return UserError(f"Cannot write {path}: {reason}. Choose a folder that you may write to and that has room.")


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _sync_folder(folder: Path) -> None:
    """Make the rename itself durable."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def require_writable(path: Path | None, option: str = "--csv") -> None:
    """Refuse, before any work, a file that could not be written after it."""
    if path is None:
        return
    nearest = next(folder for folder in path.absolute().parents if folder.exists())
    if path.is_dir() or not nearest.is_dir() or not os.access(nearest, os.W_OK):
        reason = "it is a folder" if path.is_dir() else f"{nearest} cannot be written to"
        raise UserError(f"Cannot write {path}: {reason}. Choose another place with {option}.")
