"""Files that only look like images, or that would cost too much: each is refused in a sentence, none is decoded."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.images import image_size, list_images, read_image

EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n(/tmp/run) (w) file\nshowpage\n"
RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def png_header(width: int, height: int) -> bytes:
    """A PNG of 60 bytes that claims a size; by hand, after the PNG specification."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(b""))]
    parts = [struct.pack(">I", len(data)) + k + data + struct.pack(">I", zlib.crc32(k + data)) for k, data in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def in_format(name: str) -> bytes:
    buffer = io.BytesIO()
    PIL.Image.fromarray(RGB).save(buffer, format=name)
    return buffer.getvalue()


def spoil_tiff(entry: int, value: int) -> bytes:
    """An 8-bit RGB TIFF with one entry of its directory changed."""
    content = bytearray(in_format("TIFF"))
    at = struct.unpack_from("<I", content, 4)[0]
    struct.pack_into("<I", content, at + 2 + 12 * entry + 8, value)
    return bytes(content)


# what stands in a.png -> what is said
CONTENT: dict[str, tuple[bytes, str]] = {
    "EPS": (EPS, "not an image that can be read, whatever its suffix. Allowed: PNG, JPEG, BMP, TIFF"),
    "PDF": (b"%PDF-1.4\n", "not an image that can be read"),
    "SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image that can be read"),
    "XPM": (b"/* XPM */\nstatic char *a[] = {};", "not an image that can be read"),
    "GIF": (in_format("GIF"), "not an image that can be read"),
    "WebP": (in_format("WEBP"), "not an image that can be read"),
    "JPEG 2000": (in_format("JPEG2000"), "not an image that can be read"),
    "ICO": (in_format("ICO"), "not an image that can be read"),
    "PPM": (in_format("PPM"), "not an image that can be read"),
    "nothing": (b"", "not an image that can be read"),
    "bomb": (png_header(30000, 30000), "30000x30000 pixels; the limit is 250 megapixels. Cut it into parts, or set"),
    "just above the limit": (png_header(25001, 10000), "set SAFMN_BENCH_MEGAPIXELS=251 where it is to be decoded"),
    "2 GB in a line": (png_header(2**31 - 1, 1), "2147483647x1 pixels; the limit is 250 megapixels"),
    "no data": (png_header(5, 5), "is damaged or truncated"),
    "no width (TIFF)": (spoil_tiff(0, 0), "not an image that can be read"),
    "huge (TIFF)": (spoil_tiff(0, 2**31 - 1), "the limit is 250 megapixels"),
    "cut (BMP)": (in_format("BMP")[:60], "is damaged or truncated"),
    "cut (JPEG)": (in_format("JPEG")[:300], "is damaged or truncated"),
}


@pytest.mark.parametrize("name", CONTENT)
def test_content_that_is_no_image_of_the_promised_kinds_is_refused(tmp_path: Path, name: str):
    content, message = CONTENT[name]
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(UserError) as refused:
        read_image(tmp_path / "a.png")
    assert str(refused.value).startswith(str(tmp_path / "a.png"))
    assert message in str(refused.value)


# name -> (what makes it, what is said)
KINDS: dict[str, tuple[str, Callable[[Path], object], str]] = {
    "FIFO": ("a.png", os.mkfifo, "a.png is no regular file, but a folder, a FIFO or a device. Give an image file."),
    "folder": ("a.png", Path.mkdir, "a.png is no regular file"),
    "device": ("a.png", lambda path: path.symlink_to("/dev/zero"), "a.png is no regular file"),
    "link to itself": ("a.png", lambda path: path.symlink_to("a.png"), "a.png cannot be read: Too many levels of"),
    "link to nowhere": ("a.png", lambda path: path.symlink_to("b.png"), "No file"),
    "terminal escapes": ("a\x1b[2J.png", Path.touch, r"/'a\x1b[2J.png': a control character in a name. Rename the"),
    "line break": ("a\nb.png", Path.touch, r"/'a\nb.png': a control character in a name. Rename the file."),
    "C1 escapes": ("a\x9b2J.png", Path.touch, "a control character in a name"),
    "line separator": ("a\u2028b.png", Path.touch, "a control character in a name"),
    "too long": ("a" * 252 + ".png", lambda path: None, "cannot be read: File name too long. Check the path."),
}


@pytest.mark.parametrize("name", KINDS)
def test_what_is_no_plain_file_of_a_plain_name_is_refused_at_once(tmp_path: Path, name: str):
    file, make, message = KINDS[name]
    make(tmp_path / file)
    with pytest.raises(UserError) as refused:
        read_image(tmp_path / file)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "name", [b"caf\xe9.png", "café.png".encode(), b"\xff\xfe.png", "日本.png".encode(), b"-=@.png"]
)
def test_names_of_any_other_bytes_are_read(tmp_path: Path, name: bytes):
    path = tmp_path / os.fsdecode(name)
    PIL.Image.fromarray(RGB).save(path)
    assert list_images(tmp_path) == [path]
    assert read_image(path).rgb.shape == (3, 5, 7)


def test_an_image_of_95_megapixels_passes_and_pillow_s_own_limit_is_as_before(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(png_header(9747, 9747))
    before = PIL.Image.MAX_IMAGE_PIXELS
    assert image_size(tmp_path / "a.png") == (9747, 9747)
    assert before == PIL.Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("900", None), ("1e3", None), ("inf", None), ("", "the limit is 250 megapixels"),
        ("899", "the limit is 899 megapixels"), ("0", "is not a number of megapixels above 0, such as 400"),
        ("-1", "is not a number"), ("nan", "is not a number"),
        ("many", "SAFMN_BENCH_MEGAPIXELS='many' is not a number"),
    ],
)  # fmt: skip
def test_the_limit_is_raised_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, setting: str, message: str | None
):
    monkeypatch.setenv("SAFMN_BENCH_MEGAPIXELS", setting)
    (tmp_path / "a.png").write_bytes(png_header(30000, 30000))
    if message is None:
        assert image_size(tmp_path / "a.png") == (30000, 30000)
        return
    with pytest.raises(UserError) as refused:
        image_size(tmp_path / "a.png")
    assert message in str(refused.value)
