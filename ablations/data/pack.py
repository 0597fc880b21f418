"""Training sets packed once: decoded pixels in two flat files that are mapped into memory.

<cache>/packs/<sets>-x4-<content>/hr.bin      uint8, image after image, row by row, RGB interleaved
                                  lr.bin      the same of LR
                                  index.json  names and sizes, written last: with it, the pack is complete
<cache>/seen/<files>.json                     which pack belongs to files of these paths, sizes and times

A pack is keyed by the content of its files, so two copies of a folder share one. Looking for it reads names, sizes and
modification times only; where one of these has changed, the files are read and hashed, and packed again only if their
content is new. A change that keeps size and time is noticed by `prepare --verify` alone, which always hashes.

A pack is a cache: one that is damaged (pack_check.py) or of another version is packed anew, and a line says so.
"""

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from safmn_bench.ablations.data.layouts import ImageFiles
from safmn_bench.ablations.data.pack_check import CHECKED_BYTES, DamagedPack, bytes_digest, require_undamaged
from safmn_bench.ablations.data.pack_writer import NoRoom, Places, locked, places_of, write_pack
from safmn_bench.ablations.data.training_sets import TrainingSet
from safmn_bench.models.errors import UserError
from safmn_bench.models.keeping import cache_folder
from safmn_bench.profiling.common.console import Report
from safmn_bench.profiling.common.devices import usable_cores
from safmn_bench.profiling.common.layout import say
from safmn_bench.profiling.common.sealed import Damaged, read_sealed, recalled, write_sealed

INDEX = "index.json"


@dataclass(eq=False)
class PackedSet:
    """A pack: all pixels of one or more training sets at one scale."""

    folder: Path
    scale: int
    names: list[str]
    """<set>/<file> of each image."""
    hr: np.ndarray
    """uint8, flat: image after image, row by row, RGB interleaved; mapped, private to this process."""
    lr: np.ndarray
    hr_offset: np.ndarray
    """int64: where each image begins in `hr`, in bytes."""
    lr_offset: np.ndarray
    lr_height: np.ndarray
    """int64, pixels; HR is `scale` times as high and wide."""
    lr_width: np.ndarray
    digests: list[str]
    """images.pixel_digest of each whole HR image."""
    packed_digests: list[list[str]]
    """pack_check.bytes_digest of each image's HR and LR in the pack."""
    sets: list[dict[str, Any]]
    """Name, number of images, origin of LR and note of each set."""
    treatments: dict[str, str]
    """Images that were not plain 8-bit RGB: name -> what was done."""

    @classmethod
    def open(cls, folder: Path) -> "PackedSet":
        """Map a complete pack. Raises UserError where it is none, DamagedPack where it is not as it was written."""
        path = folder / INDEX
        if not path.exists():
            raise UserError(
                f"{folder} is no complete pack: it has no {INDEX}. Run `prepare` again; it goes on from there."
            )
        try:
            index = read_sealed(path)
        except (OSError, Damaged) as error:
            raise DamagedPack(f"{path} is damaged, or of another version ({error})") from error
        places = Places(index["scale"], *(np.array(index[k], dtype=np.int64) for k in ("lr_height", "lr_width")))
        return cls(
            folder=folder,
            scale=places.scale,
            names=index["names"],
            hr=_mapped(folder / "hr.bin", places.hr_bytes),
            lr=_mapped(folder / "lr.bin", places.lr_bytes),
            hr_offset=places.hr_offset,
            lr_offset=places.lr_offset,
            lr_height=places.lr_height,
            lr_width=places.lr_width,
            digests=index["digests"],
            packed_digests=index["packed_digests"],
            sets=index["sets"],
            treatments=index["treatments"],
        )

    def __len__(self) -> int:
        return len(self.names)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process maps the same files: the pixels are shared, not copied."""
        return PackedSet.open, (self.folder,)

    def image(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        """LR uint8 (3, h, w) and HR uint8 (3, scale h, scale w) of one image, copied out of the pack."""
        height, width = int(self.lr_height[i]), int(self.lr_width[i])
        lr = _cut(self.lr, int(self.lr_offset[i]), height, width)
        return lr, _cut(self.hr, int(self.hr_offset[i]), height * self.scale, width * self.scale)

    def holds(self, i: int) -> bool:
        """Whether an image's pixels are those that were packed."""
        parts = ((self.lr, self.lr_offset, 1), (self.hr, self.hr_offset, self.scale**2))
        lr, hr = (flat[at[i] : at[i] + 3 * self.lr_height[i] * self.lr_width[i] * n] for flat, at, n in parts)
        return [bytes_digest(hr), bytes_digest(lr)] == self.packed_digests[i]

    def describe(self) -> dict[str, Any]:
        """For a run's configuration and record: the same for the same content, wherever it lies."""
        content = self.folder.name.rsplit("-", 1)[-1]
        return {"sets": self.sets, "images": len(self), "scale": self.scale, "content": content}


def pack(
    sets: Sequence[TrainingSet],
    scale: int,
    cache: Path | None = None,
    workers: int | None = None,
    progress: Report = lambda *_: None,
    *,
    verify: bool = False,
) -> PackedSet:
    """The pack of these sets: opened where it is there, finished where it was begun, else made.

    `cache`: see pack_keys.cache_folder; `workers`: threads, None for one per core; `verify` reads and hashes all files
    to see whether they changed. Raises UserError naming the first file that cannot be used.
    """
    folder = pack_folder(sets, scale, cache_folder(cache), progress, verify=verify)
    check = partial(require_undamaged, most_bytes=None if verify else CHECKED_BYTES, progress=progress)
    packed, _ = _usable(folder, check)
    if packed is not None:
        return packed
    with locked(folder):
        packed, damage = _usable(folder, check)  # looked at again: another process may have just finished it
        if packed is not None:
            return packed
        if damage:
            say(f"note: {damage}", sys.stderr)
            _empty(folder)
        begun = any(folder.iterdir())
        _make(folder, sets, scale, workers, progress)
        if begun and _usable(folder, partial(require_undamaged, most_bytes=None))[1]:  # what was there is no use
            _empty(folder)
            _make(folder, sets, scale, workers, progress)
    return PackedSet.open(folder)


def find_pack(sets: Sequence[TrainingSet], scale: int, cache: Path | None = None) -> PackedSet | None:
    """The complete, undamaged pack of these sets if there is one, by a look at names, sizes and times."""
    folder = seen_folder(sets, scale, cache_folder(cache))
    return _usable(folder, require_undamaged)[0] if folder is not None else None


def _usable(folder: Path, check: Callable[[PackedSet], None]) -> tuple[PackedSet | None, str]:
    """A complete pack that passes the check, or None and what is wrong with it, if it is there."""
    if not (folder / INDEX).exists():
        return None, ""
    try:
        packed = PackedSet.open(folder)
        check(packed)
    except DamagedPack as damage:
        return None, str(damage)
    return packed, ""


def _empty(folder: Path) -> None:
    """Take away what is there; processes that have it mapped keep what they see."""
    try:
        shutil.rmtree(folder)
        folder.mkdir()
    except OSError as error:
        raise UserError(f"Cannot replace {folder}: {error.strerror}. Delete it, or choose another --cache.") from error


def _make(folder: Path, sets: Sequence[TrainingSet], scale: int, workers: int | None, progress: Report) -> None:
    named = list(named_items(sets))
    try:
        places = places_of([item for _, item in named], scale)
        facts = write_pack(folder, [item for _, item in named], places, workers, progress)
    except NoRoom:
        raise
    except UserError:  # a bad image: once it is mended, its content has another key, and nothing here is of use
        shutil.rmtree(folder)
        raise
    index = {
        "version": VERSION,
        "scale": scale,
        "sets": [_described(training_set) for training_set in sets],
        "treatments": {name: f["treatment"] for (name, _), f in zip(named, facts, strict=True) if f["treatment"]},
        "names": [name for name, _ in named],
        "lr_height": places.lr_height.tolist(),
        "lr_width": places.lr_width.tolist(),
        "digests": [f["digest"] for f in facts],
        "packed_digests": [f["packed"] for f in facts],
    }
    write_sealed(folder / INDEX, index)
    (folder / "journal.jsonl").unlink()


def _described(training_set: TrainingSet) -> dict[str, Any]:
    lr = "given" if training_set.lr_given else "MATLAB-style bicubic of HR"
    return {"name": training_set.name, "images": len(training_set.items), "lr": lr, "note": training_set.note}


def _mapped(path: Path, size: int) -> np.ndarray:
    """A flat uint8 view of a file; writes to it would stay in this process. Raises DamagedPack for a wrong size."""
    if not path.exists() or path.stat().st_size != size:
        raise DamagedPack(f"{path} is damaged: it should hold {size} bytes")
    return np.memmap(path, dtype=np.uint8, mode="c")


def _cut(flat: np.ndarray, offset: int, height: int, width: int) -> torch.Tensor:
    pixels = np.array(flat[offset : offset + 3 * height * width]).reshape(height, width, 3)
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


VERSION = 1  # of the pack's format and of how pixels are made; a new one packs anew


def pack_folder(
    sets: Sequence[TrainingSet], scale: int, cache: Path, progress: Report, *, verify: bool = False
) -> Path:
    """Where the pack of these files is, or is to be; hashes the files only where they look new, or to `verify`."""
    if not verify and (known := seen_folder(sets, scale, cache)) is not None:
        return known
    # cut, so that many sets' names stay far below the 255 bytes that a folder's name may have
    label = re.sub(r"[^A-Za-z0-9]+", "_", "_".join(training_set.name for training_set in sets))[:48]
    name = f"{label}-x{scale}-{_content(sets, scale, progress)[:20]}"
    write_sealed(
        _seen(sets, scale, cache), {"pack": name, "sets": [str(training_set.folder.resolve()) for training_set in sets]}
    )
    return cache / "packs" / name


def seen_folder(sets: Sequence[TrainingSet], scale: int, cache: Path) -> Path | None:
    """Where the pack of files that look like these is, or is being made; None where none was ever begun."""
    name = recalled(_seen(sets, scale, cache), lambda note: str(note["pack"]))
    return cache / "packs" / name if name is not None else None


def named_items(sets: Sequence[TrainingSet]) -> Iterator[tuple[str, ImageFiles]]:
    """All images of all sets in order, named <set>/<file>."""
    for training_set in sets:
        for item in training_set.items:
            yield f"{training_set.name}/{item.hr.name}", item


def _seen(sets: Sequence[TrainingSet], scale: int, cache: Path) -> Path:
    """The note on which pack belongs to files of these paths, sizes and modification times."""
    digest = hashlib.sha256(f"{VERSION} {scale}".encode())
    for name, item in named_items(sets):
        for path in filter(None, (item.hr, item.lr)):
            stat = _stat(path)
            digest.update(os.fsencode(f"\n{name} {path.resolve()} {stat.st_size} {stat.st_mtime_ns}"))
    return cache / "seen" / f"{digest.hexdigest()}.json"


def _stat(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Put the file back, or take its link out.") from error


def _content(sets: Sequence[TrainingSet], scale: int, progress: Report) -> str:
    """A key of names and bytes."""
    items = list(named_items(sets))
    digest = hashlib.sha256(f"{VERSION} {scale}".encode())
    with ThreadPoolExecutor(usable_cores()) as pool:
        hashed = pool.map(lambda named: [_hashed(path) for path in (named[1].hr, named[1].lr)], items)
        for done, ((name, _), hashes) in enumerate(zip(items, hashed, strict=True), start=1):
            digest.update(os.fsencode(f"\n{name} {hashes}"))
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
