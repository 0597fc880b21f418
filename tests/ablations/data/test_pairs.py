"""Tables of layouts and of spoiled pairs: what goes in, and the pair, origin or sentence that comes out."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from safmn_bench.ablations import evaluate, prepare
from safmn_bench.ablations.data.benchmarks import open_benchmark
from safmn_bench.ablations.data.lr_choice import LRChoice
from safmn_bench.ablations.data.pair_check import FAR_DB, check_sample, distance_db
from safmn_bench.ablations.data.pairs import MADE, pair, require_used
from safmn_bench.ablations.data.training_sets import open_training_sets
from safmn_bench.models.errors import UserError
from safmn_bench.models.resize import lr_from_hr
from safmn_bench.profiling.common.images import read_image, write_png
from safmn_bench.profiling.common.sample_images import embedded_paths


def hr_image(seed: int, height: int = 64, width: int = 80) -> torch.Tensor:
    """A smooth random picture, uint8 (3, height, width)."""
    rng = np.random.default_rng(seed)
    small = PIL.Image.fromarray(rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8))
    array = np.array(small.resize((width, height), PIL.Image.Resampling.BICUBIC))
    return torch.from_numpy(array).permute(2, 0, 1).contiguous()


def write(root: Path, **folders: Sequence[str]) -> None:
    """Images by relative name: HR of pictures 0, 1, ..., and LR; `x4=["LR/a.png"]` is that of picture 0 at scale 4."""
    for kind, names in folders.items():
        for seed, name in enumerate(names):
            hr = hr_image(seed)
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            write_png(root / name, hr if kind == "hr" else lr_from_hr(hr, int(kind[1:])))


HR = ("HR/a.png", "HR/b.png")
# name: (folder that is given, HR files, LR files at x4, what is read as LR of the first image, at scale 4)
READ: dict[str, tuple[str, Sequence[str], Sequence[str], str]] = {
    "HR and LR": ("HR", HR, ("LR/a.png", "LR/b.png"), "LR/a.png"),
    "the folder above": (".", HR, ("LR/a.png", "LR/b.png"), "LR/a.png"),
    "LR_x4": ("HR", HR, ("LR_x4/a.png", "LR_x4/b.png"), "LR_x4/a.png"),
    "LRx4": ("HR", HR, ("LRx4/ax4.png", "LRx4/bx4.png"), "LRx4/ax4.png"),
    "lq": ("HR", HR, ("lq/a.png", "lq/b.png"), "lq/a.png"),
    "LR/X4": ("HR", HR, ("LR/X4/ax4.png", "LR/X4/bx4.png"), "LR/X4/ax4.png"),
    "LR_bicubic/X4": ("HR", HR, ("LR_bicubic/X4/ax4.png", "LR_bicubic/X4/bx4.png"), "LR_bicubic/X4/ax4.png"),
    "LR_bicubic/x4": ("HR", HR, ("LR_bicubic/x4/a.png", "LR_bicubic/x4/b.png"), "LR_bicubic/x4/a.png"),
    "underscore": ("HR", HR, ("LR/a_x4.png", "LR/b_x4.png"), "LR/a_x4.png"),
    "BasicSR": (
        ".", ("GTmod12/a.png", "GTmod12/b.png"), ("LRbicx4/a.png", "LRbicx4/b.png"), "LRbicx4/a.png",
    ),
    "GT and LQ": ("GT", ("GT/a.png",), ("LQ/a.png",), "LQ/a.png"),
    "LR inside a plain folder": (".", ("a.png", "b.png"), ("LR_x4/a.png", "LR_x4/b.png"), "LR_x4/a.png"),
    "LR beside a plain folder": ("Mine", ("Mine/a.png",), ("Mine_LR_x4/a.png",), "Mine_LR_x4/a.png"),
    "DIV2K": (
        "DIV2K_valid_HR", ("DIV2K_valid_HR/0801.png",), ("DIV2K_valid_LR_bicubic/X4/0801x4.png",),
        "DIV2K_valid_LR_bicubic/X4/0801x4.png",
    ),
    "DIV2K unknown": (
        "DIV2K_valid_HR", ("DIV2K_valid_HR/0801.png",), ("DIV2K_valid_LR_unknown/X4/0801x4.png",),
        "DIV2K_valid_LR_unknown/X4/0801x4.png",
    ),
    "bicubic before unknown": (
        "S_HR", ("S_HR/a.png",), ("S_LR_bicubic/X4/ax4.png", "S_LR_unknown/X4/ax4.png"), "S_LR_bicubic/X4/ax4.png",
    ),
    "RealSR": (".", ("c_001_HR.png", "c_002_HR.png"), ("c_001_LR4.png", "c_002_LR4.png"), "c_001_LR4.png"),
    "Urban100": (
        "image_SRF_4", ("image_SRF_4/img_001_SRF_4_HR.png",), ("image_SRF_4/img_001_SRF_4_LR.png",),
        "image_SRF_4/img_001_SRF_4_LR.png",
    ),
    "LR beside HR by x4": (".", ("baby.png", "bird.png"), ("babyx4.png", "birdx4.png"), "babyx4.png"),
    "marks in two folders": ("HR", ("HR/a_HR.png",), ("LR/a_LR4.png",), "LR/a_LR4.png"),
    "another suffix": ("HR", ("HR/a.bmp",), ("LR/a.png",), "LR/a.png"),
    "only LR of another scale": ("HR", HR, (), ""),
    "an LR folder of another set": ("HR", HR, ("Other_LR_x4/z.png",), ""),
    "plain folders beside each other": ("Mine", ("Mine/a.png", "Other/a.png"), (), ""),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_lr_that_the_user_has_is_read(tmp_path: Path, name: str):
    given, hr, lr, read = READ[name]
    if name == "only LR of another scale":
        write(tmp_path, x2=("LR_bicubic/X2/ax2.png", "LR/a.png"))
    if name == "bicubic before unknown":
        write(tmp_path, x4=lr[:1])
        write(tmp_path, x4=lr[1:])
        lr = ()
    write(tmp_path, hr=hr, x4=lr)
    benchmark = open_benchmark(tmp_path / given, 4)
    first = benchmark.items[0]
    assert first.lr == (tmp_path / read if read else None)
    where = (tmp_path / read).resolve().parent
    assert benchmark.lr_origin == (f"LR read from {where.parent.name}/{where.name}" if read else MADE)
    assert torch.equal(next(iter(benchmark.pairs())).lr, lr_from_hr(hr_image(0), 4))
    if not name.startswith("DIV2K"):  # whose validation images do not train
        assert open_training_sets([tmp_path / given], 4)[0].items[0].lr == first.lr


# name: (HR files, LR files at x4, what is given, choice of LR by `{root}`, the sentence)
REFUSED: dict[str, tuple[Sequence[str], Sequence[str], str, LRChoice, str]] = {
    "a folder of LR alone, by its name": (
        (), ("LR_x4/a.png",), "LR_x4", LRChoice(), r"LR_x4 holds LR images by its name, .* say so: --lr made",
    ),
    "a scale of an LR folder": (
        (), ("LR_bicubic/X4/a.png",), "LR_bicubic/X4", LRChoice(), r"X4 holds LR images by its name",
    ),
    "a folder of LR alone, by its files": (
        (), ("S/ax4.png", "S/bx4.png"), "S", LRChoice(), r"S holds LR images by its files' names, such as ax4.png",
    ),
    "RealSR's LR alone": ((), ("S/a_LR4.png",), "S", LRChoice(), r"by its files' names, such as a_LR4.png"),
    "two LR folders": (
        ("HR/a.png",), ("LR_mild_x4/a.png", "LR_wild_x4/a.png"), "HR", LRChoice(),
        r"HR has two LR folders beside it, .*LR_mild_x4 and .*LR_wild_x4. Say which: --lr DIR",
    ),
    "names that do not pair": (
        ("HR/a.png",), ("LR/q.png",), "HR", LRChoice(), r"LR lies beside .*HR, but no file in it .* such as a.png",
    ),
    "LR under another name": (
        ("S/a.png",), ("small/a.png",), "S", LRChoice(), r"small holds images called as those of .*S, 4 times smaller",
    ),
    "an image between pairs": (
        ("a_HR.png", "c.png"), ("a_LR4.png",), ".", LRChoice(),
        r"holds pairs by name, such as a_HR.png and a_LR4.png, but c.png has no LR partner at scale 4",
    ),
    "one LR missing": (
        HR, ("LRx4/a.png",), "HR", LRChoice(), r"HR has 2 images and .*LRx4 has 1: b.png has no LR partner",
    ),
    "two HR folders": (
        ("GT/a.png", "original/a.png"), (), ".", LRChoice(), r"holds GT and original: give the HR folder that is meant",
    ),
    "--lr of nothing": (
        ("HR/a.png",), (), "HR", LRChoice(folders=(Path("nowhere"),)), r"--lr nowhere is no folder. Give a folder",
    ),
    "--lr-pattern without a name": (
        ("HR/a.png",), (), "HR", LRChoice(folders=()), r"--lr-pattern 'LR_\{scale\}': allowed are \{name\}",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_lr_that_cannot_be_told_is_refused(tmp_path: Path, name: str):
    hr, lr, given, choice, message = REFUSED[name]
    for one in lr:
        write(tmp_path, x4=[one])
    write(tmp_path, hr=hr)
    with pytest.raises(UserError, match=message):
        open_benchmark(tmp_path / given, 4, LRChoice(pattern="LR_{scale}") if "pattern" in name else choice)


# name: (HR files, LR files at x4, HR folder, --lr below the folder, pattern, the first image's LR)
CHOSEN: dict[str, tuple[Sequence[str], Sequence[str], str, Sequence[str], str | None, str]] = {
    "a folder": (("S/a.png",), ("small/a.png",), "S", ("small",), None, "small/a.png"),
    "its scale": (("S/a.png",), ("low/X4/ax4.png",), "S", ("low",), None, "low/X4/ax4.png"),
    "one of two": (("HR/a.png",), ("LR_mild_x4/a.png",), "HR", ("LR_mild_x4",), None, "LR_mild_x4/a.png"),
    "a pattern": (("S/a.png",), ("low/small_a.png",), "S", ("low",), "small_{name}", "low/small_a.png"),
    "a pattern with scale": (("S/a_HR.png",), ("l/a-4.png",), "S", ("l",), "{name}-{scale}", "l/a-4.png"),
    "a pattern in one folder": (("a.png",), ("a-low4.png",), ".", (), "{name}-low{scale}", "a-low4.png"),
    "the nearest": (("A/S/a.png",), ("B/l/a.png", "A/l/a.png"), "A/S", ("B/l", "A/l"), None, "A/l/a.png"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHOSEN)
def test_lr_is_read_from_where_the_user_says(tmp_path: Path, name: str):
    hr, lr, given, folders, pattern, read = CHOSEN[name]
    write(tmp_path, hr=hr)
    for one in lr:
        write(tmp_path, x4=[one])
    choice = LRChoice(folders=tuple(tmp_path / folder for folder in folders), pattern=pattern)
    paired = pair(tmp_path / given, 4, choice)
    assert paired.items[0].lr == tmp_path / read
    assert len(paired.items) == len(hr)


def test_made_lr_is_made_whatever_lies_beside(tmp_path: Path):
    write(tmp_path, hr=HR, x4=("LR/a.png", "LR/b.png"))
    assert pair(tmp_path / "HR", 4, LRChoice(made=True)).origin == MADE
    assert len(pair(tmp_path / "LR", 2, LRChoice(made=True)).items) == 2


def test_an_lr_folder_that_belongs_to_no_set_is_refused(tmp_path: Path):
    write(tmp_path, hr=("S/a.png",), x4=("low/q.png",))
    choice = LRChoice(folders=(tmp_path / "low",))
    items = pair(tmp_path / "S", 4, choice).items
    with pytest.raises(
        UserError, match=r"low belongs to none of the sets: it holds files such as q.png, HR is called a"
    ):
        require_used(choice, [items], 4)


def test_commands_read_lr_and_say_from_where(tmp_path: Path, capsys):
    write(tmp_path, hr=("S/a.png",), x4=("small/a.png",))
    call = ["--benchmarks", str(tmp_path / "S"), "--lr", str(tmp_path / "small")]
    assert evaluate.main(["--model", "bicubic", "--scale", "4", *call]) == 0
    assert f"S: LR read from {tmp_path.name}/small." in capsys.readouterr().out
    call = ["--train-data", str(tmp_path / "S"), "--lr", str(tmp_path / "small"), "--cache", str(tmp_path / "c")]
    assert prepare.main(call) == 0
    assert "given" in capsys.readouterr().out
    assert prepare.main([*call, "--lr", "made", "here"]) == 2
    assert "--lr made makes all LR from HR: give no folder" in capsys.readouterr().err


def on_white(hr: torch.Tensor, path: Path, alpha: int) -> None:
    """Write HR with half of it transparent."""
    array = np.dstack([hr.permute(1, 2, 0).numpy(), np.full(hr.shape[1:], 255, np.uint8)])
    array[20:50, 20:60, 3] = alpha
    PIL.Image.fromarray(array).save(path)


Spoil = Callable[[torch.Tensor, Path, Path], torch.Tensor]
# name: (HR of the first image, its file and the second's -> its LR, the likely cause)
SPOILED: dict[str, tuple[Spoil, str]] = {
    "swapped": (lambda hr, *_: lr_from_hr(hr_image(1), 4), "pairs swapped: it is the LR of b.png"),
    "channels": (lambda hr, *_: lr_from_hr(hr, 4).flip(0), "red and blue channels exchanged in one of the two"),
    "upside down": (lambda hr, *_: lr_from_hr(hr, 4).flip(1), "LR is upside down"),
    "mirrored": (lambda hr, *_: lr_from_hr(hr, 4).flip(2), "LR is mirrored"),
    "turned": (
        lambda hr, *_: lr_from_hr(hr, 4).flip(1, 2),
        "turned by 180 degrees: HR or LR by its EXIF orientation, the other not",
    ),
    "one LR pixel": (lambda hr, *_: torch.roll(lr_from_hr(hr, 4), 1, 2), "LR is shifted by one LR pixel"),
    "one HR pixel": (
        lambda hr, *_: lr_from_hr(torch.nn.functional.pad(hr[:, 1:, 1:], (0, 1, 0, 1)), 4),
        "LR was made of an HR shifted by one HR pixel",
    ),
    "transparency": (
        lambda hr, path, _: (on_white(hr, path, 0), lr_from_hr(hr, 4))[1],
        "transparency of HR is composited on white, and the other was made without it",
    ),
    "noise": (
        lambda hr, *_: (lr_from_hr(hr, 4) // 32) * 32,
        "none of the usual ones (pairs swapped, turned, transparency, channels, a shift); LR of another kind",
    ),
}


@pytest.mark.parametrize("name", SPOILED)
def test_a_pair_that_is_far_off_is_named_with_its_cause(tmp_path: Path, name: str):
    spoil, cause = SPOILED[name]
    write(tmp_path, hr=HR, x4=("LR/a.png", "LR/b.png"))
    write_png(tmp_path / "LR/a.png", spoil(hr_image(0), tmp_path / "HR/a.png", tmp_path / "HR/b.png"))
    message = rf"LR/a.png is not MATLAB-style bicubic of .*HR/a.png: \d+\.\d\d dB .* Likely cause: {re.escape(cause)}\."
    with pytest.raises(UserError, match=message):
        list(open_benchmark(tmp_path / "HR", 4).pairs())
    with pytest.raises(UserError, match=message):
        check_sample(pair(tmp_path / "HR", 4).items, 4)
    call = ["--train-data", str(tmp_path), "--cache", str(tmp_path / "c")]
    assert prepare.main(call) == 2
    benchmark = open_benchmark(tmp_path / "HR", 4, LRChoice(is_bicubic=False))
    assert len(list(benchmark.pairs())) == 2
    assert benchmark.lr_origin.endswith("/LR, which is not bicubic of HR")
    assert prepare.main([*call, "--lr-is-not-bicubic"]) == 0


# name: (size of the LR file, what is said of it), at x4 of 80x64
SIZES = {
    "as large as HR": ((64, 80), "It is as large as HR (RealSR enlarges its LR files so)"),
    "turned by EXIF": ((20, 16), "one of the two is turned by its EXIF orientation, the other is not"),
    "one pixel": ((17, 20), "HR was not cropped to a multiple of the scale before it was made"),
}


@pytest.mark.parametrize("name", SIZES)
def test_lr_of_a_wrong_size_says_why(tmp_path: Path, name: str):
    (height, width), why = SIZES[name]
    write(tmp_path, hr=["HR/a.png"])
    (tmp_path / "LRx4").mkdir()
    write_png(tmp_path / "LRx4/a.png", hr_image(0, height, width))
    with pytest.raises(UserError, match=re.escape(why)):
        open_benchmark(tmp_path / "HR", 4)


def test_pillows_bicubic_passes_and_a_mean_of_pixels_does_not():
    hr = read_image(embedded_paths(("astronaut.png",))[0]).rgb[:, :512, :512]
    small = PIL.Image.fromarray(hr.permute(1, 2, 0).numpy())
    db = {}
    for kernel in (PIL.Image.Resampling.BICUBIC, PIL.Image.Resampling.BOX):
        array = np.array(small.resize((128, 128), kernel))
        db[kernel.name] = distance_db(hr, torch.from_numpy(array).permute(2, 0, 1), 4)
    assert db["BICUBIC"] > FAR_DB > db["BOX"]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_the_window_of_a_large_image_is_that_of_the_whole(scale: int):
    hr = hr_image(4, 130 * scale, 140 * scale)
    assert distance_db(hr, lr_from_hr(hr, scale), scale) == float("inf")


# name: (files, how many train, note)
DIV2K: dict[str, tuple[Sequence[str], int, str]] = {
    "another folder's name": (
        ("0001.png", "0800.png", "0801.png", "0900.png"), 2,
        "2 of DIV2K's validation images (0801-0900) left out",
    ),
    "cut out": (
        ("0001_s001.png", "0801_s001.png", "0801_s002.png"), 1,
        "2 of DIV2K's validation images (0801-0900), or cut from them, left out",
    ),
    "cut by another tool": (
        ("0800_1_2.png", "0850-3.png", "0851x2.png"), 1,
        "2 of DIV2K's validation images (0801-0900), or cut from them, left out",
    ),
    "another set's numbers": (
        ("0801.png", "0900.png", "0901.png", "1000.png"), 4,
        "2 are called 0801-0900, as DIV2K's validation images: kept, since names go on to 1000",
    ),
    "Flickr2K": (("000801.png", "000900.png"), 2, ""),
    "six digits": (("000801_s001.png", "000001.png"), 2, ""),
    "words": (("a0801.png", "img_0850.png"), 2, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", DIV2K)
def test_div2k_validation_images_never_train_without_a_word(tmp_path: Path, name: str):
    files, kept, note = DIV2K[name]
    write(tmp_path, hr=[f"all/{file}" for file in files])
    [one] = open_training_sets([tmp_path / "all"], 4)
    assert (len(one.items), one.note) == (kept, note)


def test_bicubic_of_given_lr_and_of_made_lr_are_told_apart(tmp_path: Path, capsys):
    """A blurred set: over 1 dB between the two, each with its source."""
    hr = hr_image(0, 128, 128)
    (tmp_path / "HR").mkdir()
    (tmp_path / "LR").mkdir()
    write_png(tmp_path / "HR/a.png", hr)
    blurred = torch.nn.functional.avg_pool2d(hr[None].float(), 5, 1, 2)[0].round().to(torch.uint8)
    write_png(tmp_path / "LR/a.png", lr_from_hr(blurred, 4))
    printed = []
    for options in (["--lr-is-not-bicubic"], ["--lr", "made"]):
        csv = tmp_path / "s.csv"
        call = ["--model", "bicubic", "--scale", "4", "--benchmarks", str(tmp_path / "HR"), "--csv", str(csv), *options]
        assert evaluate.main(call) == 0
        printed.append((float(csv.read_text().splitlines()[-1].split(",")[5]), capsys.readouterr().out))
    (given_db, given), (made_db, made) = printed
    assert made_db - given_db > 1
    assert f"LR read from {tmp_path.name}/LR, which is not bicubic of HR" in given
    assert "LR made from HR by MATLAB-style bicubic" in made


def test_published_set5_passes_the_check(shared: Callable[[str], Path]):
    folder = shared("data/benchmarks/Set5") / "HR"
    for scale in (2, 3, 4):
        for item in pair(folder, scale).items:
            assert item.lr is not None
            assert distance_db(read_image(item.hr).rgb, read_image(item.lr).rgb, scale) == float("inf")
