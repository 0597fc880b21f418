"""losses.csv and validation.csv of a run that goes on: what is gone of them is said, and the run goes on."""

from pathlib import Path

import pytest

from safmn_bench.ablations.record import RunFolder, RunLog

LOSSES = "iteration,loss,lr,seconds\n2,0.5,0.001,1.0\n4,0.25,0.001,2.0\n6,0.125,0.001,3.0\n"
VALIDATION = "iteration,dataset,psnr_y_db,ssim_y\n3,Set5,30.5,0.5\n6,'=Set5,31.5,0.75\n"

# what stands in losses.csv when the run goes on from iteration 4 -> (rows read back, what is said)
STATES: dict[str, tuple[str | bytes | None, int, str]] = {
    "whole, and rows beyond the checkpoint": (LOSSES, 2, ""),
    "missing": (None, 0, "lacks 2 of 2 rows up to iteration 4, the first of them 2"),
    "empty": ("", 0, "lacks 2 of 2 rows"),
    "a header alone": ("iteration,loss,lr,seconds\n", 0, "lacks 2 of 2 rows"),
    "a row gone": (LOSSES.replace("2,0.5,0.001,1.0\n", ""), 1, "lacks 1 of 2 rows up to iteration 4, the first of"),
    "cut within a row": (LOSSES[:45], 0, "lacks 2 of 2 rows"),
    "a number that is none": (LOSSES.replace("0.25", "x"), 0, "lacks 2 of 2 rows"),
    "another file": ("a,b\n1,2\n", 0, "lacks 2 of 2 rows"),
    "too many cells": ("iteration,loss\n2,0.5,7\n4,0.5,7\n", 0, "lacks 2 of 2 rows"),
    "zeroed": (b"\0" * 90, 0, "lacks 2 of 2 rows"),
    "no text": (b"\xff\xfe\x00", 0, "lacks 2 of 2 rows"),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_rows_that_are_gone_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str):
    content, count, said = STATES[name]
    (tmp_path / "validation.csv").write_text(VALIDATION)
    if content is not None:
        (tmp_path / "losses.csv").write_bytes(content.encode() if isinstance(content, str) else content)
    log = RunLog(RunFolder(tmp_path), log_every=2, validate_every=3)
    log.restore(4)
    assert len(log.losses) == count
    assert log.validation == [{"iteration": 3, "dataset": "Set5", "psnr_y_db": 30.5, "ssim_y": 0.5}]
    told = capsys.readouterr().err
    assert told.startswith(f"warning: {tmp_path}/losses.csv {said}") if said else told == ""
    assert told.count("\n") == bool(said)


def test_names_of_benchmarks_read_back(tmp_path: Path):
    (tmp_path / "losses.csv").write_text(LOSSES)
    (tmp_path / "validation.csv").write_text(VALIDATION)
    log = RunLog(RunFolder(tmp_path), log_every=2, validate_every=3)
    log.restore(6)
    assert [row["dataset"] for row in log.validation] == ["Set5", "=Set5"]
    log.write()
    assert (tmp_path / "validation.csv").read_text() == VALIDATION
    assert (tmp_path / "losses.csv").read_text() == LOSSES
