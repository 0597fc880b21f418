"""Networks in the styles of other repositories go through every command by name alone; check compiles for real."""

import csv
from pathlib import Path

import pytest
from own_networks import write_networks
from short_runs import FAST

from safmn_bench.ablations import cli

SMALL = ["--lr-size", "24x16", "--device", "cpu"]


def calls(name: str, image: str, weights: str, benchmark: str, folder: Path) -> dict[str, list[str]]:
    """Each command but `run`, with the least work that it can be asked for."""
    runs, out = str(folder / "runs"), str(folder)
    timed = [*SMALL, "--runs", "10"]
    window = ["--image", image, "--window", "8", "8", "16", "--steps", "2"]
    return {
        "evaluate": ["--model", name, "--weights", weights, "--benchmarks", benchmark, "--csv", f"{out}/scores.csv"],
        "complexity": ["--models", name, "--cross-check", "--csv", f"{out}/counts.csv"],
        "latency": ["--models", name, *timed, "--implementations", "eager", "--csv", f"{out}/times.csv"],
        "operators": ["--model", name, *SMALL, "--passes", "2", "--csv", f"{out}/operators.csv"],
        "export": ["--model", name, "--weights", weights, "--out", f"{out}/a.onnx"],
        "lam": ["--models", name, "--weights", weights, *window, "--out", f"{out}/lam"],
        "figures": ["--figure", "6", "7", "--runs", runs, "--models", name, "--image", image, "--box", "8", "8", "24",
                    "16", "--out", f"{out}/figures"],
        "tables": ["--table", "1", "--runs", runs, "--profiles", f"{out}/counts.csv", "--format", "csv", "--out",
                   f"{out}/table.csv"],
        "report": ["--runs", runs, "--images", "1", "--steps", "2", "--benchmarks", benchmark, "--out",
                   f"{out}/report"],
        "card": [f"{Path(weights).parent}", "--out", f"{out}/card"],
        "study": ["--runs", runs, "--images", "0", "--steps", "2", "--out", f"{out}/study"],
        "compare": [name, "bicubic", "--weights", weights, "-", "--benchmarks", benchmark, *timed,
                    "--csv", f"{out}/compare.csv"],
        "quantise": ["--model", name, "--weights", weights, "--images", "2", "--out", f"{out}/int8.npz"],
        "runtimes": ["--models", name, "--weights", weights, "--benchmarks", benchmark, *timed[:2], "--runs", "10",
                     "--implementations", "eager", "onnxruntime", "--csv", f"{out}/runtimes.csv"],
        "inside": ["--models", name, "--weights", weights, "--image", image, "--size", "16", "--inputs", "1", "--out",
                   f"{out}/inside"],
        "check": [name, "--without", "compile", "onnx"],
        "upscale": ["--model", name, "--weights", weights, image, f"{out}/big.png"],
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("style", ["PlainNet", "EDSRLike", "RepNet"])
def test_every_command_takes_a_network_of_ones_own_by_its_name(
    style: str, photographs: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    name, benchmark = write_networks(tmp_path)[style], str(photographs / "score")
    training = ["--train-data", str(photographs / "train"), "--benchmarks", benchmark, "--device", "cpu"]
    assert cli.main(["run", "--model", name, *training, "--out", "runs", "--set", *FAST]) == 0, capfd.readouterr().err
    weights = f"runs/{style}/x4/seed0/weights.pt"
    every = calls(name, str(photographs / "score" / "0.png"), weights, benchmark, tmp_path)
    failed = {}
    for command, options in every.items():
        capfd.readouterr()
        if cli.main([command, *options]):
            failed[command] = capfd.readouterr().err[-600:]
    assert failed == {}
    for file in ("scores.csv", "counts.csv", "times.csv", "table.csv", "compare.csv"):
        with (tmp_path / file).open(newline="") as handle:
            assert style in [row.get("model") or row.get("method") for row in csv.DictReader(handle)], file
    assert style in (tmp_path / "study" / "README.md").read_text()
    assert style in (tmp_path / "report" / "index.html").read_text()


@pytest.mark.slow
def test_compile_and_onnx_of_check_are_real(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    others = ["sizes", "gradients", "evaluation", "batch", "range", "deployed", "counting", "state", "reach"]
    assert cli.main(["check", write_networks(tmp_path)["PlainNet"], "--limit", "0", "--without", *others]) == 0
    said = capsys.readouterr().out
    assert "holds  compile: torch.compile's SR differs by " in said
    assert "holds  onnx: Exports for any size; ONNX Runtime's SR differs by " in said


def test_every_command_that_takes_a_network_is_tried():
    taking = set(cli.SCRIPTS) - {
        "run",
        "prepare",
        "throughput",
        "noise",
        "gpu",
        "power",
    }  # these take it as `run` does, or none
    assert set(calls("", "", "", "", Path())) == taking
