"""Weights that were found whole are not read again, unless anything about the file is another."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from safmn_bench.ablations.runs import checked
from safmn_bench.ablations.runs.checked import CheckedWeights
from safmn_bench.ablations.training import checkpoint
from safmn_bench.models.keeping import cache_folder
from safmn_bench.models.stored.archives import is_whole

Read = list[Path]


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Read:
    """What is read, in a cache of the test's own that is worth it from two files on."""
    seen: Read = []
    monkeypatch.setenv("SAFMN_BENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(checked, "_FEWEST", 2)
    monkeypatch.setattr(checked, "is_whole", lambda path: seen.append(path) or is_whole(path))
    return seen


def weights(out: Path, count: int = 3) -> list[Path]:
    paths = [out / f"{number}.pt" for number in range(count)]
    for number, path in enumerate(paths):
        checkpoint.save(path, {"params": {"w": torch.full((9,), float(number))}})
    return paths


def look(out: Path, paths: list[Path]) -> list[bool]:
    memory = CheckedWeights(out)
    found = [memory.is_whole(path) for path in paths]
    memory.keep()
    return found


def test_what_was_found_whole_is_read_once(tmp_path: Path, read: Read):
    paths = weights(tmp_path / "out")
    assert look(tmp_path / "out", paths) == [True] * 3
    assert read == paths
    assert look(tmp_path / "out", paths) == [True] * 3
    assert read == paths


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[content.index(b"\0\0\x80\x3f" * 9)] ^= 1  # in the second file's nine ones
    path.write_bytes(content)


def flip_and_set_the_clock_back(path: Path) -> None:
    before = path.stat()
    flip(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def exchange(path: Path) -> None:
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes()[:-9])
    copy.replace(path)


@pytest.mark.parametrize("change", [flip, flip_and_set_the_clock_back, exchange, Path.unlink])
def test_a_file_that_changed_is_read_again_and_a_damaged_one_is_not_whole(
    tmp_path: Path, read: Read, change: Callable[[Path], None]
):
    paths = weights(tmp_path / "out")
    look(tmp_path / "out", paths)
    change(paths[1])
    del read[:]
    assert look(tmp_path / "out", paths) == [True, False, True]
    assert read == [path for path in paths[1:2] if path.exists()]
    assert look(tmp_path / "out", paths) == [True, False, True]


def test_few_files_leave_nothing_in_the_cache(tmp_path: Path, read: Read):
    paths = weights(tmp_path / "out", 1)
    assert look(tmp_path / "out", paths) == look(tmp_path / "out", paths) == [True]
    assert read == paths * 2
    assert not cache_folder().exists()


def test_a_damaged_memory_is_none(tmp_path: Path, read: Read):
    paths = weights(tmp_path / "out")
    look(tmp_path / "out", paths)
    (memory,) = (cache_folder() / "checked").iterdir()
    memory.write_text(memory.read_text().replace("[", "[1", 1))
    assert look(tmp_path / "out", paths) == [True] * 3
    assert read == paths * 2
