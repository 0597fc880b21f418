"""Treatments of images that were not plain 8-bit RGB, and files passed over: told alike everywhere."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from safmn_bench.profiling.common.images import SUFFIXES, Image
from safmn_bench.profiling.common.layout import counted

_SHOWN = 3  # names in a sentence
_UNREAD = (".webp", ".ppm", ".pgm", ".pnm", ".gif", ".jp2", ".j2k", ".heic", ".heif", ".avif", ".jxl", ".tga", ".exr")
"""Images by their suffix that are not read: a set with such files is smaller than it looks."""


def treatment_of(image: Image) -> str:
    """The treatment of an image, or that it is greyscale; empty for a plain one."""
    return image.treatment or ("greyscale" if image.grey else "")


def image_notes(treatments: Mapping[str, str], folders: Iterable[Path]) -> list[str]:
    """A sentence per treatment with how many images had it, and one per folder with files that were passed over.

    `treatments`: image -> what was done to it.
    """
    by_treatment: dict[str, list[str]] = {}
    for name, treatment in treatments.items():
        by_treatment.setdefault(treatment, []).append(name)
    notes = [f"{_counted(names)}: {treatment} ({_listed(names)})." for treatment, names in by_treatment.items()]
    for folder in dict.fromkeys(folders):
        if unread := sorted(path.name for path in folder.iterdir() if path.suffix.lower() in _UNREAD):
            notes.append(
                f"{len(unread)} file{'s' if len(unread) > 1 else ''} passed over in {folder} ({_listed(unread)}): "
                f"allowed are {', '.join(SUFFIXES)}."
            )
    return notes


def _counted(names: list[str]) -> str:
    return counted(len(names), "image")


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
