"""Which LR file belongs to which HR file: LR that the user has is read, or refused with its folder, never replaced.

In this order: what `--lr` names; LR beside HR in one folder, by the files' marks; an LR folder beside or inside the
HR folder, by its name (layouts.py). Where there is none, LR is made from HR. What looks like LR and cannot be paired
is refused, and so is a folder of LR images alone.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safmn_bench.ablations.data.layouts import (
    ImageFiles,
    hr_mark,
    hr_set,
    is_lr_folder,
    lr_mark,
    lr_scale,
    lr_set,
    subfolders,
)
from safmn_bench.ablations.data.lr_choice import AS_IT_LIES, LRChoice
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.images import SUFFIXES, image_size, list_images

MADE = "LR made from HR by MATLAB-style bicubic"
_MANY = 64  # folders beside an HR folder beyond which none is looked into for LR images under another name
_ASK = (
    "Say which: --lr DIR reads LR from a folder (--lr-pattern '{name}_LR{scale}' where its files are called "
    "otherwise), --lr made makes it from HR."
)


@dataclass(frozen=True)
class Paired:
    """The images of an HR folder, each with its LR file where LR is given."""

    items: tuple[ImageFiles, ...]
    lr: Path | None
    """The folder that LR is read from; None where it is made."""

    @property
    def origin(self) -> str:
        """Where LR comes from, in words."""
        if self.lr is None:
            return MADE
        return f"LR read from {self.lr.parent.name}/{self.lr.name}{'' if self.items[0].lr_is_bicubic else _OTHER}"


_OTHER = ", which is not bicubic of HR"


def pair(hr_folder: Path, scale: int, choice: LRChoice = AS_IT_LIES) -> Paired:
    """The images of an HR folder and their LR.

    Raises UserError: no image, two files of one name, HR without LR or the reverse, LR that cannot be told.
    """
    files = list_images(hr_folder)
    if not files:
        raise UserError(f"No image in {hr_folder}. Allowed: {', '.join(SUFFIXES)}. Give a folder that holds some.")
    within = _within(files, scale, choice)
    if choice.made:
        hr = {name: path for name, (path, _) in within.items()} or _by_name(files)
        return Paired(tuple(ImageFiles(name, path) for name, path in hr.items()), None)
    if within and all(lr for _, lr in within.values()):
        return _paired(within, hr_folder, choice)
    _require_hr(hr_folder, files, within)
    by_name = {name: path for name, (path, _) in within.items()} if within else _by_name(files)
    folder = _given(hr_folder, by_name, scale, choice) if choice.folders else _beside(hr_folder, by_name, scale, choice)
    if folder is None:
        _require_no_other(hr_folder, by_name, scale, choice)
        return Paired(tuple(ImageFiles(name, path) for name, path in by_name.items()), None)
    lr = _partners(by_name, folder, scale, choice)
    _require_partners(by_name, lr, hr_folder, folder, scale)
    return _paired({name: (path, lr[name]) for name, path in by_name.items()}, folder, choice)


def require_used(choice: LRChoice, sets: Iterable[Sequence[ImageFiles]], scale: int) -> None:
    """Raise UserError where an --lr folder belongs to none of the sets, training sets and benchmarks together."""
    items = [item for images in sets for item in images]
    used = {item.lr.parent for item in items if item.lr}
    for given in choice.folders:
        if _at_scale(given, scale) not in used:
            lr = list_images(_at_scale(given, scale))
            holds = f"files such as {lr[0].name}" if lr else "no images"
            raise UserError(
                f"--lr {given} belongs to none of the sets: it holds {holds}, HR is called {items[0].hr.name}. Give "
                "the folder whose files are called as HR is, or say how they are: --lr-pattern '{name}_LR{scale}'."
            )


def _paired(named: dict[str, tuple[Path, Path | None]], folder: Path, choice: LRChoice) -> Paired:
    items = [ImageFiles(name, hr, lr, choice.is_bicubic) for name, (hr, lr) in named.items()]
    return Paired(tuple(items), folder)


def _within(files: Sequence[Path], scale: int, choice: LRChoice) -> dict[str, tuple[Path, Path | None]]:
    """Name -> HR and LR of one folder that holds both, told by the files' marks; empty where it does not.

    LR of other scales is passed over: where there is none of this one, LR is None throughout. Raises UserError where
    some files are pairs and others are not.
    """
    hr_marks = {path: hr_mark(path.stem) for path in files}
    names = {path: mark.name if (mark := hr_marks[path]) else path.stem for path in files}
    owners = {name: path for path, name in names.items()} | {path.stem: path for path in files}
    claims = {path: owner for path in files if not hr_marks[path] and (owner := _owner(path, owners, scale, choice))}
    if not claims:
        return {}
    lr = {names[owner]: path for path, (owner, at) in claims.items() if at in (None, scale)}
    pairs: dict[str, tuple[Path, Path | None]] = {}
    for path, name in names.items():
        mark = hr_marks[path]
        if path in claims or (mark and mark.scale not in (None, scale)):
            continue
        if name in pairs:
            raise _two_of_one_name(pairs[name][0], path)
        pairs[name] = (path, lr.get(name))
    if lr and (alone := [path for path, partner in pairs.values() if partner is None]):
        hr, partner = next(both for both in pairs.values() if both[1])
        raise UserError(
            f"{alone[0].parent} holds pairs by name, such as {hr.name} and {partner.name if partner else ''}, but "
            f"{alone[0].name} has no LR partner at scale {scale}. Add it, or take that file out."
        )
    return pairs


def _owner(path: Path, owners: dict[str, Path], scale: int, choice: LRChoice) -> tuple[Path, int | None] | None:
    """The HR file in the same folder that an LR file belongs to by its name, and the scale that the name says."""
    if choice.pattern is not None:
        owner = next((owners[name] for name in owners if choice.stem(name, scale) == path.stem), None)
        return (owner, scale) if owner and owner != path else None
    mark = lr_mark(path.stem)
    owner = owners.get(mark.name) if mark else None
    if mark is None or owner is None or owner == path:
        return None
    if mark.suffix and image_size(path) != tuple(side // (mark.scale or 1) for side in image_size(owner)):
        return None  # `ax2.png` may well be an image of its own beside `a.png`
    return owner, mark.scale


def _require_hr(folder: Path, files: Sequence[Path], within: object) -> None:
    """Raise UserError for a folder that holds LR images alone, by its name or its files'."""
    all_marked = all(lr_mark(path.stem) and not hr_mark(path.stem) for path in files)
    if is_lr_folder(folder) or (all_marked and not within):
        why = "its name" if is_lr_folder(folder) else f"its files' names, such as {files[0].name}"
        raise UserError(
            f"{folder} holds LR images by {why}, and no HR beside them: as HR they would be scored or trained on at "
            "another size. Give the folder of HR images; where these are HR, say so: --lr made."
        )


def _given(hr_folder: Path, by_name: dict[str, Path], scale: int, choice: LRChoice) -> Path | None:
    """The nearest --lr folder with a partner for some of the names."""
    for folder in choice.folders:
        if not folder.is_dir():
            raise UserError(f"--lr {folder} is no folder. Give a folder of LR images, or `made` to make them from HR.")
    fits = [at for folder in choice.folders if _partners(by_name, at := _at_scale(folder, scale), scale, choice)]

    def near(folder: Path) -> int:
        return len(Path(os.path.commonpath([folder.resolve(), hr_folder.resolve()])).parts)

    nearest = [folder for folder in fits if near(folder) == max(map(near, fits))]
    if len(nearest) > 1:
        raise UserError(
            f"--lr {nearest[0]} and {nearest[1]} both hold files called as those of {hr_folder}, and are as near to "
            "it. Put each LR folder beside its HR folder."
        )
    return nearest[0] if nearest else None


def _beside(hr_folder: Path, by_name: dict[str, Path], scale: int, choice: LRChoice) -> Path | None:
    """The LR folder beside or inside the HR folder. Raises UserError where there are several, or it does not pair."""
    own = hr_set(hr_folder)
    beside = []
    for folder in _around(hr_folder):
        of = lr_set(folder)
        if of is None or of not in ({own} if own is not None else {"", hr_folder.name}):
            continue
        at = _at_scale(folder, scale)
        if not list_images(at) or lr_scale(at) not in (None, scale):
            continue
        partners = _partners(by_name, at, scale, choice)
        if not partners and own is None:
            continue
        if not partners:
            raise UserError(
                f"{at} lies beside {hr_folder}, but no file in it is called as an HR file, such as "
                f"{next(iter(by_name.values())).name}. {_ASK}"
            )
        if lr_scale(at) == scale or _scale_of(by_name, partners) in (None, scale):
            beside.append(at)
    bicubic = [folder for folder in beside if "bic" in f"{folder.parent.name}/{folder.name}".lower()]
    beside = bicubic if len(bicubic) == 1 else beside
    if len(beside) > 1:
        raise UserError(f"{hr_folder} has two LR folders beside it, {beside[0]} and {beside[1]}. {_ASK}")
    return beside[0] if beside else None


def _require_no_other(hr_folder: Path, by_name: dict[str, Path], scale: int, choice: LRChoice) -> None:
    """Raise UserError where a folder beside HR holds the same names at the size of LR, whatever it is called."""
    around = [folder for folder in _around(hr_folder) if lr_set(folder) is None and hr_set(folder) is None]
    for folder in around if len(around) <= _MANY and not choice.folders else ():
        partners = _partners(by_name, folder, scale, choice)
        if len(partners) == len(by_name) and _scale_of(by_name, partners) == scale:
            raise UserError(
                f"{folder} holds images called as those of {hr_folder}, {scale} times smaller: they look like its LR. "
                f"Say --lr {folder} to read them, or --lr made to have LR made from HR."
            )


def _around(hr_folder: Path) -> list[Path]:
    """Folders beside it, then those in it."""
    resolved = hr_folder.resolve()
    try:
        beside = [folder for folder in subfolders(hr_folder.parent) if folder.resolve() != resolved]
    except UserError:  # the folder above may not be readable; this one is
        beside = []
    return beside + subfolders(hr_folder)


def _at_scale(folder: Path, scale: int) -> Path:
    """The folder of one scale in an LR folder (`X4`), or itself."""
    inside = [child for child in subfolders(folder) if lr_scale(child) == scale] if folder.is_dir() else []
    return inside[0] if inside and not list_images(folder) else folder


def _scale_of(by_name: dict[str, Path], partners: dict[str, Path]) -> int | None:
    """How many times larger HR is, by the first pair's headers; None where it is no whole number above 1."""
    name, lr = next(iter(partners.items()))
    (height, width), (lr_height, lr_width) = image_size(by_name[name]), image_size(lr)
    for scale in range(2, 9):
        if (height // scale, width // scale) == (lr_height, lr_width):
            return scale
    return None


def _partners(by_name: dict[str, Path], folder: Path, scale: int, choice: LRChoice) -> dict[str, Path]:
    """Name -> LR file in `folder`, of the names that have one there."""
    lr = _by_name(list_images(folder))
    partners = {}
    for name, path in by_name.items():
        mark = hr_mark(path.stem)
        bare = mark.name if mark else name
        for wanted in dict.fromkeys(choice.stems(name, bare, scale)):
            if wanted in lr:
                partners[name] = lr[wanted]
                break
    return partners


def _by_name(paths: Sequence[Path]) -> dict[str, Path]:
    """Name without suffix -> file. Raises UserError where two files share a name."""
    named: dict[str, Path] = {}
    for path in paths:
        if (other := named.setdefault(path.stem, path)) is not path:
            raise _two_of_one_name(other, path)
    return named


def _two_of_one_name(first: Path, other: Path) -> UserError:
    return UserError(
        f"{first.parent} holds {first.name} and {other.name}: one name for two images. Rename or remove one."
    )


def _require_partners(by_name: dict[str, Path], lr: dict[str, Path], hr_folder: Path, folder: Path, scale: int) -> None:
    """Raise UserError where an HR file has no LR partner, or an LR file of this scale no HR partner."""
    files = [path for path in list_images(folder) if (m := lr_mark(path.stem)) is None or m.scale in (None, scale)]
    counts = f"{hr_folder} has {len(by_name)} images and {folder} has {len(files)}"
    for name, path in by_name.items():
        if name not in lr:
            raise UserError(f"{counts}: {path.name} has no LR partner. Add it, or have all LR made from HR: --lr made.")
    used = set(lr.values())
    for path in files:
        if path not in used:
            raise UserError(f"{counts}: {path.name} has no HR partner. Add that HR file or remove this LR file.")
