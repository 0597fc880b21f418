"""A run is finished when its record and its weights are there and whole; the plan says what a run would find."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from short_runs import arguments, assert_same, folder_of

from safmn_bench.ablations.record import RunFolder
from safmn_bench.ablations.run import main
from safmn_bench.profiling.common.locks import held

NAME = "one_block"


@pytest.fixture(scope="module")
def finished(photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs folder of one finished run, not to be changed."""
    root = tmp_path_factory.mktemp("finished")
    variant = root / f"{NAME}.yaml"
    variant.write_text("model: {n_blocks: 1, dim: 8}\n")
    assert main(arguments(photographs, variant, root / "runs")) == 0
    return root / "runs"


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return shutil.copytree(finished, tmp_path / "runs")


def call(photographs: Path, finished: Path, runs: Path, *overrides: str) -> list[str]:
    return arguments(photographs, finished.parent / f"{NAME}.yaml", runs, *overrides)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "cut": cut,
    "emptied": lambda path: path.write_bytes(b""),
    "zeroed": zeroed,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_weights_that_are_gone_or_damaged_are_made_again_from_the_checkpoint(
    photographs: Path, finished: Path, copied: Path, capsys, damage: str
):
    folder = folder_of(copied, NAME)
    DAMAGES[damage](folder / "weights.pt")
    assert main(call(photographs, finished, copied)) == 0
    assert f"{folder / 'weights.pt'} is gone or damaged, and made again" in capsys.readouterr().err
    assert_same(folder_of(finished, NAME), folder)
    before, after = (json.loads((folder_of(runs, NAME) / "record.json").read_text()) for runs in (finished, copied))
    assert after["scores"] == before["scores"]


def test_a_finished_run_is_read_back(photographs: Path, finished: Path, copied: Path, capsys):
    before = (folder_of(copied, NAME) / "record.json").read_bytes()
    assert main(call(photographs, finished, copied)) == 0
    assert "training on" not in capsys.readouterr().err
    assert (folder_of(copied, NAME) / "record.json").read_bytes() == before


def planned(photographs: Path, finished: Path, runs: Path, capsys, *overrides: str) -> str:
    """What --dry-run prints; nothing is written."""
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("*")}
    options = call(photographs, finished, runs, *overrides)
    assert main(["--dry-run", *options]) == 0
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("*")} == before
    return capsys.readouterr().out


def removed(folder: RunFolder, *, and_checkpoint: bool = False) -> None:
    folder.record.unlink()
    if and_checkpoint:
        folder.checkpoint.unlink()


# what was done to the folder: (how, further keys of the recipe, state, the line below)
STATES: dict[str, tuple[Callable[[RunFolder], object], tuple[str, ...], str, str]] = {
    "nothing": (lambda folder: None, (), "finished, skipped", "1 run: 1 done, 0 to do."),
    "no folder": (lambda folder: shutil.rmtree(folder.path), (), " new ", "1 run: 0 done, 1 to do"),
    "no record": (removed, (), " begun ", "1 to do (1 from a checkpoint)"),
    "no checkpoint": (lambda folder: removed(folder, and_checkpoint=True), (), " new ", "0 done, 1 to do"),
    "no weights": (lambda folder: folder.weights.unlink(), (), " begun ", "0 done, 1 to do (1 from"),
    "another recipe": (
        lambda folder: None, ("train.batch=3",), " other configuration ", "0 done, 0 to do, 1 that cannot be.",
    ),
    "another recipe, no record": (
        removed, ("train.batch=3",), " other configuration ", "recipe.train.batch: 2 there, 3 asked for",
    ),
    "a record cut short": (lambda folder: cut(folder.record), (), " failed ", "is not a record of this version"),
    "config.yaml is no YAML": (
        lambda folder: (removed(folder), folder.config.write_text("a: [")), (), " failed ", "config.yaml",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STATES)
def test_a_dry_run_tells_what_the_run_would_find(photographs: Path, finished: Path, copied: Path, capsys, name: str):
    change, overrides, state, line = STATES[name]
    change(RunFolder(folder_of(copied, NAME)))
    shown = planned(photographs, finished, copied, capsys, *overrides)
    assert state in shown
    assert line in shown


def test_a_dry_run_tells_that_a_run_is_under_way(photographs: Path, finished: Path, copied: Path, capsys):
    folder = RunFolder(folder_of(copied, NAME))
    removed(folder)
    with held(folder.lock):
        assert " elsewhere " in planned(photographs, finished, copied, capsys)


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_run_of_another_configuration_is_left_alone(photographs: Path, finished: Path, copied: Path, capsys):
    """In a sweep, too: it is named so, and the exit status is 1."""
    folder = folder_of(copied, NAME)
    shutil.copytree(folder, folder.with_name("seed1"))
    before = contents(copied / NAME)
    assert main([*call(photographs, finished, copied, "train.batch=3"), "--seeds", "0", "1"]) == 1
    assert "other configuration: one_block x4 seed 1: " in capsys.readouterr().err
    assert contents(copied / NAME) == before
