"""Image files as 8-bit RGB, with a stated treatment for every kind of file, and errors that name the file.

| file | becomes |
|---|---|
| 8-bit RGB | itself |
| greyscale (8-bit, 1-bit) | the plane three times, marked `grey` |
| 16-bit RGB or greyscale | its upper eight bits, as libpng's and OpenCV's readers do |
| transparency (RGBA, greyscale or palette with alpha) | composited on white; opaque pixels keep their values |
| palette | the palette's colours |
| CMYK, YCbCr | RGB by Pillow's conversion, without a colour profile |
| EXIF orientation | turned upright, as viewers show it |
| several pages (TIFF), 32-bit, truncated, not an image | refused by a UserError |
| another format, whatever its suffix; no regular file; a control character in the name | refused by a UserError |
| more than `MEGAPIXELS` megapixels | refused; the variable SAFMN_BENCH_MEGAPIXELS raises the limit |
"""

import hashlib
import math
import os
import re
import stat
import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import write_atomically

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "BMP", "TIFF")  # no other reader of Pillow's ever sees a file: one of them runs Ghostscript
MEGAPIXELS = 250.0
"""The largest image that is decoded (0.75 GB as RGB): a file of a few kilobytes can claim to hold far more."""
_GREY_MODES = ("1", "L", "LA", "I;16", "I;16B", "I;16L", "I;16N")
_COLOUR_MODES = ("RGB", "RGBA", "RGBX", "P", "PA", "CMYK", "YCbCr")
_ORIENTATION, _QUARTER_TURNS = 0x0112, (5, 6, 7, 8)  # the EXIF tag, and its values that swap height and width
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # a name that holds one moves the cursor, or breaks a line
_BROKEN = (OSError, SyntaxError, ValueError, TypeError, EOFError, LookupError, OverflowError, struct.error, zlib.error)
"""Errors of Pillow's readers on damaged files."""


@dataclass(frozen=True)
class Image:
    """A decoded image file."""

    rgb: torch.Tensor
    """uint8 (3, H, W)."""
    grey: bool
    """Whether the file was greyscale; the three planes are then equal."""
    path: Path
    treatment: str = ""
    """How it was made 8-bit RGB, in words, beyond decoding; empty for a plain file."""


def read_image(path: Path) -> Image:
    """Decode a file. Raises UserError, naming it, where it cannot be read whole."""
    with opened(path) as file:
        _require_supported(file, path)
        grey = file.mode in _GREY_MODES
        steps = _treatments(file)
        array = _as_rgb(file)
    rgb = torch.from_numpy(array).permute(2, 0, 1).contiguous()
    return Image(rgb, grey, path, "; ".join(steps))


def alpha_of(path: Path) -> torch.Tensor | None:
    """The transparency of a file, uint8 (1, H, W), 255 where it is opaque; None for a file without."""
    with opened(path) as file:
        if not file.has_transparency_data:
            return None
        upright = PIL.ImageOps.exif_transpose(file) if _orientation(file) != 1 else file
        plane = np.array(upright.convert("RGBA"))[..., 3]
    return torch.from_numpy(plane).unsqueeze(0)


def image_size(path: Path) -> tuple[int, int]:
    """Height and width from the file's header alone, orientation applied. Raises UserError as `read_image`."""
    with opened(path) as file:
        _require_supported(file, path)
        width, height = file.size
        turned = _orientation(file) in _QUARTER_TURNS
    return (width, height) if turned else (height, width)


def pixel_digest(rgb: torch.Tensor) -> str:
    """A name for what is seen: 128 bits of BLAKE2 over size and pixels of uint8 (3, H, W), whatever the file."""
    digest = hashlib.blake2b(repr(tuple(rgb.shape)).encode(), digest_size=16)
    digest.update(rgb.contiguous().numpy().data)
    return digest.hexdigest()


def natural_key(name: str) -> list[tuple[int, str]]:
    """Sorting key by which img2 comes before img10: digits count as numbers, case does not count."""
    return [(int(part), "") if part.isdigit() else (-1, part.casefold()) for part in re.split(r"([0-9]+)", name)]


def list_images(folder: Path) -> list[Path]:
    """The image files directly in `folder`, naturally sorted; hidden files and other suffixes are passed over.

    Raises UserError where it is no readable folder. The list may be empty.
    """
    try:
        files = [p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.name[0] != "." and not p.is_dir()]
    except OSError as error:
        raise UserError(f"Cannot read folder {folder}: {error.strerror}. Give a folder of images.") from error
    return sorted(files, key=lambda p: (natural_key(p.name), p.name))


def write_png(path: Path, rgb: torch.Tensor) -> None:
    """Write uint8 (3, H, W) as a PNG, atomically. Raises UserError where that fails."""
    array = rgb.permute(1, 2, 0).contiguous().cpu().numpy()
    write_atomically(path, lambda handle: PIL.Image.fromarray(array).save(handle, format="PNG"))


@contextmanager
def opened(path: Path) -> Iterator[PIL.Image.Image]:
    """The file opened by Pillow; its failures, then and while it is used, become a UserError."""
    try:
        _require_regular(path)
        with _NO_PILLOW_LIMIT, PIL.Image.open(path, formats=FORMATS) as file:
            _require_size(file, path)
            yield file
    except FileNotFoundError as error:
        raise UserError(f"No file {path}. Check the path.") from error
    except PermissionError as error:
        raise UserError(f"{path} may not be read: {error.strerror}. Allow reading it.") from error
    except PIL.UnidentifiedImageError as error:
        raise UserError(
            f"{path} is not an image that can be read, whatever its suffix. Allowed: PNG, JPEG, BMP, TIFF. "
            "Replace it or take it out of the folder."
        ) from error
    except _BROKEN as error:
        raise UserError(f"{path} is damaged or truncated ({error}). Copy it again or take it out.") from error


class _NoPillowLimit:
    """Pillow's own limit, a setting of the whole process, is off while any thread decodes a file: ours holds."""

    def __init__(self) -> None:
        self.lock, self.users, self.before = threading.Lock(), 0, PIL.Image.MAX_IMAGE_PIXELS

    def __enter__(self) -> None:
        with self.lock:
            if self.users == 0:
                self.before, PIL.Image.MAX_IMAGE_PIXELS = PIL.Image.MAX_IMAGE_PIXELS, None
            self.users += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.users -= 1
            if self.users == 0:
                PIL.Image.MAX_IMAGE_PIXELS = self.before


_NO_PILLOW_LIMIT = _NoPillowLimit()


def _require_regular(path: Path) -> None:
    """Opening a FIFO would wait for ever. Raises OSError where there is nothing."""
    if _CONTROL.search(path.name):
        raise UserError(f"{path.parent}/{path.name!r}: a control character in a name. Rename the file.")
    try:
        kind = path.stat().st_mode
    except (FileNotFoundError, PermissionError):
        raise
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}. Check the path.") from error
    if not stat.S_ISREG(kind):
        raise UserError(f"{path} is no regular file, but a folder, a FIFO or a device. Give an image file.")


def _require_size(file: PIL.Image.Image, path: Path) -> None:
    limit, megapixels = _megapixels(), file.width * file.height / 1e6
    if megapixels > limit:
        raise UserError(
            f"{path} holds {file.width}x{file.height} pixels; the limit is {limit:g} megapixels. Cut it into parts, or "
            f"set SAFMN_BENCH_MEGAPIXELS={math.ceil(megapixels)} where it is to be decoded."
        )


def _megapixels() -> float:
    given = os.environ.get("SAFMN_BENCH_MEGAPIXELS") or str(MEGAPIXELS)
    try:
        if float(given) > 0:
            return float(given)
    except ValueError:
        pass
    raise UserError(f"SAFMN_BENCH_MEGAPIXELS={given!r} is not a number of megapixels above 0, such as 400.")


def _require_supported(file: PIL.Image.Image, path: Path) -> None:
    if file.format == "TIFF" and getattr(file, "n_frames", 1) > 1:
        raise UserError(f"{path} holds {getattr(file, 'n_frames', 0)} pages. Save each page as a file of its own.")
    if file.mode not in _GREY_MODES + _COLOUR_MODES:
        raise UserError(
            f"{path} holds pixels of kind {file.mode!r}, for which no treatment is defined. Allowed: 8- or 16-bit "
            "greyscale or RGB, palette, RGBA, CMYK. Save it as 8-bit RGB PNG."
        )


def _treatments(file: PIL.Image.Image) -> list[str]:
    """The treatment that `_as_rgb` is going to give, in words."""
    tile = getattr(file, "tile", [])  # how Pillow is going to decode; its last part names the raw pixels
    raw = str(tile[0][3]) if tile else ""
    facts = {
        "16-bit: upper eight bits kept": ";16" in raw or file.mode.startswith("I;16"),
        "turned upright by its EXIF orientation": _orientation(file) != 1,
        "transparency composited on white": file.has_transparency_data,
        "palette expanded to RGB": file.mode in ("P", "PA"),
        f"{file.mode} converted to RGB": file.mode in ("CMYK", "YCbCr"),
    }
    return [words for words, holds in facts.items() if holds]


def _orientation(file: PIL.Image.Image) -> int:
    """EXIF orientation, 1 (upright) to 8; of a PNG from its header alone, lest Pillow decode it all to look."""
    if file.format == "PNG" and not {"exif", "Raw profile type exif"} & file.info.keys():
        return 1
    return file.getexif().get(_ORIENTATION, 1)


def _as_rgb(file: PIL.Image.Image) -> np.ndarray:
    """uint8 (H, W, 3), contiguous."""
    image = PIL.ImageOps.exif_transpose(file) if _orientation(file) != 1 else file
    if image.mode.startswith("I;16"):
        plane = (np.asarray(image) >> 8).astype(np.uint8)
        return np.repeat(plane[..., None], 3, axis=2)
    if image.has_transparency_data:
        white = PIL.Image.new("RGBA", image.size, "white")
        image = PIL.Image.alpha_composite(white, image.convert("RGBA"))
    return np.array(image.convert("RGB"))
