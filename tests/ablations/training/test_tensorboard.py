"""TensorBoard files of a run, read back with TensorBoard's own reader."""

import csv
from pathlib import Path

import pytest
from short_runs import arguments, folder_of

from safmn_bench.ablations.run import main
from safmn_bench.ablations.training import tensorboard


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
    monkeypatch.setattr(tensorboard.importlib.util, "find_spec", lambda name: None)
    assert main(arguments(photographs, small_variant, tmp_path)) == 0
    assert not (folder_of(tmp_path, "one_block") / "tensorboard").exists()
