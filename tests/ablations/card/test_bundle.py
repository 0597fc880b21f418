"""What travels to a machine without network: small enough, whole, and it runs there."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from safmn_bench.ablations.card import bundle
from safmn_bench.ablations.card.bundle import fitting
from safmn_bench.ablations.gpu import main
from safmn_bench.profiling.common.machine import commit


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The calls of pip, which does nothing."""
    calls: list[list[str]] = []
    answer = SimpleNamespace(returncode=0, stderr="")
    monkeypatch.setattr(bundle, "subprocess", SimpleNamespace(run=lambda call, **_: calls.append(call) or answer))
    return calls


def test_a_bundle_holds_code_wheels_images_and_the_commit(
    pip: list[list[str]], tmp_path: Path, make_images: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(bundle, "CODE", ("library", "results/paper"))
    images = make_images(tmp_path / "my images", "a.png", "b.png")
    target = tmp_path / "bundle"
    assert main(["--bundle", str(target), "--wheels", "fvcore", "--train-data", str(images)]) == 0
    assert pip[0][-3:-1] == ["fvcore", "--constraint"]
    assert (target / "images/my images/a.png").read_bytes() == (images / "a.png").read_bytes()
    assert (target / "COMMIT").read_text() == commit()
    script = (target / "run.sh").read_text()
    assert "ablations.gpu --train-data 'images/my images' \"$@\"" in script
    assert "for name in fvcore; do" in script
    assert os.waitstatus_to_exitcode(os.system(f"sh -n '{target}/run.sh'")) == 0


def test_a_bundle_is_not_written_over_another_folder(tmp_path: Path, capsys):
    assert main(["--bundle", str(tmp_path)]) == 2
    assert "is there already. Choose another name, or delete it." in capsys.readouterr().err


def test_wheels_that_cannot_be_had_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(bundle, "CODE", ("library",))
    answer = SimpleNamespace(returncode=1, stderr="noise\nERROR: No matching distribution found for fvcoer\n")
    monkeypatch.setattr(bundle, "subprocess", SimpleNamespace(run=lambda call, **_: answer))
    assert main(["--bundle", str(tmp_path / "b"), "--wheels", "fvcoer"]) == 2
    assert "The wheels could not be had: ERROR: No matching distribution found for fvcoer" in capsys.readouterr().err


def test_as_many_images_as_fit_are_spread_evenly_and_alike_over_folders(tmp_path: Path):
    files = []
    for folder, size in (("HR", 400), ("LR", 100)):
        (tmp_path / folder).mkdir()
        for number in range(10):
            path = tmp_path / folder / f"{number:04}.png"
            path.write_bytes(bytes(size))
            files.append(path)
    assert fitting(files, 5001) == files
    kept = fitting(files, 2001)
    assert [path.name for path in kept] == ["0000.png", "0003.png", "0006.png", "0009.png"] * 2
    assert fitting(files, 10) == []


@pytest.mark.slow
def test_a_bundle_runs_every_part_where_nothing_is_installed_but_libraries(tmp_path: Path, capsys):
    """From bundle to results, at the size of a test: as on a machine that has torch and no safmn-bench."""
    target = tmp_path / "bundle"
    assert main(["--bundle", str(target), "--wheels"]) == 0
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", str(target / "run.sh"), "--dry-run", "--minutes", "8"],
        env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads((target / "gpu-results/parts.json").read_text())
    assert {name: part["status"] for name, part in told.items()} == dict.fromkeys(
        ("tests", "pace_24x8", "table2", "table5", "shared_by_mps", "shared_by_turns", "sweep"), "done"
    )
    assert main(["--results", str(target / "gpu-results.tar.gz"), "--into", str(tmp_path / "results")]) == 0
    (folder,) = (tmp_path / "results").iterdir()
    record = json.loads((folder / "runs/tiny/x4/seed0/record.json").read_text())
    assert (record["status"], record["commit"]) == ("finished", commit())
    assert str(target) in (folder / "parts.json").read_text()
