"""Where packs are kept, and which files a pack stands for.

A pack is keyed by the content of its files, so two copies of a folder share one. Looking for it reads names, sizes and
modification times only; where one of these has changed, the files are read and hashed, and packed again only if their
content is new. A change that keeps size and time is noticed by `prepare --verify` alone, which always hashes.
"""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from safmn_bench.ablations.layouts import ImageFiles
from safmn_bench.ablations.training_sets import TrainingSet
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.files import write_json

VERSION = 1  # of the pack's format and of how pixels are made; a new one packs anew
Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many images are done, and of how many."""


def cache_folder(given: Path | None = None) -> Path:
    """The cache: `given`, else $SAFMN_BENCH_CACHE, else safmn-bench in the user's cache folder (XDG)."""
    if given is not None:
        return given
    if named := os.environ.get("SAFMN_BENCH_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "safmn-bench"


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pack_folder(
    sets: Sequence[TrainingSet], scale: int, cache: Path, progress: Progress, *, verify: bool = False
) -> Path:
    """Where the pack of these files is, or is to be; hashes the files only where they look new, or to `verify`."""
    if not verify and (known := seen_folder(sets, scale, cache)) is not None:
        return known
    label = re.sub(r"[^A-Za-z0-9]+", "_", "_".join(one.name for one in sets))[:48]
    name = f"{label}-x{scale}-{_content(sets, scale, progress)[:20]}"
    write_json(_seen(sets, scale, cache), {"pack": name, "sets": [str(one.folder.resolve()) for one in sets]})
    return cache / "packs" / name


def seen_folder(sets: Sequence[TrainingSet], scale: int, cache: Path) -> Path | None:
    """Where the pack of files that look like these is, or is being made; None where none was ever begun."""
    seen = _seen(sets, scale, cache)
    return cache / "packs" / json.loads(seen.read_text(encoding="utf-8"))["pack"] if seen.exists() else None


def named_items(sets: Sequence[TrainingSet]) -> Iterator[tuple[str, ImageFiles]]:
    """All images of all sets in order, named <set>/<file>."""
    for one in sets:
        for item in one.items:
            yield f"{one.name}/{item.hr.name}", item


def _seen(sets: Sequence[TrainingSet], scale: int, cache: Path) -> Path:
    """The note on which pack belongs to files of these paths, sizes and modification times."""
    digest = hashlib.sha256(f"{VERSION} {scale}".encode())
    for name, item in named_items(sets):
        for path in filter(None, (item.hr, item.lr)):
            stat = _stat(path)
            digest.update(f"\n{name} {path.resolve()} {stat.st_size} {stat.st_mtime_ns}".encode())
    return cache / "seen" / f"{digest.hexdigest()}.json"


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Put the file back, or take its link out.") from error


def _content(sets: Sequence[TrainingSet], scale: int, progress: Progress) -> str:
    """A key of names and bytes."""
    items = list(named_items(sets))
    digest = hashlib.sha256(f"{VERSION} {scale}".encode())
    with ThreadPoolExecutor(usable_cores()) as pool:
        hashed = pool.map(lambda named: [_hashed(path) for path in (named[1].hr, named[1].lr)], items)
        for done, ((name, _), hashes) in enumerate(zip(items, hashed, strict=True), start=1):
            digest.update(f"\n{name} {hashes}".encode())
            progress("looking for changes", done, len(items))
    return digest.hexdigest()


def _hashed(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        with path.open("rb") as handle:
            return hashlib.file_digest(handle, "blake2b").hexdigest()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Allow reading it, or take it out.") from error
