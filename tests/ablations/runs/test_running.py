"""Runs, whole, by the command: records, resuming, refusals, collapses; on small photographs made here."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from short_runs import arguments, assert_same, folder_of

from safmn_bench.ablations.data.sampling import PatchSampler
from safmn_bench.ablations.run import main
from safmn_bench.ablations.training import loop
from safmn_bench.models.safmn import SAFMN, SAFMNConfig


def test_run_writes_every_file_of_the_contract(photographs: Path, small_variant: Path, tmp_path: Path, capsys):
    assert main(arguments(photographs, small_variant, tmp_path)) == 0
    folder = folder_of(tmp_path, "one_block")
    names = {"config.yaml", "losses.csv", "validation.csv", "last.pt", "weights.pt", "record.json"}
    assert {path.name for path in folder.iterdir()} - {"tensorboard"} == names  # where that is installed
    record = json.loads((folder / "record.json").read_text())
    assert (record["status"], record["iterations"], record["variant"], record["scale"]) == (
        *("finished", 12, "one_block", 4),
    )
    assert record["scored_form"] == "fast form"
    dataset = "score"
    assert set(record["scores"]) == set(record["bicubic"]) == {dataset}
    per_image = [image["psnr_y_db"] for image in record["scores"][dataset]["images"].values()]
    assert record["scores"][dataset]["psnr_y_db"] == pytest.approx(np.mean(per_image))
    assert record["params"] == sum(p.numel() for p in SAFMN(SAFMNConfig(n_blocks=1, dim=8), scale=4).parameters())
    with (folder / "losses.csv").open() as handle:
        assert [row["iteration"] for row in csv.DictReader(handle)] == ["4", "8", "12"]
    with (folder / "validation.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert [row["iteration"] for row in rows] == ["6", "12"]
    assert float(rows[-1]["psnr_y_db"]) == pytest.approx(
        record["scores"][dataset]["psnr_y_db"], abs=1e-4
    )  # fused in training
    out = capsys.readouterr().out
    assert "bicubic, same images" in out
    assert f"{record['scores'][dataset]['psnr_y_db']:.2f}" in out


def test_weights_load_strictly_into_a_network_of_the_published_layout(photographs: Path, tmp_path: Path):
    assert main(arguments(photographs, "n4", tmp_path, "train.iterations=1")) == 0
    state = torch.load(folder_of(tmp_path, "n4") / "weights.pt", weights_only=True)["params"]
    SAFMN(SAFMNConfig(n_blocks=4), scale=4).load_state_dict(state, strict=True)
    assert all(value.is_contiguous() for value in state.values())


def test_same_seed_gives_the_same_losses_and_weights_bit_for_bit(
    photographs: Path, small_variant: Path, tmp_path: Path
):
    for name in ("first", "second"):
        assert main(arguments(photographs, small_variant, tmp_path / name)) == 0
    assert_same(*(folder_of(tmp_path / name, "one_block") for name in ("first", "second")))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stopped_run_saves_exits_by_convention_and_resumes_bit_for_bit(
    photographs: Path, small_variant: Path, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch, capsys
):
    assert main(arguments(photographs, small_variant, tmp_path / "whole")) == 0
    batch = PatchSampler.batch

    def interrupted(self: PatchSampler, iteration: int):
        if iteration == 6:
            os.kill(os.getpid(), number)
        return batch(self, iteration)

    monkeypatch.setattr(PatchSampler, "batch", interrupted)
    assert main(arguments(photographs, small_variant, tmp_path / "stopped")) == 128 + number
    assert "stopped after 7 iterations" in capsys.readouterr().err
    folder = folder_of(tmp_path / "stopped", "one_block")
    assert (folder / "last.pt").exists()
    assert not (folder / "record.json").exists()
    monkeypatch.undo()
    assert main(arguments(photographs, small_variant, tmp_path / "stopped")) == 0
    assert_same(folder_of(tmp_path / "whole", "one_block"), folder)


def test_finished_run_is_not_run_again(photographs: Path, small_variant: Path, tmp_path: Path, monkeypatch):
    assert main(arguments(photographs, small_variant, tmp_path)) == 0
    record = folder_of(tmp_path, "one_block") / "record.json"
    before = record.read_bytes()
    monkeypatch.setattr(loop.Training, "run", lambda self: pytest.fail("trained again"))
    assert main(arguments(photographs, small_variant, tmp_path)) == 0
    assert record.read_bytes() == before


def test_changed_configuration_in_the_same_folder_is_refused(
    photographs: Path, small_variant: Path, tmp_path: Path, capsys
):
    assert main(arguments(photographs, small_variant, tmp_path)) == 0
    assert main(arguments(photographs, small_variant, tmp_path, "optimizer.lr=1e-3")) == 2
    error = capsys.readouterr().err
    assert "(recipe.optimizer.lr: 0.005 there, 0.001 asked for)" in error
    assert "Choose another --out" in error


def test_collapse_is_recorded_with_its_iteration_and_never_a_nan(
    photographs: Path, small_variant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    step = loop.Learner.step

    def broken(self: loop.Learner, lr: torch.Tensor, hr: torch.Tensor, iteration: int) -> torch.Tensor:
        return step(self, lr * (float("nan") if iteration == 8 else 1.0), hr, iteration)

    monkeypatch.setattr(loop.Learner, "step", broken)
    assert main(arguments(photographs, small_variant, tmp_path)) == 0
    record = json.loads((folder_of(tmp_path, "one_block") / "record.json").read_text())
    assert record["status"] == "collapsed"
    assert record["collapse"]["iteration"] == 8
    assert record["collapse"]["reason"] == "loss not finite"
    assert record["collapse"]["weights_from_iteration"] == 6
    assert np.isfinite(record["scores"]["score"]["psnr_y_db"])
    assert "one_block seed 0 *" in capsys.readouterr().out


def test_collapse_before_any_validation_has_no_scores(
    photographs: Path, small_variant: Path, tmp_path: Path, monkeypatch
):
    monkeypatch.setattr(loop.Learner, "step", lambda self, lr, hr, iteration: torch.tensor([float("inf"), 1.0]))
    assert main(arguments(photographs, small_variant, tmp_path)) == 0
    folder = folder_of(tmp_path, "one_block")
    record = json.loads((folder / "record.json").read_text())
    assert (record["status"], record["scores"]) == ("collapsed", {})
    assert not (folder / "weights.pt").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--variant", "wo_MR"], "No variant or model 'wo_MR'. Did you mean 'w_o_MR'"),
        (["--device", "cuda:9"], "Device 'cuda:9' is not there"),
        (["--device", "tpu"], "No device 'tpu'. Allowed: auto, cpu, cuda"),
        (["--recipe", "papr"], "No recipe 'papr'. Did you mean 'paper'"),
        (["--set", "train.iteration=3"], "Did you mean 'train.iterations'"),
        (["--set", "train.patch=40"], "smaller than train.patch=40"),
        (["--seeds", "-1"], "--seeds: -1 is no seed"),
        (["--train-data", "nowhere"], "nowhere"),
        (["--benchmarks", "nowhere"], "Benchmark folder nowhere does not exist"),
        (["--out", "/proc/nothing"], "Cannot write /proc/nothing"),
    ],
)
def test_wrong_call_is_one_clear_paragraph(
    photographs: Path, small_variant: Path, tmp_path: Path, change: list[str], message: str, capsys
):
    assert main([*arguments(photographs, small_variant, tmp_path / "runs"), *change]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.strip().count("\n") == 0
    assert not list(tmp_path.rglob("record.json"))


def test_scripts_say_how_to_install_where_the_package_is_not(tmp_path: Path):
    scripts = Path(__file__).parents[3]
    for script in ("ablations/run.py", "profiling/complexity.py"):
        done = subprocess.run(
            [sys.executable, "-S", str(scripts / script)], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 2
        assert done.stderr == "safmn-bench is not installed here: run `make setup`, then use .venv/bin/python.\n"
