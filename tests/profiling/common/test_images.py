"""Image files: every kind has its stated treatment, checked against pixels written by Pillow or by hand."""

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.images import image_size, list_images, pixel_digest, read_image, write_png

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def chw(array: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(array.copy()).permute(2, 0, 1)


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "A.TIFF"])
def test_lossless_rgb_is_itself(tmp_path: Path, name: str):
    PIL.Image.fromarray(RGB).save(tmp_path / name)
    image = read_image(tmp_path / name)
    assert torch.equal(image.rgb, chw(RGB))
    assert (image.grey, image.treatment, image_size(tmp_path / name)) == (False, "", (5, 7))


def test_grey_becomes_three_equal_planes(tmp_path: Path):
    PIL.Image.fromarray(RGB[..., 0]).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.grey
    assert torch.equal(image.rgb, chw(RGB[..., :1]).expand(3, -1, -1))


def test_one_bit_becomes_black_and_white(tmp_path: Path):
    PIL.Image.fromarray(RGB[..., 0] > 127).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.grey
    assert torch.equal(image.rgb[0], torch.from_numpy((RGB[..., 0] > 127) * np.uint8(255)))


def png_16_bit(samples: np.ndarray) -> bytes:
    """A 16-bit PNG written by hand, since Pillow writes no 16-bit RGB."""
    height, width, channels = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, {1: 0, 3: 2}[channels], 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("channels", [1, 3])
def test_sixteen_bits_keep_the_upper_eight(tmp_path: Path, channels: int):
    samples = RGB[..., :channels].astype(np.uint16) * 256 + 255 - RGB[..., :channels]
    (tmp_path / "a.png").write_bytes(png_16_bit(samples))
    image = read_image(tmp_path / "a.png")
    assert torch.equal(image.rgb, chw(RGB[..., :channels]).expand(3, -1, -1))
    assert image.treatment == "16-bit: upper eight bits kept"
    assert image.grey is (channels == 1)


def test_transparency_is_composited_on_white(tmp_path: Path):
    alpha = np.full((5, 7, 1), 255, np.uint8)
    alpha[0, 0], alpha[0, 1] = 0, 128
    PIL.Image.fromarray(np.concatenate([RGB, alpha], axis=2)).save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.treatment == "transparency composited on white"
    assert image.rgb[:, 0, 0].tolist() == [255, 255, 255]
    half = (RGB[0, 1] * 128.0 + 255 * 127) / 255
    assert np.abs(image.rgb[:, 0, 1].numpy() - half).max() <= 1
    assert torch.equal(image.rgb[:, 1:], chw(RGB)[:, 1:])  # opaque pixels keep their values


def test_palette_is_expanded(tmp_path: Path):
    file = PIL.Image.fromarray(RGB).quantize(8)
    file.save(tmp_path / "a.png")
    image = read_image(tmp_path / "a.png")
    assert image.treatment == "palette expanded to RGB"
    assert torch.equal(image.rgb, chw(np.array(file.convert("RGB"))))


def test_cmyk_is_converted(tmp_path: Path):
    PIL.Image.new("CMYK", (7, 5), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    image = read_image(tmp_path / "a.tif")
    assert image.treatment == "CMYK converted to RGB"
    assert image.rgb[:, 2, 3].tolist() == [255, 0, 0]


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_exif_orientation_turns_the_picture_upright(tmp_path: Path, name: str):
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # the camera was held so that the picture must be turned clockwise
    PIL.Image.fromarray(RGB).save(tmp_path / name, exif=exif)
    image = read_image(tmp_path / name)
    assert image.treatment == "turned upright by its EXIF orientation"
    assert image.rgb.shape == (3, 7, 5)
    assert image_size(tmp_path / name) == (7, 5)
    if name.endswith("png"):
        assert torch.equal(image.rgb, chw(np.rot90(RGB, -1)))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "TIFF"])
def test_every_truncation_is_one_user_error(tmp_path: Path, form: str):
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.tile(RGB, (8, 8, 1))).save(buffer, format=form)
    whole = buffer.getvalue()
    path = tmp_path / f"a.{form.lower()}"
    for length in range(0, len(whole) - 200, max(1, len(whole) // 40)):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=path.name):
            read_image(path)


def test_damaged_bytes_never_give_a_trace(tmp_path: Path):
    buffer = io.BytesIO()
    PIL.Image.fromarray(np.tile(RGB, (8, 8, 1))).save(buffer, format="PNG")
    rng = np.random.default_rng(0)
    refused = 0
    for _ in range(60):
        damaged = bytearray(buffer.getvalue())
        damaged[rng.integers(8, len(damaged))] ^= 1 << int(rng.integers(8))
        (tmp_path / "a.png").write_bytes(damaged)
        try:
            read_image(tmp_path / "a.png")
        except UserError:
            refused += 1
    assert refused > 50


def test_images_are_listed_in_natural_order_without_other_files(make_images: Callable[..., Path], tmp_path: Path):
    make_images(tmp_path, "img10.png", "img2.png", "IMG1.PNG", ".hidden.png")
    (tmp_path / "notes.txt").write_text("")
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_images(tmp_path)] == ["IMG1.PNG", "img2.png", "img10.png"]


def test_written_png_reads_back_equal(tmp_path: Path):
    write_png(tmp_path / "new" / "a.png", chw(RGB))
    assert torch.equal(read_image(tmp_path / "new" / "a.png").rgb, chw(RGB))


def test_digest_is_that_of_the_pixels_not_of_the_file(tmp_path: Path):
    for name in ("a.png", "b.bmp", "c.tif"):
        PIL.Image.fromarray(RGB).save(tmp_path / name)
    digests = {pixel_digest(read_image(path).rgb) for path in list_images(tmp_path)}
    assert len(digests) == 1
    assert pixel_digest(chw(RGB.reshape(7, 5, 3))) not in digests
