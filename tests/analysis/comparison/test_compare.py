"""`compare`: a row per network, figures as of complexity, evaluate and latency; a failure empties one row only."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from own_networks import write_class, write_networks

from safmn_bench.ablations.evaluate import main as evaluate
from safmn_bench.analysis.compare import main
from safmn_bench.models.names import find_candidate
from safmn_bench.profiling.timing.interleaved import Timed


@pytest.fixture
def instant(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """No processes: made-up times, 10 ms for the first network and 1 ms more for each next; the jobs asked for."""
    asked: list[str] = []

    def measure(jobs: Sequence, runs: int) -> list[Timed]:
        asked.extend(f"{job} {job.width}x{job.height}" for job in jobs)
        return [Timed(job=job, rounds_ms=[[10.0 + i] * runs], peak_memory_mib=5.0 + i) for i, job in enumerate(jobs)]

    monkeypatch.setattr("safmn_bench.analysis.comparison.command.measure", measure)
    return asked


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


@pytest.fixture
def trained(tmp_path: Path) -> tuple[str, Path]:
    """A network of one's own, and weights of it."""
    name = write_networks(tmp_path)["RepNet"]
    torch.manual_seed(0)
    torch.save({"params": find_candidate(name).build(4).state_dict()}, tmp_path / "mine.pth")
    return name, tmp_path / "mine.pth"


def test_row_has_the_counts_of_complexity_and_the_scores_of_evaluate(
    instant: list[str], trained: tuple[str, Path], photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    name, weights = trained
    files = [str(tmp_path / f"all.{end}") for end in ("csv", "md", "tex")]
    benchmarks = ["--benchmarks", str(photographs / "score")]
    call = [
        name,
        "bicubic",
        name.replace("rep.py:RepNet", "plain.py:PlainNet"),
        "--weights",
        str(weights),
        "-",
        "-",
        *benchmarks,
        "--lr-size",
        "24x16",
    ]
    assert main([*call, "--runs", "10", "--csv", files[0], "--markdown", files[1], "--latex", files[2]]) == 0
    mine, bicubic, other = rows(tmp_path / "all.csv")

    assert [one["model"] for one in (mine, bicubic, other)] == ["RepNet", "Bicubic", "PlainNet"]
    assert [one["weights"] for one in (mine, bicubic, other)] == ["mine.pth", "", "untrained"]
    # by hand, deployed: 3x3 convolutions 3 -> 8, 8 -> 8 and 8 -> 48 with biases
    assert mine["params"] == str((27 + 1) * 8 + (72 + 1) * 8 + (72 + 1) * 48)
    assert bicubic["params"] == "0"
    assert (mine["median_ms"], bicubic["median_ms"], mine["peak_memory_mib"]) == ("10.0", "11.0", "5.0")
    assert [one["place"] for one in (mine, bicubic, other)] == ["1", "2", "3"]
    assert instant[0] == "RepNet x4 eager fp32 24x16"

    scored = tmp_path / "scores.csv"
    assert evaluate(["--model", name, "--weights", str(weights), *benchmarks, "--csv", str(scored)]) == 0
    (mean,) = (row for row in rows(scored) if row["image"] == "mean")
    assert float(mine["score_psnr_y_db"]) == pytest.approx(float(mean["psnr_y_db"]), abs=1e-9)
    assert float(bicubic["score_psnr_y_db"]) > 20
    assert other["score_psnr_y_db"] == ""

    said = capsys.readouterr().out
    assert "Untrained, so without scores: PlainNet." in said
    assert "RepNet: LR sides are padded by reflection to a multiple of 4; SR is cropped." in said
    assert (tmp_path / "all.md").read_text().count("\n| RepNet | mine.pth |") == 1
    assert "PlainNet & untrained" in (tmp_path / "all.tex").read_text()
    assert json.loads((tmp_path / "all.csv.json").read_text())["files"]["weights 1"]["name"] == "mine.pth"


def test_one_network_with_two_weight_files_is_timed_once_and_told_apart(
    instant: list[str], trained: tuple[str, Path], photographs: Path, tmp_path: Path
):
    name, weights = trained
    torch.save({k: v * 0.9 for k, v in torch.load(weights)["params"].items()}, tmp_path / "other.pth")
    call = [name, name, "--weights", str(weights), str(tmp_path / "other.pth"), "--csv", str(tmp_path / "all.csv")]
    assert main([*call, "--benchmarks", str(photographs / "score")]) == 0
    first, second = rows(tmp_path / "all.csv")
    assert len(instant) == 1
    assert (first["model"], second["model"]) == ("RepNet (1)", "RepNet (2)")
    assert first["median_ms"] == second["median_ms"]
    assert first["score_psnr_y_db"] != second["score_psnr_y_db"]


def test_network_that_fails_empties_its_own_cells_alone(
    instant: list[str], photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    forward = "assert x.shape[-1] > 200, 'small'; return F.interpolate(self.conv(x), scale_factor=self.up)"
    name = write_class(tmp_path, "Picky", forward=forward)
    torch.save(find_candidate(name).build(4).state_dict(), tmp_path / "w.pth")
    call = [name, "bicubic", "--weights", str(tmp_path / "w.pth"), "-", "--csv", str(tmp_path / "all.csv")]
    assert main([*call, "--benchmarks", str(photographs / "score")]) == 1
    picky, bicubic = rows(tmp_path / "all.csv")
    assert (picky["score_psnr_y_db"], picky["params"]) == ("", "")
    assert bicubic["score_psnr_y_db"]
    assert "error: Picky was not scored on score: AssertionError: small" in capsys.readouterr().err


def test_di_is_the_mean_over_the_windows_of_a_study(
    instant: list[str], tmp_path: Path, photographs: Path, trained: tuple[str, Path]
):
    name, weights = trained
    call = [name, "--weights", str(weights), "--lam", "--steps", "2", "--csv", str(tmp_path / "all.csv")]
    assert main([*call, "--benchmarks", str(photographs / "score")]) == 0
    (row,) = rows(tmp_path / "all.csv")
    assert row["di_maps"] == "6"
    assert 0 < float(row["di"]) < 5  # three 3x3 convolutions see 16/4 + 6 of 64 pixels a side: 2.4 % of the map


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["safmn", "carn", "--weights", "a.pth"], "--weights has 1 entries for 2 networks (safmn, carn)"),
        (["safmn", "--weights", "nowhere.pth"], "nowhere.pth"),
        (["safnm"], "Did you mean 'safmn'"),
        (["bicubic", "--weights", "a.pth"], "bicubic has no weights"),
        (["safmn", "--lr-size", "big"], "--lr-size 'big' is not a size"),
    ],
)
def test_a_wrong_call_ends_before_anything_is_measured(
    words: list[str], sentence: str, instant: list[str], capsys: pytest.CaptureFixture[str]
):
    assert main(words) == 2
    assert sentence in capsys.readouterr().err
    assert instant == []


@pytest.mark.slow
def test_times_are_measured_in_turns_of_processes(trained: tuple[str, Path], tmp_path: Path):
    call = [trained[0], "bicubic", "--weights", str(trained[1]), "-", "--lr-size", "24x16", "--device", "cpu"]
    assert main([*call, "--runs", "10", "--threads", "1", "--csv", str(tmp_path / "all.csv")]) == 0
    for row in rows(tmp_path / "all.csv"):
        assert row["runs"] == "10"
        assert 0 < float(row["p10_ms"]) <= float(row["median_ms"]) <= float(row["p90_ms"])
        assert float(row["peak_memory_mib"]) > 0
        assert float(row["embedded_psnr_y_db"]) > 0
