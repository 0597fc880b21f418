"""The command that quantises: its recipe and table, and what is refused."""

import csv
from pathlib import Path

import pytest
import torch

from safmn_bench.ablations.quantise import main
from safmn_bench.models.names import find_candidate
from safmn_bench.profiling.runtimes.recipe import read


@pytest.fixture(scope="module")
def call(small_variant: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """A call for a small network with weights of its own."""
    weights = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.manual_seed(0)
    torch.save({"params": find_candidate(str(small_variant)).build(2).state_dict()}, weights)
    return ["--model", str(small_variant), "--scale", "2", "--weights", str(weights), "--images", "3"]


def test_a_number_of_the_worst_layers_stays_in_float(
    call: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out, table = tmp_path / "a.npz", tmp_path / "a.csv"
    assert main([*call, "--keep", "2", "--out", str(out), "--csv", str(table)]) == 0
    rows = list(csv.DictReader(table.read_text(encoding="utf-8").splitlines()))
    recipe = read(out)
    assert [row["runs_in"] for row in rows] == ["fp32"] * 2 + ["int8"] * 7
    assert tuple(row["layer"] for row in rows[:2]) == recipe.in_float
    assert [float(row["error"]) for row in rows] == sorted((float(row["error"]) for row in rows), reverse=True)
    assert recipe.images.shape == (2, 3, 64, 64)  # the third checks the choice
    assert table.with_name("a.csv.json").exists()
    assert "7 of 9 convolutions run in int8" in capsys.readouterr().out


def test_any_loss_allowed_keeps_no_layer_and_none_allowed_keeps_all(call: list[str], tmp_path: Path):
    for most_loss, kept in (("100", 0), ("0", 9)):
        out = tmp_path / "a.npz"
        assert main([*call, "--most-loss", most_loss, "--out", str(out)]) == 0
        assert len(read(out).in_float) == kept


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "a.onnx"], "the name of a recipe ends in .npz"),
        (["--out", "a.npz", "--most-loss", "-1"], "--most-loss -1 is out of range"),
        (["--out", "a.npz", "--images", "1"], "--images 1 is not a whole number of at least 2"),
        (["--out", "a.npz"], "safmn needs --weights FILE"),
    ],
)
def test_wrong_calls_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(options) == 2
    assert message in capsys.readouterr().err
