"""Preflight: rooms for patches, and leakage found by content whatever the files are called."""

from collections.abc import Callable
from pathlib import Path

import PIL.Image
import pytest

from safmn_bench.ablations.data import pack_writer
from safmn_bench.ablations.data.benchmarks import open_benchmark
from safmn_bench.ablations.data.preflight import prepare_training, without_small
from safmn_bench.ablations.data.training_sets import open_training_sets
from safmn_bench.models.errors import UserError

Make = Callable[..., Path]


def test_sound_sets_come_back_packed(make_images: Make, tmp_path: Path):
    sets = open_training_sets([make_images(tmp_path / "T", "a.png", "b.png")], 4)
    benchmark = open_benchmark(make_images(tmp_path / "B", "a.png", seed=50), 4)
    assert len(prepare_training(sets, [benchmark], scale=4, patch=16, cache=tmp_path / "cache")) == 2


@pytest.mark.parametrize("name", ["other.png", "other.bmp", "other.tif"])
def test_a_benchmark_image_in_the_training_set_is_found_in_any_lossless_file(
    make_images: Make, tmp_path: Path, name: str
):
    benchmark = open_benchmark(make_images(tmp_path / "B", "a.png", "b.png", height=65, width=81), 4)
    training = make_images(tmp_path / "T", "x.png", seed=50)
    PIL.Image.open(tmp_path / "B" / "b.png").save(training / name)
    with pytest.raises(UserError, match=rf"1 training images also stand in a benchmark.*T/{name} is B/b"):
        prepare_training(open_training_sets([training], 4), [benchmark], scale=4, cache=tmp_path / "cache")


def test_leakage_is_found_in_a_pack_made_before(make_images: Make, tmp_path: Path):
    sets = open_training_sets([make_images(tmp_path / "T", "a.png")], 4)
    prepare_training(sets, [], scale=4, cache=tmp_path / "cache")
    benchmark = open_benchmark(make_images(tmp_path / "B", "z.png"), 4)
    with pytest.raises(UserError, match="T/a.png is B/z"):
        prepare_training(sets, [benchmark], scale=4, cache=tmp_path / "cache")


def test_image_smaller_than_the_patch_is_named_before_anything_is_decoded(make_images: Make, tmp_path, monkeypatch):
    make_images(tmp_path / "T", "a.png", height=64, width=64)
    make_images(tmp_path / "T", "b.png", "c.png", height=40, width=64)
    monkeypatch.setattr(pack_writer, "read_image", None)
    sets = open_training_sets([tmp_path / "T"], 4)
    with pytest.raises(UserError, match=r"T/b.png is 16x10 pixels as LR, smaller than train.patch=12 \(1 more"):
        prepare_training(sets, [], scale=4, patch=12, cache=tmp_path / "cache")


def test_images_smaller_than_the_patch_are_left_out_on_request(make_images: Make, tmp_path: Path):
    make_images(tmp_path / "T", "a.png", "d.png", height=48, width=64)
    make_images(tmp_path / "T", "b.png", "c.png", height=47, width=64)
    [kept] = without_small(open_training_sets([tmp_path / "T"], 4), 4, patch=12)
    assert [item.name for item in kept.items] == ["a", "d"]
    assert kept.note == "2 smaller than the LR patch of 12 left out"
    with pytest.raises(UserError, match=r"T holds only images smaller than train.patch=13"):
        without_small(open_training_sets([tmp_path / "T"], 4), 4, patch=13)


def test_shared_training_images_stand_in_no_benchmark(shared: Callable[[str], Path], tmp_path: Path):
    sets = open_training_sets([shared("data/train/T91")], 4)
    benchmarks = [open_benchmark(shared(f"data/benchmarks/{name}"), 4) for name in ("Set5", "Set14")]
    assert len(prepare_training(sets, benchmarks, scale=4, patch=16, cache=tmp_path / "cache")) == 91
