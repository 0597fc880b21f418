"""A table of bad inputs: each gets one paragraph that names file and fix, exit status 2, and leaves nothing behind."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from safmn_bench.ablations import evaluate, prepare

Make = Callable[..., Path]
Spoil = Callable[[Path, Make], object]


def cut_in_half(root: Path, make: Make) -> None:
    path = make(root, "a.png", "b.png") / "b.png"
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def not_an_image(root: Path, make: Make) -> None:
    (make(root, "a.png") / "b.png").write_text("<html>404</html>")


def with_lr(root: Path, make: Make, *lr_names: str, height: int = 16) -> None:
    make(root / "HR", "a.png", "b.png")
    make(root / "LR_bicubic" / "X4", *lr_names, height=height, width=20)


def save(image: PIL.Image.Image, root: Path, name: str) -> None:
    root.mkdir(exist_ok=True)
    image.save(root / name)


def pages(root: Path, make: Make) -> None:
    root.mkdir()
    page = PIL.Image.new("RGB", (64, 64))
    page.save(root / "a.tif", save_all=True, append_images=[page])


def broken_lr(root: Path, make: Make) -> None:
    with_lr(root, make, "ax4.png", "bx4.png")
    (root / "LR_bicubic" / "X4" / "bx4.png").write_bytes(b"")


def grey_float(root: Path, make: Make) -> None:
    save(PIL.Image.fromarray(np.zeros((64, 64), np.float32)), root, "a.tif")


# name: (what is wrong, for training (prepare.py) and as a benchmark (evaluate.py), what the message must say)
BAD: dict[str, tuple[Spoil, str]] = {
    "missing folder": (lambda root, make: None, r"folder .*D does not exist\. "),
    "a file for a folder": (lambda root, make: root.write_text(""), r"folder .*D is a file\. "),
    "empty folder": (lambda root, make: root.mkdir(), r"folder .*D holds (no training images|neither images nor HR/)"),
    "empty HR folder": (
        lambda root, make: (root / "HR").mkdir(parents=True),
        r"(No image in|holds no training images)",
    ),
    "only other files": (lambda root, make: (make(root) / "a.webp").write_text(""), r"holds (no|neither)"),
    "truncated": (cut_in_half, r"b.png is damaged or truncated .* Copy it again or take it out"),
    "no image": (not_an_image, r"b.png is not an image that can be read, .* Allowed: PNG, JPEG, BMP, TIFF"),
    "empty file": (lambda root, make: (make(root, "a.png") / "b.jpg").write_bytes(b""), r"b.jpg is not an image"),
    "several pages": (pages, r"a.tif holds 2 pages. Save each page"),
    "floating point": (grey_float, r"a.tif holds pixels of kind 'F', .* Save it as 8-bit RGB PNG"),
    "32-bit": (lambda r, m: save(PIL.Image.new("I", (64, 64)), r, "a.tif"), r"a.tif holds pixels of kind 'I'"),
    "Lab": (lambda r, m: save(PIL.Image.new("LAB", (64, 64)), r, "a.tif"), r"a.tif holds pixels of kind 'LAB'"),
    "HR without LR": (
        lambda r, m: with_lr(r, m, "ax4.png"),
        r"HR has 2 images and .*X4 has 1: b.png has no LR partner",
    ),
    "LR without HR": (
        lambda r, m: with_lr(r, m, "ax4.png", "bx4.png", "cx4.png"),
        r"cx4.png has no HR partner. Add that HR file or remove this LR file",
    ),
    "LR of another scale": (
        lambda r, m: with_lr(r, m, "ax4.png", "bx4.png", height=32),
        r"ax4.png is 20x32 pixels, but scale 4 of .*a.png \(80x64\) is 20x16",
    ),
    "damaged LR": (broken_lr, r"bx4.png is not an image"),
    "two files of one name": (lambda r, m: m(r, "a.png", "a.bmp"), r"a.bmp and a.png: one name for two images"),
    "two LR files of one name": (
        lambda r, m: with_lr(r, m, "ax4.png", "ax4.bmp", "bx4.png"),
        r"ax4.bmp and ax4.png: one name for two images. Rename or remove one",
    ),
    "link to nowhere": (
        lambda r, m: (m(r, "a.png") / "b.png").symlink_to("nowhere.png"),
        r"No file .*b.png. Check|Cannot read .*b.png: No such file",
    ),
    "smaller than a pixel of LR": (lambda r, m: m(r, "a.png", height=3), r"a.png is (smaller than one LR|80x3 pixels)"),
}


def tree(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def refused(capsys: pytest.CaptureFixture[str], status: int, message: str) -> None:
    """Exit status 2 and one line on stderr that says `message`, without a trace."""
    error = capsys.readouterr().err
    assert status == 2
    assert len(error.splitlines()) == 1, error
    assert "Traceback" not in error
    assert re.search(message, error), error


@pytest.mark.parametrize("name", BAD)
def test_bad_training_set_is_refused_and_leaves_nothing(make_images: Make, tmp_path: Path, capsys, name: str):
    spoil, message = BAD[name]
    spoil(tmp_path / "D", make_images)
    before = tree(tmp_path)
    options = ["--train-data", str(tmp_path / "D"), "--cache", str(tmp_path / "cache")]
    refused(capsys, prepare.main(options), message)
    left = {path for path in tree(tmp_path) - before if path.is_file() and path.parent.name not in ("seen", "locks")}
    assert not left


@pytest.mark.parametrize("name", BAD)
def test_bad_benchmark_is_refused_and_leaves_nothing(make_images: Make, tmp_path: Path, capsys, name: str):
    spoil, message = BAD[name]
    spoil(tmp_path / "D", make_images)
    before = tree(tmp_path)
    options = ["--benchmarks", str(tmp_path / "D"), "--csv", str(tmp_path / "s.csv")]
    refused(capsys, evaluate.main(["--model", "bicubic", "--scale", "4", *options]), message)
    assert tree(tmp_path) == before


def held_out(root: Path, make: Make) -> Path:
    return make(root / "DIV2K_train_HR", "0801.png", "0900.png")


# name: (training folder, further options, message)
BAD_TRAINING: dict[str, tuple[Callable[[Path, Make], Path], list[str], str]] = {
    "patch": (lambda r, m: m(r, "a.png"), ["--patch", "17"], r"D/a.png is 20x16 .* smaller than train.patch=17"),
    "workers": (lambda r, m: m(r, "a.png"), ["--workers", "0"], r"--workers 0 is not a whole number of at least 1"),
    "DIV2K validation": (held_out, [], r"DIV2K's validation images \(0801-0900\) only; they do not train"),
    "LR folder": (lambda r, m: m(r / "LR_bicubic" / "X4", "a.png").parents[1], [], r"LR folders and .* do not count"),
    "cache is a file": (lambda r, m: m(r, "a.png"), ["--cache", __file__], r"Cannot write .*test_bad_inputs.py"),
}


@pytest.mark.parametrize("name", BAD_TRAINING)
def test_bad_training_call_is_refused(make_images: Make, tmp_path: Path, capsys, name: str):
    make, options, message = BAD_TRAINING[name]
    folder = make(tmp_path / "D", make_images)
    refused(capsys, prepare.main(["--train-data", str(folder), "--cache", str(tmp_path / "c"), *options]), message)


def test_training_image_in_a_benchmark_is_reported(make_images: Make, tmp_path: Path, capsys):
    training = make_images(tmp_path / "D", "a.png", "b.png")
    benchmark = make_images(tmp_path / "B", "c.png", seed=1)
    options = ["--train-data", str(training), "--benchmarks", str(benchmark), "--cache", str(tmp_path / "c")]
    refused(capsys, prepare.main(options), r"1 training images also stand in a benchmark.* D/b.png is B/c")
