"""JSON that vouches for itself: its key `sha256` is the digest of all else in it, so that a flipped digit is noticed.

Records of runs are sealed, and everything in the cache. What is in the cache can be made again: whatever cannot be
read there, is damaged, or is of another version, is as if it were not there (`recalled`).
"""

import hashlib
import json
import stat
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from safmn_bench.models.errors import UserError, printable
from safmn_bench.profiling.common.files import write_json
from safmn_bench.profiling.common.layout import say

SEAL = "sha256"
_told: set[str] = set()
T = TypeVar("T")


class Damaged(ValueError):
    """Content that is not as it was written; the text says what was noticed, as the end of a sentence."""


def write_sealed(path: Path, values: Mapping[str, Any]) -> None:
    """Write a JSON object atomically, with its digest. Raises UserError where it cannot be written."""
    write_json(path, {**values, SEAL: _digest(json.loads(json.dumps(values)))})


def read_sealed(path: Path, *, required: bool = True) -> dict[str, Any]:
    """The object given to `write_sealed`, as JSON has it; one without a digest serves unless that is `required`.

    Raises Damaged, or OSError.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise Damaged("it is no regular file")  # a FIFO would be waited for
    try:
        values = json.loads(path.read_text(encoding="utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Damaged(str(error)) from error
    if not isinstance(values, dict):
        raise Damaged(f"it holds a {type(values).__name__}")
    seal = values.pop(SEAL, None)
    if seal is None and required:
        raise Damaged("it has no digest")
    if seal is not None and seal != _digest(values):
        raise Damaged(
            f"it was changed after it was written, or is damaged: its key `{SEAL}` is not the digest of the rest. Take "
            "that key out if the change is yours"
        )
    return values


def read_result(path: Path, advice: str) -> dict[str, Any]:
    """`read_sealed` of what cost work, and is not made again unasked. Raises UserError with the reason and advice."""
    try:
        return read_sealed(path, required=False)
    except (OSError, Damaged) as error:
        raise UserError(f"{path} cannot be read ({printable(str(error))[:200]}). {advice}") from error


def recalled(path: Path, read: Callable[[dict[str, Any]], T]) -> T | None:
    """The content remembered at `path`, through `read`; None where nothing is, or nothing that serves."""
    try:
        return read(read_sealed(path))
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None


def remember(path: Path, values: Mapping[str, Any]) -> None:
    """Keep something in the cache. Where that cannot be, a line on stderr says so, once: it is only made again."""
    try:
        write_sealed(path, values)
    except UserError as error:
        if not _told:
            say(f"note: nothing is remembered, and all is computed again next time. {error}", sys.stderr)
        _told.add(str(path))


def _refuse(constant: str) -> None:
    raise Damaged(f"{constant} is no number")


def _digest(values: Mapping[str, Any]) -> str:
    """Of JSON's values, whatever the order of their keys; a float is what it reads back as."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
