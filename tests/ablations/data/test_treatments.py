"""What was done to images, and files passed over, told in the same words by evaluate, run and prepare."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from short_runs import FAST

from safmn_bench.ablations import evaluate, prepare, run


def picture(seed: int) -> np.ndarray:
    small = PIL.Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 10, 3), dtype=np.uint8))
    return np.array(small.resize((80, 64), PIL.Image.Resampling.BICUBIC))


def grey(path: Path, array: np.ndarray) -> None:
    PIL.Image.fromarray(array[..., 0]).save(path)


def deep(path: Path, array: np.ndarray) -> None:
    PIL.Image.fromarray(array[..., 0].astype(np.uint16) * 256).save(path)


def transparent(path: Path, array: np.ndarray) -> None:
    PIL.Image.fromarray(np.dstack([array, np.full(array.shape[:2], 128, np.uint8)])).save(path)


def palette(path: Path, array: np.ndarray) -> None:
    PIL.Image.fromarray(array).convert("P").save(path)


def turned(path: Path, array: np.ndarray) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 3
    PIL.Image.fromarray(array).save(path, exif=exif)


# name: (how b.png is written, what every command says of it)
TREATED = {
    "greyscale": (grey, "1 image: greyscale (S/{name})."),
    "16-bit": (deep, "1 image: 16-bit: upper eight bits kept (S/{name})."),
    "transparency": (transparent, "1 image: transparency composited on white (S/{name})."),
    "palette": (palette, "1 image: palette expanded to RGB (S/{name})."),
    "EXIF": (turned, "1 image: turned upright by its EXIF orientation (S/{name})."),
}


@pytest.mark.parametrize("name", TREATED)
def test_every_command_tells_what_was_done(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]):
    write, said = TREATED[name]
    for folder, seed in (("S", 0), ("T", 5)):
        (tmp_path / folder).mkdir()
        PIL.Image.fromarray(picture(seed)).save(tmp_path / folder / "a.png")
        write(tmp_path / folder / "b.png", picture(seed + 1))
        (tmp_path / folder / "c.webp").write_bytes(b"")
    unread = "1 file passed over in {} (c.webp): allowed are .png, .jpg, .jpeg, .bmp, .tif, .tiff."
    scored = ["--benchmarks", str(tmp_path / "S")]
    assert evaluate.main(["--model", "bicubic", "--scale", "4", *scored]) == 0
    out = capsys.readouterr().out
    assert said.format(name="b") in out
    assert unread.format(tmp_path / "S") in out
    trained = ["--train-data", str(tmp_path / "T")]
    assert prepare.main([*trained, *scored, "--cache", str(tmp_path / "c")]) == 0
    out = capsys.readouterr().out
    for line in (said.format(name="b"), said.replace("S/", "T/").format(name="b.png")):
        assert line in out
    assert unread.format(tmp_path / "T") in out
    call = ["--variant", "n4", "--device", "cpu", "--out", str(tmp_path / "o"), "--dry-run", "--set", *FAST]
    assert run.main([*call, *trained, *scored]) == 0
    err = capsys.readouterr().err
    for line in (said.format(name="b"), said.replace("S/", "T/").format(name="b.png"), unread.format(tmp_path / "S")):
        assert f"note: {line}" in err


def test_plain_images_are_not_spoken_of(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    PIL.Image.fromarray(picture(0)).save(tmp_path / "a.png")
    assert evaluate.main(["--model", "bicubic", "--scale", "4", "--benchmarks", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "1 image:" not in out
    assert "passed over" not in out
