"""Benchmarks: layouts, names, and LR that equals MATLAB's to the last pixel."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

from safmn_bench.ablations.data import benchmarks
from safmn_bench.ablations.data.benchmarks import embedded_validation, open_benchmark, open_benchmarks
from safmn_bench.ablations.data.lr_choice import LRChoice
from safmn_bench.models.errors import UserError
from safmn_bench.models.resize import lr_from_hr
from safmn_bench.profiling.common.images import read_image
from safmn_bench.profiling.common.sample_images import TRAINING, VALIDATION, embedded_paths

Make = Callable[..., Path]


def test_plain_folder_is_named_after_itself_and_gets_lr_made(make_images: Make, tmp_path: Path):
    folder = make_images(tmp_path / "Mine", "a.png", "b.png", height=65, width=82)
    benchmark = open_benchmark(folder, 4)
    first = next(iter(benchmark.pairs()))
    assert (benchmark.name, len(benchmark.items)) == ("Mine", 2)
    assert (first.name, first.hr.shape, first.lr.shape) == ("a", (3, 64, 80), (3, 16, 20))
    assert torch.equal(first.hr, read_image(folder / "a.png").rgb[:, :64, :80])
    assert torch.equal(first.lr, lr_from_hr(first.hr, 4))


@pytest.mark.parametrize("given", ["Set", "Set/HR"])
def test_hr_folder_is_named_after_the_folder_above_and_reads_given_lr(make_images: Make, tmp_path: Path, given: str):
    make_images(tmp_path / "Set" / "HR", "a.png", height=66, width=82)
    make_images(tmp_path / "Set" / "LR_bicubic" / "X4", "ax4.png", seed=7, height=16, width=20)
    benchmark = open_benchmark(tmp_path / given, 4, LRChoice(is_bicubic=False))
    assert (benchmark.name, benchmark.lr_origin) == (
        "Set",
        "LR read from LR_bicubic/X4, which is not bicubic of HR",
    )
    pair = next(iter(benchmark.pairs()))
    assert torch.equal(pair.lr, read_image(tmp_path / "Set/LR_bicubic/X4/ax4.png").rgb)
    assert open_benchmark(tmp_path / given, 2).lr_origin == "LR made from HR by MATLAB-style bicubic"


def test_div2k_validation_folder_finds_its_lr(make_images: Make, tmp_path: Path):
    make_images(tmp_path / "DIV2K_valid_HR", "0801.png")
    make_images(tmp_path / "DIV2K_valid_LR_bicubic" / "X4", "0801x4.png", height=16, width=20)
    benchmark = open_benchmark(tmp_path / "DIV2K_valid_HR", 4)
    assert (benchmark.name, benchmark.items[0].lr) == (
        "DIV2K_valid_HR",
        tmp_path / "DIV2K_valid_LR_bicubic" / "X4" / "0801x4.png",
    )


def test_grey_files_are_marked_and_made_rgb(tmp_path: Path):
    PIL.Image.fromarray(np.arange(64 * 64, dtype=np.uint32).reshape(64, 64).astype(np.uint8)).save(tmp_path / "a.png")
    pair = next(iter(open_benchmark(tmp_path, 2).pairs()))
    assert pair.grey
    assert pair.lr.shape == (3, 32, 32)


def test_pairs_are_kept_in_memory_within_a_limit(make_images: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(benchmarks, "CACHE_BYTES", 40_000)  # two pairs of 16,320 bytes fit
    benchmark = open_benchmark(make_images(tmp_path, "a.png", "b.png", "c.png"), 4)
    first, again = list(benchmark.pairs()), list(benchmark.pairs())
    assert [pair.name for pair in first] == ["a", "b", "c"]
    assert sum(a is b for a, b in zip(first, again, strict=True)) == 2


def test_two_benchmarks_of_one_name_are_refused(make_images: Make, tmp_path: Path):
    folders = [make_images(tmp_path / where / "Set", "a.png") for where in "xy"]
    with pytest.raises(UserError, match="are both benchmarks named 'Set'"):
        open_benchmarks(folders, 4)


def test_embedded_lists_are_disjoint_and_installed():
    assert not set(TRAINING) & set(VALIDATION)
    assert {"motorcycle_left.png", "motorcycle_right.png"} <= set(TRAINING)
    assert len(embedded_paths(TRAINING + VALIDATION)) == len(TRAINING) + len(VALIDATION)
    assert [pair.name for pair in embedded_validation(4).pairs()] == [Path(name).stem for name in VALIDATION]


def test_missing_embedded_photograph_is_named():
    with pytest.raises(UserError, match=r"photograph nowhere.png is not in .*scikit-image 0.25 or newer"):
        embedded_paths(("nowhere.png",))


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_own_lr_equals_the_matlab_files_of_set5(shared: Callable[[str], Path], scale: int):
    benchmark = open_benchmark(shared("data/benchmarks/Set5"), scale)
    assert benchmark.lr_origin == f"LR read from LR_bicubic/X{scale}"
    for pair in benchmark.pairs():
        assert torch.equal(lr_from_hr(pair.hr, scale), pair.lr), pair.name
