"""How published sets lie in folders: which files are HR, and which LR file belongs to which.

- an HR folder is called `HR` or `<set>_HR` (`DIV2K_train_HR`, `Flickr2K_HR`), or is any other folder with images;
- its LR files are beside it, in `LR_bicubic/X4` or `<set>_LR_bicubic/X4`, called as the HR file with `x4` appended
  (`babyx4.png`) or as the HR file itself. Where that folder is missing, LR is made from HR.
"""

from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.images import SUFFIXES, image_size, list_images


@dataclass(frozen=True)
class ImageFiles:
    """One image of a set: its name (the HR file's, without suffix), its HR file, and its LR file if there is one."""

    name: str
    hr: Path
    lr: Path | None = None


def is_hr_folder(folder: Path) -> bool:
    """Whether a folder's name says that it holds HR images beside their LR."""
    return folder.name.upper() == "HR" or folder.name.upper().endswith("_HR")


def subfolders(folder: Path) -> list[Path]:
    """Visible folders directly in `folder`, sorted. Raises UserError where it is no readable folder."""
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir() and p.name[0] != ".")
    except OSError as error:
        raise UserError(f"Cannot read folder {folder}: {error.strerror}. Give a folder of images.") from error


def lr_folder(hr_folder: Path, scale: int) -> Path | None:
    """The LR folder that belongs to an HR folder, or None where LR is to be made."""
    if not is_hr_folder(hr_folder):
        return None
    beside = hr_folder.with_name(f"{hr_folder.name[:-2]}LR_bicubic")
    for candidate in (beside / f"X{scale}", beside / f"x{scale}"):
        if candidate.is_dir():
            return candidate
    return None


def paired_files(hr_folder: Path, scale: int) -> list[ImageFiles]:
    """The images of an HR folder, each with its LR file where LR is given.

    Raises UserError: no image, two files of one name, HR without LR or the reverse.
    """
    hr_files = list_images(hr_folder)
    if not hr_files:
        raise UserError(f"No image in {hr_folder}. Allowed: {', '.join(SUFFIXES)}. Give a folder that holds some.")
    by_name = _by_name(hr_files)
    folder = lr_folder(hr_folder, scale)
    if folder is None:
        return [ImageFiles(name, path) for name, path in by_name.items()]
    lr_by_name = _by_name(list_images(folder))
    pairs = [ImageFiles(name, path, _partner(name, lr_by_name, scale)) for name, path in by_name.items()]
    _require_partners(pairs, lr_by_name, hr_folder, folder)
    return pairs


def require_sizes_match(files: ImageFiles, scale: int) -> tuple[int, int]:
    """LR height and width, from the files' headers. Raises UserError where a given LR is not HR / scale."""
    height, width = image_size(files.hr)
    expected = (height // scale, width // scale)
    if files.lr is not None and (found := image_size(files.lr)) != expected:
        raise UserError(
            f"{files.lr} is {found[1]}x{found[0]} pixels, but scale {scale} of {files.hr} ({width}x{height}) is "
            f"{expected[1]}x{expected[0]}. Put the right LR file there, or move the LR folder away to have LR made."
        )
    return expected


def _by_name(paths: list[Path]) -> dict[str, Path]:
    """Name without suffix -> file. Raises UserError where two files share a name."""
    named: dict[str, Path] = {}
    for path in paths:
        if (other := named.setdefault(path.stem, path)) is not path:
            raise UserError(
                f"{other.parent} holds {other.name} and {path.name}: one name for two images. Rename or remove one."
            )
    return named


def _partner(name: str, lr_by_name: dict[str, Path], scale: int) -> Path | None:
    return lr_by_name.get(f"{name}x{scale}") or lr_by_name.get(name)


def _require_partners(pairs: list[ImageFiles], lr_by_name: dict[str, Path], hr_folder: Path, folder: Path) -> None:
    counts = f"{hr_folder} has {len(pairs)} images and {folder} has {len(lr_by_name)}"
    for pair in pairs:
        if pair.lr is None:
            raise UserError(
                f"{counts}: {pair.hr.name} has no LR partner. Add it, or move {folder} away to have LR made from HR."
            )
    used = {pair.lr for pair in pairs}
    for path in lr_by_name.values():
        if path not in used:
            raise UserError(f"{counts}: {path.name} has no HR partner. Add that HR file or remove this LR file.")
