"""The card of a run: the hub's metadata, weights that load again, and what has no card."""

import json
from pathlib import Path

import pytest
import torch
import yaml
from made_records import made_record, scores_of, write_run

import safmn_bench as sb
from safmn_bench.analysis.card import main
from safmn_bench.analysis.findings.model_card import card_of

HOSTILE = "---\n# <b>``` |x|"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A finished run of n4, with its weights."""
    record = made_record("n4", 1, {"Set5": scores_of(30.11)}, bicubic={"Set5": scores_of(28.42)})
    folder = write_run(tmp_path / "runs", record)
    torch.save({"params": sb.create_model("n4", scale=4).state_dict()}, folder.weights)
    return folder.path


def test_the_head_is_the_hubs_metadata_and_the_table_the_records(run: Path, capsys: pytest.CaptureFixture[str]):
    assert main([str(run)]) == 0
    assert capsys.readouterr().out.split() == [
        str(run / "card" / name) for name in ("README.md", "model.safetensors", "config.json")
    ]  # fmt: skip
    text = (run / "card" / "README.md").read_text(encoding="utf-8")
    head = yaml.safe_load(text.split("---\n")[1])
    (result,) = head["model-index"][0]["results"]
    assert head["pipeline_tag"] == result["task"]["type"] == "image-to-image"
    assert [(each["type"], each["value"]) for each in result["metrics"]] == [("psnr", 30.11), ("ssim", 0.8)]
    assert "| Set5 | 30.110 | 0.8000 | 28.420 | 0.8000 |" in text
    assert "239,520 parameters, 13.555 G multiply-adds and 76.70 M activations" in text
    assert json.loads((run / "card" / "config.json").read_text())["variant"] == "n4"


def test_the_weights_load_again_as_the_card_says(run: Path):
    assert main([str(run), "--out", str(run / "hub")]) == 0
    again = sb.create_model("n4", scale=4, weights=run / "hub" / "model.safetensors").state_dict()
    trained = torch.load(run / "weights.pt", weights_only=True)["params"]
    assert all(torch.equal(again[name], tensor) for name, tensor in trained.items())


def test_a_hostile_name_opens_no_heading_and_closes_no_block():
    text = card_of(made_record(HOSTILE, 0, {HOSTILE: scores_of(30.0)}, recipe={"name": HOSTILE}))
    assert yaml.safe_load(text.split("\n---\n")[0].removeprefix("---\n"))["model-index"][0]["name"] == f"{HOSTILE} x4"
    body = text.split("\n---\n", 1)[1]
    assert [line for line in body.splitlines() if line.startswith("#")] == [
        r"# \--- # &lt;b&gt;\`\`\` \|x\| x4", "## Use", "## Scores", "## Cost", "## Training",
    ]  # fmt: skip
    assert body.count("```") == 4


@pytest.mark.parametrize(
    ("status", "message"), [("collapsed", "is of a run that collapsed"), ("failed", "is of a run that failed")]
)
def test_only_a_finished_run_has_a_card(tmp_path: Path, status: str, message: str, capsys: pytest.CaptureFixture[str]):
    folder = write_run(tmp_path, made_record("n4", 0, status=status))
    assert main([str(folder.path)]) == 2
    assert message in capsys.readouterr().err
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "holds no record.json. A card is of a finished run" in capsys.readouterr().err
