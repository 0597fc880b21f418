"""keep_runs.py: what of finished runs goes into results/."""

import json
from pathlib import Path

import pytest
import torch
from benchmarks.keep_runs import by_names
from benchmarks.keep_runs import main as keep
from short_runs import arguments, folder_of

from safmn_bench.ablations.evaluate import main as evaluate
from safmn_bench.ablations.run import main as run
from safmn_bench.profiling.common.files import csv_rows_of
from safmn_bench.profiling.common.sealed import read_sealed


def test_a_kept_command_names_its_folders_without_their_paths():
    command = (
        "python ablations/run.py --variants n4 --train-data '/my data/T91' ../B100 --set optimizer.lr=2e-3 --out a/b"
    )
    kept = "python ablations/run.py --variants n4 --train-data T91 B100 --set optimizer.lr=2e-3 --out b"
    assert by_names(command) == kept
    assert by_names("") == ""


@pytest.mark.slow
def test_records_and_curves_are_kept_and_weights_of_one_seed_in_half_precision(
    photographs: Path, small_variant: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    runs, kept = tmp_path / "runs", tmp_path / "kept"
    call = arguments(photographs, small_variant, runs)
    assert run([*call[:2], "--seeds", "0", "1", *call[2:]]) == 0
    assert keep(["--runs", str(runs), "--out", str(kept), "--benchmark", str(photographs / "score")]) == 0
    first = folder_of(kept, "one_block")
    curves = {"config.yaml", "losses.csv", "validation.csv", "record.json"}
    assert {path.name for path in first.iterdir()} == {*curves, "weights.pt"}
    assert {path.name for path in (first.parent / "seed1").iterdir()} == curves
    before = json.loads((folder_of(runs, "one_block") / "record.json").read_text())
    record = json.loads((first / "record.json").read_text())
    assert str(tmp_path) in before["command"]
    assert record["command"] == by_names(before["command"])
    assert {**record, "command": "", "sha256": ""} == {**before, "command": "", "sha256": ""}
    assert read_sealed(first / "record.json")["command"] == record["command"]  # its digest is of what stands there
    state = torch.load(first / "weights.pt", weights_only=True)["params"]
    assert {tensor.dtype for tensor in state.values()} == {torch.float16}
    scored = ["--model", str(small_variant), "--weights", str(first / "weights.pt"), "--device", "cpu"]
    assert evaluate([*scored, "--benchmarks", str(photographs / "score"), "--csv", str(tmp_path / "s.csv")]) == 0
    (mean,) = (float(row["psnr_y_db"]) for row in csv_rows_of(tmp_path / "s.csv") if row["image"] == "mean")
    assert mean == pytest.approx(before["scores"]["score"]["psnr_y_db"], abs=0.001)
