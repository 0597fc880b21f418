"""Writing files so that a crash, a kill or a full disk never leaves half of one behind.

Every file is written under a temporary name beside its target, flushed to the disk and renamed over it: a reader
sees the old content or the new, and the old stays valid until the new is complete. What is no file (a device, a FIFO)
is written to; where a symbolic link leads, that is replaced and the link stays.
"""

import csv
import io
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.places import (
    cannot_write,
    is_stream,
    require_writable,
    sync_folder,
    target_of,
    temporary_beside,
    write_to_stream,
)

_LINE = 110  # characters of an object or a list that stands on one line


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Call `write` with a binary file that becomes `path` only when all of it is on the disk.

    Missing parent folders are made. Raises UserError when the file cannot be written (permissions, full disk);
    what stood at `path` before is then untouched.
    """
    try:
        if is_stream(path):
            buffer = io.BytesIO()
            write(buffer)
            write_to_stream(path, buffer.getvalue())
            return
        _replace(target_of(path), write)
    except Exception as error:
        if (refusal := _refusal(error)) is not None:
            raise cannot_write(path, refusal) from error
        raise


def _replace(path: Path, write: Callable[[BinaryIO], object]) -> None:
    temporary = temporary_beside(path)
    try:
        with temporary.open("x+b") as handle:
            write(handle)
            handle.flush()
            os.fsync(handle.fileno())  # before the rename: else a power cut may leave the new name to nothing
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def _refusal(error: BaseException | None) -> OSError | None:
    """The system's own error: writers in C, such as torch.save's, tell of a full disk by an error of their own."""
    while error is not None and not isinstance(error, OSError):
        error = error.__cause__ or error.__context__
    return error


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; what has no place in it, of names of any bytes, as escapes such as \\udce9."""
    write_atomically(path, lambda handle: handle.write(text.encode("utf-8", "backslashreplace")))


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, indented, non-finite numbers refused (JSON has none).

    What holds no further object or list stands on one line where that has room: the scores of an image.
    """
    write_text(path, _indented(json.loads(json.dumps(value, allow_nan=False))) + "\n")


def _indented(value: Any, indent: str = "") -> str:
    """A value of JSON, as it is written behind its key at that indentation."""
    short = json.dumps(value)
    inner = list(value.values() if isinstance(value, dict) else value) if isinstance(value, dict | list) else []
    if not inner or (len(short) <= _LINE and not any(isinstance(item, dict | list) for item in inner)):
        return short
    keys = [f"{json.dumps(key)}: " for key in value] if isinstance(value, dict) else [""] * len(inner)
    deeper = indent + "  "
    lines = [f"{deeper}{key}{_indented(item, deeper)}" for key, item in zip(keys, inner, strict=True)]
    left, right = ("{", "}") if isinstance(value, dict) else ("[", "]")
    return "\n".join([left, ",\n".join(lines), indent + right])


def write_csv(path: Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV atomically; None becomes an empty cell, a missing or unknown column is a KeyError."""
    lines = [csv_line(columns)]
    for row in rows:
        if unknown := set(row) - set(columns):
            raise KeyError(f"columns {sorted(unknown)} are not in {list(columns)}")
        lines.append(csv_line([row[column] for column in columns]))
    write_text(path, "".join(lines))


Rows = Sequence[Mapping[str, Any]]


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
    require_writable(path)
    if is_stream(path):
        yield _row_by_row(path, columns)
        return
    path = target_of(path)
    partial = _partial_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = partial.open("w", encoding="utf-8", errors="backslashreplace", newline="")
    except OSError as error:
        raise cannot_write(partial, error) from error
    written = 0

    def add(row: Mapping[str, Any]) -> None:
        nonlocal written
        try:
            handle.write(csv_line([row[column] for column in columns]))
            handle.flush()
        except OSError as error:
            raise cannot_write(partial, error) from error
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
    sync_folder(path.parent)


@contextmanager
def csv_made_anew(path: Path | None, columns: Sequence[str]) -> Iterator[Callable[[Rows], None]]:
    """A function that takes all rows so far, for a table whose every row changes with each round; the last call counts.

    As in `csv_as_it_comes` they go to a partial file, which stays with a line on stderr where the block is interrupted.
    """
    if path is None:
        yield lambda rows: None
        return
    require_writable(path)
    partial = None if is_stream(path) else _partial_of(target_of(path))
    last: list[Rows] = []

    def keep(rows: Rows) -> None:
        last[:] = [rows]
        if partial is not None:
            write_csv(partial, columns, rows)

    try:
        yield keep
    except UserError:
        if partial is not None:
            partial.unlink(missing_ok=True)
        raise
    except BaseException:
        if last and partial is not None:
            print(f"{partial} keeps the rows so far: {len(last[0])}.", file=sys.stderr)
        raise
    write_csv(path, columns, last[0] if last else [])
    if partial is not None:
        partial.unlink(missing_ok=True)


def _partial_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.partial")


def _row_by_row(path: Path, columns: Sequence[str]) -> Callable[[Mapping[str, Any]], None]:
    def add(row: Mapping[str, Any]) -> None:
        write_line([row[column] for column in columns])

    def write_line(cells: Sequence[Any]) -> None:
        write_text(path, csv_line(cells))

    write_line(columns)
    return add


_FORMULA = re.compile(r"'*[=+\-@\t\r].")  # spreadsheets run what begins so
_NUMBER = re.compile(r"[+-](\d+\.?\d*|\.\d+)(e[+-]?\d+)?( ± [\d.]+)?|[+-](inf|nan)", re.I)


def csv_line(cells: Sequence[Any]) -> str:
    """One line of a CSV; None is an empty cell. Text that a spreadsheet would run gets a ' before it."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow([_plain(cell) for cell in cells])
    return buffer.getvalue()


def csv_rows(handle: TextIO) -> Iterator[dict[str, str]]:
    """The rows of a CSV as they were before `csv_line`."""
    for row in csv.DictReader(handle):
        yield {column: text[1:] if _quoted(text) else text for column, text in row.items()}


def csv_rows_of(path: Path) -> list[dict[str, str]]:
    """All rows of a CSV of this suite's; none where it is not there."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv_rows(handle))


def _plain(cell: Any) -> Any:
    runs = isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell)
    return f"'{cell}" if runs else cell


def _quoted(text: object) -> bool:
    return isinstance(text, str) and text.startswith("'") and _FORMULA.match(text) is not None
