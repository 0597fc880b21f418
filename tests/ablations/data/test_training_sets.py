"""Which files a training folder stands for: DIV2K and Flickr2K as published, and folders of one's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from safmn_bench.ablations.data.training_sets import open_training_sets
from safmn_bench.models.errors import UserError

Make = Callable[..., Path]


def div2k(make_images: Make, root: Path) -> Path:
    make_images(root / "DIV2K_train_HR", "0001.png", "0800.png", "0801.png", "0900.png")
    names = ("0001x4.png", "0800x4.png", "0801x4.png", "0900x4.png")
    make_images(root / "DIV2K_train_LR_bicubic" / "X4", *names, height=16, width=20)
    make_images(root / "DIV2K_valid_HR", "0801.png")
    make_images(root / "DIV2K_valid_LR_bicubic" / "X4", "0801x4.png", height=16, width=20)
    return root


@pytest.mark.parametrize("below", [".", "DIV2K_train_HR"])
def test_div2k_trains_on_1_to_800_with_its_own_lr(make_images: Make, tmp_path: Path, below: str):
    (one,) = open_training_sets([div2k(make_images, tmp_path) / below], 4)
    assert (one.name, one.lr_given) == ("DIV2K_train_HR", True)
    assert [item.name for item in one.items] == ["0001", "0800"]
    assert one.items[0].lr == tmp_path / "DIV2K_train_LR_bicubic" / "X4" / "0001x4.png"
    assert one.note == "2 of DIV2K's validation images (0801-0900) left out"


def test_scale_without_lr_files_gets_them_made(make_images: Make, tmp_path: Path):
    (one,) = open_training_sets([div2k(make_images, tmp_path)], 2)
    assert not one.lr_given
    assert {item.lr for item in one.items} == {None}


def test_a_folder_with_div2k_and_flickr2k_is_df2k(make_images: Make, tmp_path: Path):
    div2k(make_images, tmp_path / "DIV2K")
    make_images(tmp_path / "Flickr2K" / "Flickr2K_HR", "000001.png", "000850.png")
    names = ("000001x4.png", "000850x4.png")
    make_images(tmp_path / "Flickr2K" / "Flickr2K_LR_bicubic" / "X4", *names, height=16, width=20)
    sets = open_training_sets([tmp_path], 4)
    assert [(one.name, len(one.items), one.lr_given) for one in sets] == [
        ("DIV2K_train_HR", 2, True),
        ("Flickr2K_HR", 2, True),
    ]


def test_folders_below_are_sets_unless_the_folder_has_images(make_images: Make, tmp_path: Path):
    make_images(tmp_path / "B", "b.png")
    make_images(tmp_path / "A" / "HR", "a.png")
    assert [one.name for one in open_training_sets([tmp_path], 4)] == ["A", "B"]
    make_images(tmp_path, "c.png")
    assert [len(one.items) for one in open_training_sets([tmp_path], 4)] == [1]


def test_sets_of_one_name_are_told_apart_by_the_folder_above(make_images: Make, tmp_path: Path):
    folders = [make_images(tmp_path / where / "set", "a.png") for where in "xy"]
    assert [one.name for one in open_training_sets(folders, 4)] == ["x/set", "y/set"]


def test_a_set_given_twice_is_refused(make_images: Make, tmp_path: Path):
    make_images(tmp_path / "A", "a.png")
    with pytest.raises(UserError, match="A is given twice"):
        open_training_sets([tmp_path, tmp_path / "A"], 4)


def test_no_folder_means_the_embedded_photographs():
    (one,) = open_training_sets([], 4)
    assert (one.name, one.lr_given) == ("embedded", False)
