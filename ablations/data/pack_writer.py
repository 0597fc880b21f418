"""Writing a pack: decode, crop, make or read LR, and put each image at its place, on all cores, resumably.

Where an image goes is known from the headers before anything is decoded. So workers write in any order, a killed pack
goes on where it was, and the bytes are the same in the end. Which images are done stands in a journal, a line being
added only after their pixels are on the disk. Memory: a few images per worker, whatever the size of the set.

Workers are threads: decoding, hashing, resizing and writing all run outside Python's lock.
"""

import contextlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from safmn_bench.ablations.data.layouts import ImageFiles, require_sizes_match
from safmn_bench.ablations.data.pack_check import bytes_digest
from safmn_bench.ablations.data.pair_check import check_pair
from safmn_bench.ablations.data.treatments import treatment_of
from safmn_bench.models.errors import UserError
from safmn_bench.models.resize import lr_from_hr
from safmn_bench.profiling.common.console import Report
from safmn_bench.profiling.common.devices import usable_cores
from safmn_bench.profiling.common.images import pixel_digest, read_image
from safmn_bench.profiling.common.locks import waited_for

_FLUSH_S = 2.0  # seconds between journal lines: what a kill loses at most
_WORKER_BYTES_PER_PIXEL = 40  # of HR: decoded, cropped, interleaved, and one channel in float64 while LR is made
_WORKERS_BYTES = 2**30  # memory that all workers together may take


class NoRoom(UserError):
    """A pack that cannot be written, through no fault of its images: what is done stays done."""


@dataclass(frozen=True)
class Places:
    """Where each image goes: int64 arrays over images, offsets in bytes."""

    scale: int
    lr_height: np.ndarray
    lr_width: np.ndarray

    @property
    def lr_offset(self) -> np.ndarray:
        """Of each image in lr.bin."""
        sizes = 3 * self.lr_height * self.lr_width
        return np.cumsum(sizes) - sizes

    @property
    def hr_offset(self) -> np.ndarray:
        """Of each image in hr.bin."""
        return self.lr_offset * self.scale**2

    @property
    def lr_bytes(self) -> int:
        """Size of lr.bin."""
        return int((3 * self.lr_height * self.lr_width).sum())

    @property
    def hr_bytes(self) -> int:
        """Size of hr.bin."""
        return self.lr_bytes * self.scale**2


def places_of(items: Sequence[ImageFiles], scale: int) -> Places:
    """Read all headers. Raises UserError for the first file that cannot be used."""
    with ThreadPoolExecutor(usable_cores()) as pool:
        sizes = list(pool.map(lambda item: require_sizes_match(item, scale), items))
    for item, size in zip(items, sizes, strict=True):
        if min(size) < 1:
            raise UserError(f"{item.hr} is smaller than one LR pixel at scale {scale}. Take it out of the set.")
    height, width = np.array(sizes, dtype=np.int64).T
    return Places(scale, height, width)


def write_pack(
    folder: Path, items: Sequence[ImageFiles], places: Places, workers: int | None, progress: Report
) -> list[dict[str, Any]]:
    """Write hr.bin and lr.bin; returns what the journal holds of each image, in order: `digest`, `treatment`,
    `packed`.

    Raises UserError naming the first image, in order, that cannot be packed, or NoRoom.
    """
    with _data_files(folder, places) as (hr_file, lr_file), _Journal(folder, (hr_file, lr_file)) as journal:
        todo = [i for i in range(len(items)) if i not in journal.done]
        offsets = places.hr_offset, places.lr_offset

        def work(i: int) -> tuple[int, dict[str, Any]]:
            size = int(places.lr_height[i]), int(places.lr_width[i])
            hr, lr, facts = decoded(items[i], places.scale, size, items)
            _write_all(hr_file, hr, int(offsets[0][i]))
            _write_all(lr_file, lr, int(offsets[1][i]))
            return i, facts

        with _single_threaded_torch(), ThreadPoolExecutor(workers or default_workers(places)) as pool:
            # in order: the first bad image is named, whichever thread is done first
            for i, facts in pool.map(work, todo):
                journal.add(i, facts)
                progress("packing", len(journal.done), len(items))
        journal.flush()
        return [journal.done[i] for i in range(len(items))]


def decoded(
    item: ImageFiles, scale: int, lr_size: tuple[int, int], others: Sequence[ImageFiles] = ()
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """HR and LR of an image, uint8 (H, W, 3), and what is remembered of it. Raises UserError naming a bad file.

    `others`: see check_pair.
    """
    image = read_image(item.hr)
    height, width = lr_size
    hr = image.rgb[:, : height * scale, : width * scale]
    lr = read_image(item.lr).rgb if item.lr is not None else _lr_by_channel(hr, scale)
    check_pair(item, hr, lr, scale, others)
    packed = _interleaved(hr), _interleaved(lr)
    facts = {"digest": pixel_digest(image.rgb), "treatment": treatment_of(image)}
    return *packed, {**facts, "packed": [*map(bytes_digest, packed)]}


def _lr_by_channel(hr: torch.Tensor, scale: int) -> torch.Tensor:
    """`lr_from_hr`, one channel at a time, in a third of the memory."""
    return torch.stack([lr_from_hr(channel, scale) for channel in hr])


def default_workers(places: Places) -> int:
    """A thread per core, fewer where images are so large that all together would take over a gigabyte."""
    largest = int((places.lr_height * places.lr_width).max()) * places.scale**2
    return max(1, min(usable_cores(), _WORKERS_BYTES // (_WORKER_BYTES_PER_PIXEL * largest)))


def _interleaved(rgb: torch.Tensor) -> np.ndarray:
    return rgb.permute(1, 2, 0).contiguous().numpy()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Make a pack's folder and hold it for this process alone; another one waits. Raises UserError if not writable."""
    lock = folder.parent.with_name("locks") / folder.name
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot write {lock}: {error.strerror}. Choose another folder with --cache.") from error
    with waited_for(lock):
        folder.mkdir(parents=True, exist_ok=True)
        yield


@contextlib.contextmanager
def _data_files(folder: Path, places: Places) -> Iterator[tuple[int, int]]:
    """Descriptors of hr.bin and lr.bin at their full sizes. Raises UserError where the disk has no room for them."""
    paths = {folder / "hr.bin": places.hr_bytes, folder / "lr.bin": places.lr_bytes}
    # not st_size, since the files are sparse at first; st_blocks counts 512 bytes on every disk
    there = sum(path.stat().st_blocks * 512 for path in paths if path.exists())
    needed, free = sum(paths.values()) - there, shutil.disk_usage(folder).free
    if needed > free:
        raise NoRoom(
            f"The pack needs {needed / 1e9:.2f} GB more in {folder}, and {free / 1e9:.2f} GB are free. Choose a larger "
            "disk with --cache, or delete packs that are not needed."
        )
    descriptors = []
    try:
        for path, size in paths.items():
            descriptors.append(os.open(path, os.O_RDWR | os.O_CREAT, 0o666))
            os.truncate(descriptors[-1], size)  # whole from the start: threads write images in any order
        yield descriptors[0], descriptors[1]
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _write_all(file: int, array: np.ndarray, offset: int) -> None:
    view = array.reshape(-1).data
    try:
        while view:
            written = os.pwrite(file, view, offset)
            view, offset = view[written:], offset + written
    except OSError as error:
        raise NoRoom(
            f"Cannot write the pack: {error.strerror}. Make room or choose another disk with --cache, and start the "
            "same command again: it goes on where it was."
        ) from error


class _Journal:
    """The images that are done: a line each, written only after their pixels are on the disk."""

    def __init__(self, folder: Path, data_files: Sequence[int]) -> None:
        self.path = folder / "journal.jsonl"
        self.data_files = data_files
        self.done: dict[int, dict[str, Any]] = {}
        self.waiting: list[str] = []
        self.flushed = time.monotonic()

    def __enter__(self) -> "_Journal":
        self.handle = self.path.open("a+b")
        self.handle.seek(0)
        content = self.handle.read()
        whole = content[: content.rfind(b"\n") + 1]
        for line in whole.splitlines():
            with contextlib.suppress(ValueError, TypeError, LookupError):  # of another version: made again
                facts = json.loads(line)
                self.done[facts["image"]] = {key: facts[key] for key in ("digest", "treatment", "packed")}
        self.handle.truncate(len(whole))  # a line cut short by a kill does not count
        return self

    def __exit__(self, *_: object) -> None:
        self.flush()
        self.handle.close()

    def add(self, image: int, facts: dict[str, Any]) -> None:
        """Remember an image; it is written down with the others every few seconds."""
        self.done[image] = facts
        self.waiting.append(json.dumps({"image": image, **facts}) + "\n")
        if time.monotonic() - self.flushed > _FLUSH_S:
            self.flush()

    def flush(self) -> None:
        """Pixels to the disk first, then the lines that vouch for them."""
        for file in self.data_files:
            os.fsync(file)
        self.handle.write("".join(self.waiting).encode())
        self.handle.flush()
        os.fsync(self.handle.fileno())
        self.waiting.clear()
        self.flushed = time.monotonic()


@contextlib.contextmanager
def _single_threaded_torch() -> Iterator[None]:
    """Workers are as many as cores already; torch must not start as many threads again in each."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
