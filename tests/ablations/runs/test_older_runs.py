"""Run folders and records of 0.1.0, from before the folders had wings: a stopped run goes on, a finished one reads."""

import shutil
from pathlib import Path

import pytest
import torch
from short_runs import weights_and_losses

from safmn_bench.ablations.record import RunFolder
from safmn_bench.ablations.records import read_record
from safmn_bench.ablations.run import main

OLD = Path(__file__).parents[2] / "fixtures" / "run_of_0_1_0"
SHORT = ["train.iterations=12", "train.patch=8", "train.batch=2", "train.log_every=4", "train.validate_every=6"]
VERSION_1 = ["version=1", "train.initialisation=order"]


@pytest.fixture
def call(tmp_path: Path) -> list[str]:
    """The fixture's command, with its output in `tmp_path`."""
    data = ["--train-data", str(OLD / "photographs/train"), "--benchmarks", str(OLD / "photographs/score")]
    options = ["--variant", str(OLD / "one_block.yaml"), "--device", "cpu", "--out", str(tmp_path)]
    return [*options, *data, "--set", *SHORT, "train.save_every=4", *VERSION_1]


def test_a_stopped_run_of_0_1_0_goes_on_to_the_same_weights(call: list[str], tmp_path: Path):
    folder = tmp_path / "one_block" / "x4" / "seed0"
    shutil.copytree(OLD / "stopped", folder)
    torch.set_num_threads(1)
    assert main(call) == 0
    (weights, losses), (old_weights, old_losses) = weights_and_losses(folder), weights_and_losses(OLD / "finished")
    assert losses[:3] == old_losses[:3]  # the header and the lines of iterations 4 and 8 were kept, not trained again
    assert float(losses[3][1]) == pytest.approx(float(old_losses[3][1]), rel=1e-5)
    assert weights.keys() == old_weights.keys()
    for name, tensor in weights.items():  # another processor or torch rounds otherwise
        torch.testing.assert_close(tensor, old_weights[name], rtol=1e-4, atol=1e-6)


def test_a_finished_run_of_0_1_0_is_skipped(call: list[str], tmp_path: Path, capsys):
    folder = tmp_path / "one_block" / "x4" / "seed0"
    shutil.copytree(OLD / "finished", folder)
    before = (folder / "record.json").read_bytes()
    assert main(call) == 0
    assert (folder / "record.json").read_bytes() == before
    assert "11.00" in capsys.readouterr().out  # its score in the table


def test_a_run_by_an_older_recipe_says_how_it_goes_on(call: list[str], tmp_path: Path, capsys):
    folder = tmp_path / "one_block" / "x4" / "seed0"
    shutil.copytree(OLD / "finished", folder)
    assert main([option for option in call if option not in VERSION_1]) == 2
    said = capsys.readouterr().err
    assert "recipe.version: 1 there, 2 asked for" in said
    assert "go on with what is there: --set version=1 train.initialisation=order." in said


def test_a_record_of_0_1_0_reads():
    record = read_record(RunFolder(OLD / "finished"))
    assert record is not None
    assert (record.variant, record.seed, record.status, record.iterations) == ("one_block", 0, "finished", 12)
    assert record.scores["score"]["psnr_y_db"] == pytest.approx(11.00, abs=0.005)
