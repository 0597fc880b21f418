"""The commit that a record names: dirty where what decides a measurement differs from it, and only there."""

import importlib.util
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from safmn_bench.profiling.common import machine

FILES = ["profiling/common/machine.py", "models/a.py", "results/paper/table1.csv", "results/runs.csv", "README.md"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository of its own with the module, committed whole."""
    for name in FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / FILES[0]).write_text(Path(machine.__file__).read_text())
    git(tmp_path, "init")
    git(tmp_path, "add", "--all")
    git(tmp_path, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--message", "whole")
    return tmp_path


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit_there(folder: Path) -> str:
    spec = importlib.util.spec_from_file_location("machine_elsewhere", folder / FILES[0])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.commit()


def changed(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text("# changed\n")


CASES: dict[str, tuple[Callable[[Path], object], str]] = {
    "nothing": (lambda folder: None, ""),
    "a result": (changed("results/runs.csv"), ""),
    "a page": (changed("README.md"), ""),
    "a file that git does not know": (changed("models/own.py"), ""),
    "a network": (changed("models/a.py"), "-dirty"),
    "a published figure": (changed("results/paper/table1.csv"), "-dirty"),
    "a file that is gone": (lambda folder: (folder / "models/a.py").unlink(), "-dirty"),
}


@pytest.mark.parametrize("name", CASES)
def test_commit_is_dirty_where_sources_differ(name: str, checkout: Path):
    change, mark = CASES[name]
    change(checkout)
    assert commit_there(checkout) == git(checkout, "rev-parse", "HEAD") + mark
