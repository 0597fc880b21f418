"""Repeated structure of an image, by planes whose repetition is known, and scores told apart by it."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest
from made_records import made_record, scores_of, write_run

from safmn_bench.ablations.judging.sequential import Looks, overall
from safmn_bench.analysis.findings.runs import Study, read_study
from safmn_bench.analysis.findings.structure import autocorrelation, by_structure, repetition
from safmn_bench.analysis.study import main

Y, X = np.mgrid[0:160, 0:200].astype(float)


def test_a_sinusoid_comes_again_as_it_was():
    """Its detail is a sinusoid again; its correlation at a shift d is cos(2 pi d / period)."""
    assert repetition(128 + 60 * np.sin(2 * np.pi * X / 16)) == pytest.approx(1.0, abs=0.02)


def test_squares_of_a_grid_repeat_in_both_directions_and_a_single_edge_in_none():
    assert repetition(100.0 * ((X // 12 + Y // 12) % 2)) > 0.9
    assert repetition(100.0 * (X > 90)) < 0.05
    assert repetition(100.0 / (1 + np.exp(130 - X - 0.5 * Y))) < 0.05


def test_noise_hardly_repeats():
    assert repetition(128 + 30 * np.random.default_rng(0).normal(size=(160, 200))) < 0.1


def test_autocorrelation_is_that_of_the_overlap_by_a_loop():
    x = np.random.default_rng(1).normal(size=(9, 11))
    r = autocorrelation(x, 3)
    for dy in range(4):
        for dx in range(-3, 4):
            a = x[dy:, max(dx, 0) : 11 + min(dx, 0)]
            b = x[: 9 - dy, max(-dx, 0) : 11 + min(-dx, 0)]
            assert r[3 + dy, 3 + dx] == pytest.approx((a * b).sum() / np.sqrt((a**2).sum() * (b**2).sum()), abs=1e-12)


def write_benchmark(folder: Path) -> Path:
    """Eight images: two of stripes, called as those of the made records, and six of noise."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for index in range(8):
        noise = rng.normal(size=(96, 96)) * 20
        stripes = 60 * np.sin(2 * np.pi * X[:96, :96] / 12) if index in (2, 5) else 0.0
        plane = np.clip(128 + noise + stripes, 0, 255).astype(np.uint8)
        PIL.Image.fromarray(plane).convert("RGB").save(folder / f"i{index}.png")
    return folder


@pytest.mark.slow
def test_a_study_holds_the_quarter_that_repeats_most_against_the_rest(tmp_path: Path):
    """n4 loses 0.9 dB on the two images of stripes, and nothing elsewhere."""
    for name in ("baseline", "n4"):
        for seed in (0, 1, 2):
            images = {
                f"i{i}": 30.0 + i + 0.01 * seed * (i % 2) - (0.9 if name == "n4" and i in (2, 5) else 0.0)
                for i in range(8)
            }
            each = {image: {"psnr_y_db": score, "ssim_y": 0.9} for image, score in images.items()}
            scores = {"psnr_y_db": sum(images.values()) / 8, "ssim_y": 0.9, "images": each}
            write_run(tmp_path / "runs", made_record(name, seed, {"Tiles": scores}))
    call = ["--runs", str(tmp_path / "runs"), "--records-only", "--out", str(tmp_path / "out")]
    assert main([*call, "--structure", str(write_benchmark(tmp_path / "Tiles"))]) == 0
    with (tmp_path / "out" / "structure.csv").open(newline="") as handle:
        measured = list(csv.DictReader(handle))
    assert json.loads((tmp_path / "out" / "structure.csv.json").read_text())["csv"] == "structure.csv"
    told = by_structure(read_study(tmp_path / "runs"), measured)
    assert told is not None
    assert (set(told.repeated), told.rest) == ({"Tiles/i2", "Tiles/i5"}, 6)
    ((name, repeated, rest),) = told.compared
    assert (name, round(repeated.difference, 9), round(rest.difference, 9)) == ("n4", -0.9, 0.0)
    text = (tmp_path / "out" / "README.md").read_text()
    assert "## Where images repeat themselves" in text
    assert "−0.900" in text


def test_a_study_whose_runs_lack_the_measured_images_says_nothing_of_structure(tmp_path: Path):
    for seed in (0, 1):
        for name in ("baseline", "n4"):
            write_run(tmp_path, made_record(name, seed, {"Set5": scores_of(30 + seed)}))
    rows = [{"dataset": "Tiles", "image": "i0", "repetition": "1.0"}]
    assert by_structure(read_study(tmp_path), rows) is None


def sweep_of(folder: Path, **changes: Any) -> Study:
    """The baseline and n4 with three seeds on eight images of Tiles, on which n4 loses by chance."""
    rng = np.random.default_rng(3)
    for name in ("baseline", "n4"):
        for seed in range(3):
            each = {f"i{i}": {"psnr_y_db": 30.0 + rng.normal(), "ssim_y": 0.9} for i in range(8)}
            scores = {"psnr_y_db": float(np.mean([s["psnr_y_db"] for s in each.values()])), "ssim_y": 0.9}
            write_run(folder, made_record(name, seed, {"Tiles": {**scores, "images": each}}, **changes))
    return read_study(folder)


def test_where_seeds_were_added_by_what_was_found_both_groups_are_judged_at_their_looks(tmp_path: Path):
    rows = [{"dataset": "Tiles", "image": f"i{i}", "repetition": str(1.0 - 0.1 * i)} for i in range(8)]
    fixed = by_structure(sweep_of(tmp_path / "fixed"), rows)
    looked = by_structure(sweep_of(tmp_path / "looked", looks={"first": 3, "most": 10}), rows)
    assert fixed is not None
    assert looked is not None
    ((_, *alone),), ((_, *at_looks),) = fixed.compared, looked.compared
    shares = Looks(first=3, most=10).shares
    for one, other in zip(alone, at_looks, strict=True):
        assert one.p is not None
        assert other.p == pytest.approx(overall(one.p, 0, shares))
        assert overall(one.p, 0, shares) > one.p
