"""The runtimes' table: losses beside plain PyTorch, forms that cannot be had, forms that stray."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from safmn_bench.ablations.deployment import command
from safmn_bench.ablations.deployment.judge import Judgement
from safmn_bench.ablations.runtimes import main
from safmn_bench.profiling.timing.forms import Job
from safmn_bench.profiling.timing.interleaved import Timed

PSNR = {"eager": 38.0, "fast": 38.0, "openvino": 37.9}
DIFFERENCE = {"eager": 0.0, "fast": 2e-6, "openvino": 3e-6}


@pytest.fixture
def measured_by_hand(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """Differences and times as written here; ncnn is not installed. The differences can be changed."""
    differences = dict(DIFFERENCE)

    def judged(job: Job, *_: Any) -> Judgement:
        return Judgement(
            job=job,
            largest_difference=differences[job.implementation],
            psnr_y_db={"embedded": PSNR[job.implementation]} if job.weights else {},
        )

    def measure(jobs: Sequence[Job], runs: int, seen: Any) -> list[Timed]:
        return [Timed(job=job, rounds_ms=[[10.0]], flat=True, file_mib=1.5) for job in jobs]

    def refusal(job: Job) -> str | None:
        return "ncnn is not installed: pip install 'safmn-bench[ncnn]'." if job.implementation == "ncnn" else None

    monkeypatch.setattr(command, "judged", judged)
    monkeypatch.setattr(command, "measure", measure)
    monkeypatch.setattr(command, "refusal", refusal)
    return differences


FORMS = ["--implementations", "eager", "fast", "openvino", "ncnn"]


def test_losses_are_counted_from_plain_pytorch(
    measured_by_hand: dict[str, float], shared: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    weights, out = shared("weights/safmn_x2.pth"), tmp_path / "a.csv"
    assert main(["--scale", "2", "--weights", str(weights), "--csv", str(out), *FORMS]) == 0
    rows = {row["implementation"]: row for row in csv.DictReader(out.read_text(encoding="utf-8").splitlines())}
    assert [rows[name]["psnr_y_loss_db_embedded"][:5] for name in ("eager", "fast")] == ["0.0", "0.0"]
    assert float(rows["openvino"]["psnr_y_loss_db_embedded"]) == pytest.approx(0.1)
    assert (rows["openvino"]["median_ms"], rows["openvino"]["speed_up"]) == ("10.0", "1.0")
    assert rows["openvino"]["weights"] == "safmn_x2.pth"
    assert rows["ncnn"]["status"] == "ncnn is not installed: pip install 'safmn-bench[ncnn]'."
    assert rows["ncnn"]["median_ms"] == rows["ncnn"]["largest_difference"] == ""
    assert out.with_name("a.csv.json").exists()
    printed = capsys.readouterr()
    assert "37.900 (0.100)" in printed.out
    assert "safmn ncnn fp32: ncnn is not installed" in printed.out
    assert printed.err == ""  # what is absent is told in its row, and is no failure


def test_a_form_that_strays_from_pytorch_ends_with_status_1(
    measured_by_hand: dict[str, float], capsys: pytest.CaptureFixture[str]
):
    measured_by_hand["fast"] = 2e-4
    assert main(["--scale", "2", *FORMS]) == 1
    printed = capsys.readouterr()
    assert printed.err == "error: safmn x2 fast fp32 differs from PyTorch by 2.0e-04, more than 0.0001.\n"
    assert "Fresh weights are not scored: give --weights." in printed.out


def test_nan_strays(measured_by_hand: dict[str, float], capsys: pytest.CaptureFixture[str]):
    measured_by_hand["openvino"] = float("nan")
    assert main(["--scale", "2", *FORMS]) == 1
    assert "openvino fp32 differs from PyTorch by nan" in capsys.readouterr().err


def test_a_form_that_does_not_take_a_network_is_told_in_its_row():
    job = Job(
        model="smfanet", scale=4, implementation="native", dtype="fp32", device="cpu", height=8, width=8, threads=1
    )
    assert "SAFMN" in (command.refusal(job) or "")
    assert command.refusal(Job(**{**vars(job), "implementation": "eager"})) is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--models", "safmn", "carn_m", "--weights", "a.pth"], "--weights has 1 entries for 2 networks"),
        (["--implementations", "opnvino"], "Did you mean 'openvino'"),
        (["--models", "no_such"], "No variant or model 'no_such'"),
        (["--lr-size", "32"], "is not a size"),
    ],
)
def test_wrong_calls_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(options) == 2
    assert message in capsys.readouterr().err
