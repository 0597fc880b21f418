"""Benchmarks: folders of images that networks are scored on, read as (LR, HR) pairs at one scale.

A benchmark folder holds `HR/` (and, in the usual naming, `LR_bicubic/X4/babyx4.png`), or images directly; the `HR`
folder itself may be given as well. It is named after the folder, or the folder above where it is called HR. HR is
cropped to a multiple of the scale from the bottom and the right, of another number by `cropped`; LR that is not given
(pairs.py) is made by MATLAB-style bicubic, and LR that is given is compared with that (pair_check.py).

Pairs are kept in memory once read, up to `CACHE_BYTES` per benchmark: validation reads them again and again. They are
not kept on disk, where reading an LR file would take as long as making it (what costs is decoding the HR file).
"""

import hashlib
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch

from safmn_bench.ablations.data.layouts import ImageFiles, hr_set, require_sizes_match, set_name, subfolders
from safmn_bench.ablations.data.lr_choice import AS_IT_LIES, LRChoice
from safmn_bench.ablations.data.pair_check import check_pair
from safmn_bench.ablations.data.pairs import MADE, Paired, pair
from safmn_bench.ablations.data.treatments import image_notes, treatment_of
from safmn_bench.ablations.image_quality import WINDOW
from safmn_bench.models.errors import UserError
from safmn_bench.models.resize import lr_from_hr
from safmn_bench.profiling.common.images import Image, image_size, list_images, pixel_digest, read_image
from safmn_bench.profiling.common.sample_images import NAME, VALIDATION, embedded_paths

CACHE_BYTES = 256 * 2**20
_LAYOUTS = "Allowed: a folder with HR/ (and LR_bicubic/X4/...), a folder of images, or the HR folder itself."


@dataclass(frozen=True)
class Pair:
    """One image of a benchmark at one scale."""

    name: str
    lr: torch.Tensor
    """uint8 (3, h, w)."""
    hr: torch.Tensor
    """uint8 (3, scale h, scale w)."""
    grey: bool
    """Whether the HR file is greyscale."""
    digest: str
    """images.pixel_digest of the whole HR image."""
    treatment: str = ""
    """How HR was made 8-bit RGB; of LR where it is not the same, too."""


@dataclass(frozen=True)
class Content:
    """The content of a benchmark, wherever it lies and however its files are stored."""

    hr: str
    """A digest of all images' names and HR pixels."""
    lr: str
    """The same of LR, made or read."""


@dataclass
class Benchmark:
    """A named list of images at one scale; `pairs()` reads them in order."""

    name: str
    scale: int
    items: Sequence[ImageFiles]
    lr_origin: str
    """Where LR comes from, in words."""
    crop_multiple: int | None = None
    """HR is cropped to a multiple of it; None: of the scale."""
    _cache: dict[str, Pair] = field(default_factory=dict, repr=False)
    _cached_bytes: int = 0
    _content: Content | None = None
    _treatments: dict[str, str] = field(default_factory=dict, repr=False)

    def __reduce__(self) -> tuple[Any, ...]:
        """Another process reads the images itself."""
        return _reopened, (self.name, self.scale, self.items, self.lr_origin, self._content, self.crop_multiple)

    def content(self) -> Content:
        """Digests of its images, all of which are read the first time. Raises UserError naming a bad file."""
        if self._content is None:
            pairs = sorted((pair.name, pair.digest, pixel_digest(pair.lr)) for pair in self.pairs())
            self._content = Content(
                hr=_digest(f"{name} {hr}" for name, hr, _ in pairs), lr=_digest(f"{name} {lr}" for name, _, lr in pairs)
            )
        return self._content

    def load(self, item: ImageFiles) -> Pair:
        """Read one image, or take it from the cache. Raises UserError naming the file that is wrong."""
        if item.name in self._cache:
            return self._cache[item.name]
        pair = read_pair(item, self.scale, self.items, self.crop_multiple)
        if pair.treatment:
            self._treatments[item.name] = pair.treatment
        size = pair.lr.numel() + pair.hr.numel()
        if self._cached_bytes + size <= CACHE_BYTES:
            self._cache[item.name] = pair
            self._cached_bytes += size
        return pair

    def notes(self) -> list[str]:
        """How its images were treated, of those read so far, and which files were passed over."""
        treatments = {f"{self.name}/{name}": self._treatments[name] for name in sorted(self._treatments)}
        folders = [path.parent for item in self.items[:1] for path in (item.hr, item.lr) if path]
        return image_notes(treatments, folders)

    def pairs(self) -> Iterator[Pair]:
        """All images in order, the next ones being decoded on other cores meanwhile."""
        workers = max(1, min(8, os.cpu_count() or 1))  # each holds a decoded pair in memory
        with ThreadPoolExecutor(workers) as pool:
            ahead: deque[Future[Pair]] = deque()
            for item in self.items:
                ahead.append(pool.submit(self.load, item))
                if len(ahead) > workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()


def _reopened(
    name: str, scale: int, items: Sequence[ImageFiles], lr_origin: str, content: Content | None, crop: int | None
) -> Benchmark:
    return Benchmark(name, scale, items, lr_origin, crop, _content=content)


def _digest(lines: Iterable[str]) -> str:
    return hashlib.blake2b(os.fsencode("\n".join(lines)), digest_size=8).hexdigest()


def open_benchmark(folder: Path, scale: int, lr: LRChoice = AS_IT_LIES) -> Benchmark:
    """The benchmark in a folder. Raises UserError for an unknown layout, missing partners, or unusable sizes."""
    [benchmark] = open_benchmarks([folder], scale, lr)
    return benchmark


def open_benchmarks(folders: Sequence[Path], scale: int, lr: LRChoice = AS_IT_LIES) -> list[Benchmark]:
    """Several at once. Raises UserError as `open_benchmark`, and where two have one name."""
    hr_folders = [_hr_folder(folder) for folder in folders]
    paired = [pair(folder, scale, lr) for folder in hr_folders]
    return told_apart(
        [_opened(hr_folder, images, scale) for hr_folder, images in zip(hr_folders, paired, strict=True)], folders
    )


def _opened(hr_folder: Path, paired: Paired, scale: int) -> Benchmark:
    return _checked(Benchmark(set_name(hr_folder), scale, paired.items, paired.origin))


def told_apart(benchmarks: list[Benchmark], folders: Sequence[Path]) -> list[Benchmark]:
    """The same. Raises UserError where two have one name."""
    seen: dict[str, Path] = {}
    for benchmark, folder in zip(benchmarks, folders, strict=True):
        if benchmark.name in seen:
            raise UserError(
                f"{seen[benchmark.name]} and {folder} are both benchmarks named {benchmark.name!r}: their scores could "
                "not be told apart. Give each folder once, and rename one where they differ."
            )
        seen[benchmark.name] = folder
    return benchmarks


def embedded_validation(scale: int) -> Benchmark:
    """The validation photographs that every installation has (embedded.py)."""
    items = [ImageFiles(path.stem, path) for path in embedded_paths(VALIDATION)]
    return Benchmark(NAME, scale, items, MADE)


def cropped(benchmark: Benchmark, multiple: int) -> Benchmark:
    """The same images, HR cropped to a multiple of `multiple` (12 serves the scales 2, 3 and 4 with one HR image).

    LR that is given for larger HR is replaced by bicubic of the cropped HR, which near the new edges is not the old LR
    cropped; LR that is not bicubic is cropped. Raises UserError for a multiple that is none of the scale, and for an
    image of which too little would be left.
    """
    if multiple < 1 or multiple % benchmark.scale:
        raise UserError(
            f"--crop-multiple {multiple} is no multiple of the scale {benchmark.scale}. The usual one is 12, which is "
            "one of 2, 3 and 4."
        )
    for item in benchmark.items:
        if min(side // multiple * multiple for side in image_size(item.hr)) < smallest_side(benchmark.scale):
            raise UserError(
                f"{item.hr} is too small: of its sides cropped to a multiple of {multiple}, scoring needs at least "
                f"{smallest_side(benchmark.scale)} pixels. Take it out of the benchmark, or crop to less."
            )
    return replace(benchmark, crop_multiple=multiple, _cache={}, _cached_bytes=0, _content=None)


def read_pair(
    item: ImageFiles, scale: int, others: Sequence[ImageFiles] = (), crop_multiple: int | None = None
) -> Pair:
    """Decode HR, crop it to a multiple of the scale (or of `crop_multiple`), and decode and check, or make, LR.

    `others`: see check_pair. Raises UserError naming the file that is wrong.
    """
    image = read_image(item.hr)
    hr = _cropped_to(image.rgb, scale)
    given = read_image(item.lr) if item.lr else None
    lr = given.rgb if given else lr_from_hr(hr, scale)
    check_pair(item, hr, lr, scale, others)
    kept = _cropped_to(image.rgb, crop_multiple or scale)
    if kept.shape != hr.shape:
        bicubic = item.lr is None or item.lr_is_bicubic
        height, width = (side // scale for side in kept.shape[1:])
        lr = lr_from_hr(kept, scale) if bicubic else lr[:, :height, :width].contiguous()
    return Pair(item.name, lr, kept, image.grey, pixel_digest(image.rgb), _treated(image, given))


def _treated(hr: Image, lr: Image | None) -> str:
    """The treatment of HR, and of a given LR where that is not the same."""
    of_hr = treatment_of(hr)
    of_lr = treatment_of(lr) if lr else of_hr
    return of_hr if of_lr == of_hr else f"{of_hr or 'plain'} (LR: {of_lr or 'plain'})"


def _cropped_to(image: torch.Tensor, multiple: int) -> torch.Tensor:
    """(3, H, W) without what is over a multiple of `multiple` at the bottom and at the right."""
    height, width = (side // multiple * multiple for side in image.shape[1:])
    return image[:, :height, :width].contiguous()


def smallest_side(scale: int) -> int:
    """HR pixels that scoring needs along each side: the SSIM window within the cropped border, whole LR pixels."""
    return -(-(WINDOW + 2 * scale) // scale) * scale


def _hr_folder(folder: Path) -> Path:
    """The folder that holds the HR images. Raises UserError where there is none."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UserError(f"Benchmark folder {folder} {what}. {_LAYOUTS}")
    below = sorted((child for child in subfolders(folder) if hr_set(child) == ""), key=lambda child: child.name != "HR")
    if below and not list_images(folder):
        if len(below) > 1 and below[0].name.upper() != "HR":
            raise UserError(f"{folder} holds {below[0].name} and {below[1].name}: give the HR folder that is meant.")
        return below[0]
    if not list_images(folder):
        raise UserError(f"Benchmark folder {folder} holds neither images nor HR/. {_LAYOUTS}")
    return folder


def _checked(benchmark: Benchmark) -> Benchmark:
    """The same, its sizes checked from the files' headers."""
    least = smallest_side(benchmark.scale)
    for item in benchmark.items:
        require_sizes_match(item, benchmark.scale)
        height, width = image_size(item.hr)
        if min(height, width) < least:
            raise UserError(
                f"{item.hr} is {width}x{height} pixels; scoring at scale {benchmark.scale} needs at least {least} on "
                "each side. Take it out of the benchmark."
            )
    return benchmark
