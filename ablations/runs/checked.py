"""Which weights were found whole before: a sweep that is called again does not read gigabytes to skip what is done.

A file counts as the one that was checked while its size, time of change and inode are the same. What is overwritten,
cut or copied over is read again; a bit that the disk itself loses in place is noticed when the weights are loaded.
"""

import hashlib
from pathlib import Path
from typing import Any

from safmn_bench.models.keeping import cache_folder
from safmn_bench.models.stored.archives import is_whole
from safmn_bench.profiling.common.sealed import recalled, remember

_FEWEST = 100  # files that are worth a file in the cache: below, reading them takes less than a second


class CheckedWeights:
    """`is_whole` with a memory in the cache, of the weights in one --out."""

    def __init__(self, out: Path) -> None:
        name = hashlib.sha256(str(out.resolve()).encode()).hexdigest()[:16]
        self._memory = cache_folder() / "checked" / f"{name}.json"
        self._before: dict[str, Any] = recalled(self._memory, dict) or {}
        self._whole: dict[str, list[int]] = {}

    def is_whole(self, path: Path) -> bool:
        """Whether there is an undamaged archive at `path`; as before where the file is the one that was checked."""
        try:
            seen = path.stat()
        except OSError:
            return False
        key, state = str(path), [seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino]
        if self._before.get(key) != state and not is_whole(path):
            return False
        self._whole[key] = state
        return True

    def keep(self) -> None:
        """Remember what was found whole, if that is much and anything is new."""
        if len(self._whole) >= _FEWEST and self._whole != self._before:
            remember(self._memory, self._whole)
