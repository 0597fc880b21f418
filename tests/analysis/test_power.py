"""power.py: seeds for a difference and difference for seeds, from runs and from a standard deviation."""

import csv
import re
from pathlib import Path

import pytest
from made_records import made_record, scores_of, write_run

from safmn_bench.analysis import power


def runs(folder: Path, seeds: int = 2) -> Path:
    """Three networks; seeds move each by its own, up to 0.03 dB."""
    for index, name in enumerate(("baseline", "w_o_FM", "n4")):
        for seed in range(seeds):
            moved = 0.01 * ((index * 7 + seed * 5) % 4)
            write_run(folder, made_record(name, seed, {"Set5": scores_of(30 - 0.1 * index + moved)}))
    return folder


def test_a_table_per_benchmark_and_metric_goes_to_csv_and_figure(tmp_path: Path):
    call = ["--runs", str(runs(tmp_path / "runs")), "--seeds", "2", "10", "--csv", str(tmp_path / "power.csv")]
    assert power.main([*call, "--figure", str(tmp_path / "power")]) == 0
    with (tmp_path / "power.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [(r["metric"], r["judged"], r["seeds"]) for r in rows] == [
        (metric, judged, seeds)
        for metric in ("psnr_y_db", "ssim_y") for judged in ("alone", "family") for seeds in ("2", "10")
    ]  # fmt: skip
    first = rows[0]
    assert first["freedom"] == "2"
    assert float(first["detectable_low"]) < float(first["detectable"]) < float(first["detectable_high"])
    assert all((tmp_path / f"power.{kind}").stat().st_size > 1000 for kind in ("pdf", "svg", "png"))


def test_a_difference_asks_for_seeds(capsys: pytest.CaptureFixture[str]):
    """The square root of 2 of a run's deviations is one of a pair's difference: 10 pairs find it (Cohen 1988)."""
    assert power.main(["--sd", "1", "--detect", "1.41421356", "--networks", "2"]) == 0
    row = next(line for line in capsys.readouterr().out.splitlines() if "PSNR-Y" in line and "alone" in line)
    assert re.split(r"\s{2,}", row)[3] == "10"


def test_few_runs_are_said_to_be_few(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    power.main(["--runs", str(runs(tmp_path / "runs")), "--detect", "0.05"])
    assert "2 degrees of freedom" in (out := " ".join(capsys.readouterr().out.split()))
    assert "Few degrees of freedom (below 8): the figures above are rough." in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sd", "0"], "--sd is out of range. Allowed: above 0."),
        (["--sd", "0.02", "--detect", "-1"], "--detect is out of range. Allowed: above 0."),
        (["--sd", "0.02", "--seeds", "1"], "--seeds is out of range. Allowed: at least 2: one seed tells no noise."),
        (["--sd", "0.02", "--networks", "1"], "--networks is out of range."),
        (["--sd", "0.02", "--chance", "1"], "--chance is out of range."),
        (["--runs", "nowhere"], "nowhere is not a folder."),
    ],
)
def test_what_cannot_be_is_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert power.main(options) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_runs_of_one_seed_tell_no_noise(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert power.main(["--runs", str(runs(tmp_path / "runs", seeds=1))]) == 2
    assert "tell no noise" in capsys.readouterr().err


def test_without_a_baseline_there_is_nothing_to_differ_from(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert power.main(["--runs", str(runs(tmp_path / "runs")), "--baseline", "safmn"]) == 2
    assert "Among the runs is no safmn" in capsys.readouterr().err
