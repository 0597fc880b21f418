"""What a run tells from outside: TensorBoard's files by its own reader, and wandb by a stand-in of the package."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from short_runs import arguments, folder_of

from safmn_bench.ablations.run import main
from safmn_bench.ablations.sweeps import options
from safmn_bench.ablations.training import sinks


def test_scalars_and_pictures_are_those_of_the_run(photographs: Path, small_variant: Path, tmp_path: Path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert main(arguments(photographs, small_variant, tmp_path)) == 0
    folder = folder_of(tmp_path, "one_block")
    events = reader.EventAccumulator(str(folder / "tensorboard"), size_guidance={"scalars": 0, "images": 0})
    events.Reload()
    with (folder / "losses.csv").open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    written = events.Scalars("train/loss")
    assert [e.step for e in written] == [int(row["iteration"]) for row in rows]
    assert [e.value for e in written] == pytest.approx([float(row["loss"]) for row in rows])
    rates = [e.value for e in events.Scalars("train/learning_rate")]
    assert rates == pytest.approx([float(row["lr"]) for row in rows])
    with (folder / "validation.csv").open(newline="") as handle:
        validated = list(csv.DictReader(handle))
    scores = events.Scalars(f"{validated[0]['dataset']}/psnr_y_db")
    assert [e.value for e in scores] == pytest.approx([float(row["psnr_y_db"]) for row in validated])
    tags = events.Tags()["images"]
    assert tags
    assert all(tag.startswith("validation/") for tag in tags)
    assert [e.step for e in events.Images(tags[0])] == [int(row["iteration"]) for row in validated]


def test_a_run_without_tensorboard_is_the_same_less_its_folder(
    photographs: Path, small_variant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sinks.importlib.util, "find_spec", lambda name: None)
    assert main(arguments(photographs, small_variant, tmp_path)) == 0
    assert not (folder_of(tmp_path, "one_block") / "tensorboard").exists()


class MadeWandb:
    """Stands in for the package: keeps what it is told; one instance is module and run."""

    __spec__ = "made up: the package is here"

    def __init__(self) -> None:
        self.started: dict[str, Any] = {}
        self.told: list[tuple[int, dict[str, Any]]] = []
        self.finished = False

    def init(self, **how: Any) -> "MadeWandb":
        self.started = how
        return self

    def Image(self, pixels: Any) -> tuple[int, ...]:
        return pixels.shape

    def log(self, values: dict[str, Any], step: int) -> None:
        self.told.append((step, values))

    def finish(self) -> None:
        self.finished = True


@pytest.fixture
def made_wandb(monkeypatch: pytest.MonkeyPatch) -> MadeWandb:
    package = MadeWandb()
    monkeypatch.setitem(sys.modules, "wandb", package)
    return package


def test_wandb_is_told_what_losses_and_validation_hold_and_changes_no_run(
    photographs: Path, small_variant: Path, tmp_path: Path, made_wandb: MadeWandb
):
    call = arguments(photographs, small_variant, tmp_path)
    assert main([*call, "--wandb", "ours"]) == 0
    folder = folder_of(tmp_path, "one_block")
    made = json.loads((folder / "record.json").read_text())
    started = {key: made_wandb.started[key] for key in ("project", "name", "id", "resume", "dir")}
    title = "one_block x4 seed 0"
    assert started == {
        "project": "ours", "name": title, "id": made["config_hash"], "resume": "allow", "dir": str(folder),
    }  # fmt: skip
    with (folder / "losses.csv").open(newline="") as handle:
        losses = {int(row["iteration"]): float(row["loss"]) for row in csv.DictReader(handle)}
    told = {step: values["train/loss"] for step, values in made_wandb.told if "train/loss" in values}
    assert told == pytest.approx(losses)
    scored = [values for _, values in made_wandb.told if any(name.endswith("/psnr_y_db") for name in values)]
    assert [len(shape) for shape in scored[0].values() if isinstance(shape, tuple)] != []
    assert made_wandb.finished
    assert main(call) == 0  # without it, the run is the same, and finished
    assert "wandb" not in (folder / "config.yaml").read_text()


def test_wandb_that_is_missing_or_does_not_start_is_one_clear_error(
    photographs: Path, small_variant: Path, tmp_path: Path, made_wandb: MadeWandb, monkeypatch, capsys
):
    def refused(**how: Any) -> None:
        raise RuntimeError("no API key\nconfigured")

    call = [*arguments(photographs, small_variant, tmp_path), "--wandb", "ours"]
    monkeypatch.setattr(made_wandb, "init", refused)
    assert main(call) != 0
    assert (
        "wandb does not start: no API key configured. Run `wandb login`, set WANDB_MODE=off" in capsys.readouterr().err
    )
    monkeypatch.setattr(options, "find_spec", lambda name: None)
    assert main(call) == 2
    assert (
        "--wandb needs wandb, which is not installed here: pip install 'safmn-bench[wandb]'" in capsys.readouterr().err
    )
