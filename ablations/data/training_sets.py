"""Training sets: which files a `--train-data` folder stands for.

- a folder with images: those images (not those of its subfolders);
- a folder without: every set below it, to any depth, but LR folders and what is published for validation or testing
  (`*_valid_HR`, `*_test_HR`). So DIV2K's root gives DIV2K_train_HR, and a folder with DIV2K and Flickr2K in it is DF2K;
- of DIV2K's HR folders, images 0801 to 0900 are left out: they are its validation images.

LR files that lie beside an HR folder in the published naming are used (layouts.py), else LR is made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from safmn_bench.ablations.data.layouts import ImageFiles, lr_folder, paired_files, subfolders
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.images import SUFFIXES, list_images
from safmn_bench.profiling.common.sample_images import NAME, TRAINING, embedded_paths

_DIV2K_VALIDATION = range(801, 901)
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
    """What was left out, in words."""


def open_training_sets(folders: Sequence[Path], scale: int) -> list[TrainingSet]:
    """The sets in those folders; none given means the embedded photographs.

    Raises UserError: no folder, no image in it, a set given twice, partners missing.
    """
    if not folders:
        return [embedded_training()]
    sets = [_open(hr_folder, scale) for folder in folders for hr_folder in _hr_folders(folder)]
    seen: dict[Path, TrainingSet] = {}
    for one in sets:
        if seen.setdefault(one.folder.resolve(), one) is not one:
            raise UserError(f"Training set {one.folder} is given twice. Give each folder once.")
    names = [one.name for one in sets]
    return [_told_apart(one) if names.count(one.name) > 1 else one for one in sets]


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
    found = list(_walk(folder))
    if not found:
        raise UserError(
            f"Training folder {folder} holds no training images. Allowed: {', '.join(SUFFIXES)}, in it or in folders "
            f"below it; LR folders and {' and '.join(f'*{end}'.lower() for end in _HELD_OUT)} do not count."
        )
    return found


def _walk(folder: Path) -> list[Path]:
    if list_images(folder):
        return [folder]
    below = [child for child in subfolders(folder) if not _is_lr(child) and not _is_held_out(child)]
    return [found for child in below for found in _walk(child)]


def _is_lr(folder: Path) -> bool:
    name = folder.name.upper()
    return name == "LR" or name.startswith("LR_") or "_LR_" in name or name.endswith("_LR")


def _is_held_out(folder: Path) -> bool:
    return folder.name.upper().endswith(_HELD_OUT)


def _open(hr_folder: Path, scale: int) -> TrainingSet:
    """One HR folder as a set, without DIV2K's validation images."""
    resolved = hr_folder.resolve()
    name = resolved.parent.name if resolved.name.upper() == "HR" else resolved.name
    pairs = paired_files(hr_folder, scale)
    kept = tuple(pair for pair in pairs if not _is_div2k_validation(resolved, pair))
    if not kept:
        raise UserError(f"{hr_folder} holds DIV2K's validation images (0801-0900) only; they do not train.")
    left_out = len(pairs) - len(kept)
    note = f"{left_out} of DIV2K's validation images (0801-0900) left out" if left_out else ""
    return TrainingSet(name, hr_folder, kept, lr_folder(hr_folder, scale) is not None, note)


def _is_div2k_validation(folder: Path, files: ImageFiles) -> bool:
    return "DIV2K" in folder.name.upper() and files.name.isdigit() and int(files.name) in _DIV2K_VALIDATION


def _told_apart(one: TrainingSet) -> TrainingSet:
    """A set whose name another one has too, named with the folder above."""
    folder = one.folder.resolve()
    return replace(one, name="/".join(folder.parts[-3:-1] if folder.name.upper() == "HR" else folder.parts[-2:]))
