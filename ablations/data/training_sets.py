"""Training sets: which files a `--train-data` folder stands for.

- a folder with images: those images (not those of its subfolders);
- a folder without: every set below it, to any depth, but LR folders and what is published for validation or testing
  (`*_valid_HR`, `*_test_HR`). So DIV2K's root gives DIV2K_train_HR, and a folder with DIV2K and Flickr2K in it is DF2K;
- of files called 0801 to 0900, as DIV2K's validation images and cut-outs of them are (`0801_s001`), none trains,
  whatever the folder is called. Where names of four digits go on beyond 0900 they may be another set's: they train,
  and a note says so, unless the path says DIV2K.

LR files that lie beside an HR folder are used (pairs.py), else LR is made.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from safmn_bench.ablations.data.layouts import ImageFiles, hr_set, is_lr_folder, set_name, subfolders
from safmn_bench.ablations.data.lr_choice import AS_IT_LIES, LRChoice
from safmn_bench.ablations.data.pairs import pair
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.images import SUFFIXES, list_images
from safmn_bench.profiling.common.sample_images import NAME, TRAINING, embedded_paths

_DIV2K_VALIDATION = range(801, 901)
_NUMBER = re.compile(r"(?P<number>\d+)(?:[_\-x.].*)?")  # of a file, and what a cut-out of it appends
_HELD_OUT = ("_VALID_HR", "_TEST_HR")


@dataclass(frozen=True)
class TrainingSet:
    """Named images that training draws from."""

    name: str
    folder: Path
    items: tuple[ImageFiles, ...]
    lr_given: bool
    """Whether LR files are read, rather than made from HR."""
    note: str = ""
    """Images left out, in words."""


def open_training_sets(folders: Sequence[Path], scale: int, lr: LRChoice = AS_IT_LIES) -> list[TrainingSet]:
    """The sets in those folders; none given means the embedded photographs.

    Raises UserError: no folder, no image in it, a set given twice, partners missing.
    """
    if not folders:
        return [embedded_training()]
    hr_folders = [hr_folder for folder in folders for hr_folder in _hr_folders(folder)]
    sets = [_open(hr_folder, scale, lr) for hr_folder in hr_folders]
    seen: dict[Path, TrainingSet] = {}
    for training_set in sets:
        if seen.setdefault(training_set.folder.resolve(), training_set) is not training_set:
            raise UserError(f"Training set {training_set.folder} is given twice. Give each folder once.")
    names = [training_set.name for training_set in sets]
    return [_told_apart(training_set) if names.count(training_set.name) > 1 else training_set for training_set in sets]


def embedded_training() -> TrainingSet:
    """The training photographs that every installation has (embedded.py)."""
    paths = embedded_paths(TRAINING)
    items = tuple(ImageFiles(path.stem, path) for path in paths)
    return TrainingSet(NAME, paths[0].parent, items, lr_given=False)


def _hr_folders(folder: Path) -> list[Path]:
    """All folders at or below `folder` whose images train, sorted. Raises UserError where there is none."""
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "does not exist"
        raise UserError(
            f"Training folder {folder} {what}. Give a folder of images, or of DIV2K in its published layout."
        )
    hr_folders = list(_walk(folder))
    if not hr_folders:
        raise UserError(
            f"Training folder {folder} holds no training images. Allowed: {', '.join(SUFFIXES)}, in it or in folders "
            f"below it; LR folders and {' and '.join(f'*{end}'.lower() for end in _HELD_OUT)} do not count."
        )
    return hr_folders


def _walk(folder: Path) -> list[Path]:
    if list_images(folder):
        return [folder]
    below = [child for child in subfolders(folder) if not is_lr_folder(child) and not _is_held_out(child)]
    return [hr_folder for child in below for hr_folder in _walk(child)]


def _is_held_out(folder: Path) -> bool:
    return folder.name.upper().endswith(_HELD_OUT)


def _open(hr_folder: Path, scale: int, lr: LRChoice) -> TrainingSet:
    """One HR folder as a set, without DIV2K's validation images."""
    paired = pair(hr_folder, scale, lr)
    validation, words = _div2k_validation(hr_folder, paired.items)
    kept = tuple(item for item in paired.items if item.name not in validation)
    if not kept:
        raise UserError(
            f"{hr_folder} holds DIV2K's validation images (0801-0900) only; they do not train. Where these are others, "
            "call them otherwise."
        )
    return TrainingSet(set_name(hr_folder), hr_folder, kept, paired.lr is not None, words)


def _div2k_validation(folder: Path, items: Sequence[ImageFiles]) -> tuple[set[str], str]:
    """Names of DIV2K's validation images, whole or cut, and what is said of them."""
    is_div2k = "DIV2K" in set_name(folder).upper()
    numbers = {item.name: match["number"] for item in items if (match := _NUMBER.fullmatch(item.name))}
    alike = {
        name for name, number in numbers.items() if int(number) in _DIV2K_VALIDATION and (is_div2k or len(number) == 4)
    }
    if not alike:
        return set(), ""
    beyond = max(int(number) for number in numbers.values() if len(number) == 4 or is_div2k)
    if not is_div2k and beyond > _DIV2K_VALIDATION[-1]:
        return set(), (
            f"{len(alike)} are called 0801-0900, as DIV2K's validation images: kept, since names go on to {beyond:04d}"
        )
    cut = "" if all(name.isdigit() for name in alike) else ", or cut from them,"
    return alike, f"{len(alike)} of DIV2K's validation images (0801-0900){cut} left out"


def _told_apart(training_set: TrainingSet) -> TrainingSet:
    """A set whose name another one has too, named with the folder above."""
    folder = training_set.folder.resolve()
    return replace(training_set, name="/".join(folder.parts[-3:-1] if hr_set(folder) == "" else folder.parts[-2:]))
