"""One rule for runs, whoever looks: the lowest finished seed; a collapsed one only where its file is given."""

from pathlib import Path

import pytest
import torch
from trial_runs import record, write_run

from safmn_bench.analysis.figures import main as figures
from safmn_bench.analysis.lam import main as lam
from safmn_bench.analysis.networks import subjects
from safmn_bench.analysis.stats.reading import find_runs
from safmn_bench.analysis.webpage.pictures import networks_of
from safmn_bench.models.weights import Weights

COLLAPSE = {"iteration": 55, "reason": "loss not finite", "weights_from_iteration": 40}
SENTENCE = "every run collapsed (seed 0 at iteration 55), and its weights are of before that."


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """w_o_FM: seed 0 collapsed, 1 and 10 finished; w_o_MR: collapsed; l2_norm: failed."""
    folder = tmp_path / "runs"
    for name, seed, status in (
        *(("w_o_FM", 10, "finished"), ("w_o_FM", 1, "finished"), ("w_o_FM", 0, "collapsed")),
        *(("w_o_MR", 0, "collapsed"), ("l2_norm", 0, "failed")),
    ):
        collapse = COLLAPSE if status == "collapsed" else None
        write_run(folder / name, record(name, seed, 30.0, status=status, collapse=collapse))
    return folder


def test_report_takes_the_lowest_finished_seed_and_names_what_collapsed(runs: Path):
    found, left_out = networks_of(find_runs(runs))
    assert [one.title for one in found] == ["w_o_FM seed 1"]
    assert left_out == [f"w_o_MR: {SENTENCE}"]


def test_figures_and_lam_take_the_lowest_finished_seed(runs: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "safmn_bench.ablations.scoring.loading.load_weights", lambda network, path: Weights({}, path, "")
    )
    (found,) = subjects(["w_o_FM"], None, runs, 2, torch.device("cpu"))
    assert found.weights == str(runs / "w_o_FM" / "x2" / "seed1" / "weights.pt")


@pytest.mark.parametrize(
    ("name", "reason"), [("w_o_MR", SENTENCE), ("l2_norm", "There are: w_o_FM, w_o_MR."), ("n4", "There are: w_o_FM,")]
)
@pytest.mark.parametrize("command", ["figures", "lam"])
def test_figures_and_lam_say_alike_why_a_run_does_not_serve(
    command: str, name: str, reason: str, runs: Path, make_images, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    image = make_images(tmp_path / "images", "a.png") / "a.png"
    call = ["--models", name, "--scale", "2", "--runs", str(runs), "--image", str(image), "--device", "cpu"]
    if command == "figures":
        status = figures(["--figure", "6", "--box", "8", "8", "24", "16", "--out", str(tmp_path / "out"), *call])
    else:
        status = lam(["--window", "8", "8", "16", "--out", str(tmp_path / "out"), *call])
    assert status == 2
    error = capsys.readouterr().err
    assert f"has no finished run of {name} x2" in error
    assert reason in error
