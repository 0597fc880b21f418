"""How published sets lie in folders: which folders and files are HR, which are LR, by their names.

- HR folders: `HR`, `GT`, `GTmod12`, `original`, `<set>_HR` (`DIV2K_train_HR`);
- LR folders: `LR`, `lq`, `LR_x4`, `LRbicx4`, `LR_bicubic/X4`, `<set>_LR_bicubic/X4`, `<set>_LR_unknown/X4`;
- files of one folder: `001_HR.png` and `001_LR4.png` (RealSR), `img_001_SRF_4_HR.png` and `img_001_SRF_4_LR.png`
  (Urban100), `baby.png` and `babyx4.png`.

A file's mark says what it is only beside its partner; which LR belongs to which HR is pairs.py's.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.images import image_size

_HR_FOLDER = re.compile(r"(?:(?P<set>.*)[_\-. ])?(?:HR|GT|HQ|original)(?:[_-]?mod\d+)?(?:_sub)?", re.IGNORECASE)
_LR_FOLDER = re.compile(
    r"(?:(?P<set>.*)[_\-. ])?(?:LR|LQ)(?:bicubic|bicub|bic|BI|BD|DN)?(?:[_-](?!x\d)[a-z]+)*"
    r"(?:[_-]?x?(?P<scale>[2-9]))?(?:_sub)?",
    re.IGNORECASE,
)
_SCALE_FOLDER = re.compile(r"x?(?P<scale>[2-9])(?:_sub)?", re.IGNORECASE)
_HR_FILE = re.compile(r"(?P<name>.+?)(?:_SRF_(?P<scale>[2-9]))?[_-](?:HR|GT|HQ)", re.IGNORECASE)
_LR_FILE = re.compile(r"(?P<name>.+?)(?:_SRF_(?P<srf>[2-9]))?[_-](?:LR|LQ)[_-]?(?:x?(?P<scale>[2-9]))?", re.IGNORECASE)
_LR_SUFFIX = re.compile(r"(?P<name>.+?)_?x(?P<scale>[2-9])", re.IGNORECASE)


@dataclass(frozen=True)
class ImageFiles:
    """One image of a set: its name (the HR file's, without suffix or mark), its HR file, and its LR file if given."""

    name: str
    hr: Path
    lr: Path | None = None
    lr_is_bicubic: bool = True
    """Whether a given LR file must be MATLAB-style bicubic of its HR (pair_check.py)."""


@dataclass(frozen=True)
class Mark:
    """The mark in a file's name: `name` without the mark; `scale` where the mark holds one."""

    name: str
    scale: int | None
    suffix: bool = False
    """Whether it is only `x4`, which images of another kind may end with too."""


def hr_mark(stem: str) -> Mark | None:
    """The mark of an HR file that lies beside its LR, or None."""
    return _mark(_HR_FILE, stem)


def lr_mark(stem: str) -> Mark | None:
    """The mark of an LR file, or None: `_LR4`, `_SRF_4_LR`, `x4`."""
    return _mark(_LR_FILE, stem) or _mark(_LR_SUFFIX, stem, suffix=True)


def _mark(pattern: re.Pattern[str], stem: str, *, suffix: bool = False) -> Mark | None:
    match = pattern.fullmatch(stem)
    if match is None:
        return None
    parts = match.groupdict()
    scale = parts.get("scale") or parts.get("srf")
    return Mark(parts["name"], int(scale) if scale else None, suffix)


def hr_set(folder: Path) -> str | None:
    """Of which set a folder holds the HR images ("" where it is only called HR); None where it is not called so."""
    match = _HR_FOLDER.fullmatch(folder.name)
    return (match["set"] or "") if match else None


def lr_set(folder: Path) -> str | None:
    """Of which set a folder holds the LR images, or None where its name says nothing of LR."""
    match = _LR_FOLDER.fullmatch(folder.name)
    return (match["set"] or "") if match else None


def lr_scale(folder: Path) -> int | None:
    """The scale in the name of an LR folder (`LR_x4`), or None."""
    match = _LR_FOLDER.fullmatch(folder.name) or _SCALE_FOLDER.fullmatch(folder.name)
    return int(match["scale"]) if match and match["scale"] else None


def is_lr_folder(folder: Path) -> bool:
    """Whether a folder's name says that it holds LR images, or the folder above says so of its scales."""
    return lr_set(folder) is not None or (
        _SCALE_FOLDER.fullmatch(folder.name) is not None and lr_set(folder.parent) is not None
    )


def set_name(hr_folder: Path) -> str:
    """A set is named after its folder, or the folder above where that is only called HR (or Urban100's image_SRF_4)."""
    folder = hr_folder.resolve()
    return folder.parent.name if hr_set(folder) == "" or _named_by_scale(folder) else folder.name


def _named_by_scale(folder: Path) -> bool:
    return re.fullmatch(r"image_SRF_[2-9]", folder.name, re.IGNORECASE) is not None


def subfolders(folder: Path) -> list[Path]:
    """Visible folders directly in `folder`, sorted. Raises UserError where it is no readable folder."""
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    except OSError as error:
        raise UserError(f"Cannot read folder {folder}: {error.strerror}. Give a folder of images.") from error


def require_sizes_match(files: ImageFiles, scale: int) -> tuple[int, int]:
    """LR height and width, from the files' headers. Raises UserError where a given LR is not HR / scale."""
    height, width = image_size(files.hr)
    expected = (height // scale, width // scale)
    if files.lr is not None and (actual := image_size(files.lr)) != expected:
        raise UserError(
            f"{files.lr} is {actual[1]}x{actual[0]} pixels, but scale {scale} of {files.hr} ({width}x{height}) is "
            f"{expected[1]}x{expected[0]}. {_why(actual, expected, (height, width))}Put the right LR file there, or "
            "have LR made from HR: --lr made."
        )
    return expected


def _why(actual: tuple[int, int], expected: tuple[int, int], hr: tuple[int, int]) -> str:
    """The likely cause of an LR file's wrong size, where that can be seen."""
    if actual == hr:
        return "It is as large as HR (RealSR enlarges its LR files so): shrink it, or take it away. "
    if actual == expected[::-1]:
        return "Its sides are exchanged: one of the two is turned by its EXIF orientation, the other is not. "
    if max(abs(a - b) for a, b in zip(actual, expected, strict=True)) == 1:
        return "It is one pixel off: HR was not cropped to a multiple of the scale before it was made. "
    return ""
