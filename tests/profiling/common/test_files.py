"""Atomic writes: the old file or the new one, never half of one."""

import contextlib
import errno
from pathlib import Path
from typing import BinaryIO

import pytest

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import csv_as_it_comes, write_atomically, write_csv, write_json, write_text


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path):
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def full_disk(handle: BinaryIO) -> None:
        handle.write(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(UserError, match=r"Cannot write .*a.txt: No space left on device"):
        write_atomically(path, full_disk)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_folder_that_is_a_file_is_one_clear_error(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="Choose a folder that you may write to"):
        write_text(tmp_path / "file" / "a.txt", "x")


def test_json_has_no_nan(tmp_path: Path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"psnr": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_csv_columns_are_exact(tmp_path: Path):
    path = tmp_path / "a.csv"
    write_csv(path, ["b", "a"], [{"a": 'quo"ted', "b": None}])
    assert path.read_text() == 'b,a\n,"quo""ted"\n'
    with pytest.raises(KeyError):
        write_csv(path, ["a"], [{"a": 1, "c": 2}])


def test_written_file_has_the_usual_permissions(tmp_path: Path):
    path = tmp_path / "a.txt"
    write_text(path, "x")
    (tmp_path / "b.txt").write_text("x")
    assert path.stat().st_mode == (tmp_path / "b.txt").stat().st_mode


def test_rows_come_one_by_one_and_replace_the_file_only_when_all_are_there(tmp_path: Path):
    path = tmp_path / "scores.csv"
    path.write_text("old\n")
    with csv_as_it_comes(path, ("image", "psnr_y_db")) as add:
        add({"image": "a", "psnr_y_db": 30.5})
        assert (tmp_path / "scores.csv.partial").read_text() == "image,psnr_y_db\na,30.5\n"
        assert path.read_text() == "old\n"
        add({"image": "b, c", "psnr_y_db": None})
    assert path.read_text() == 'image,psnr_y_db\na,30.5\n"b, c",\n'
    assert [file.name for file in tmp_path.iterdir()] == ["scores.csv"]


def test_an_interrupt_keeps_the_rows_so_far_and_the_old_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "scores.csv"
    path.write_text("old\n")
    with contextlib.suppress(KeyboardInterrupt), csv_as_it_comes(path, ("image",)) as add:
        add({"image": "a"})
        raise KeyboardInterrupt
    assert path.read_text() == "old\n"
    assert (tmp_path / "scores.csv.partial").read_text() == "image\na\n"
    assert capsys.readouterr().err == f"{path}.partial keeps the rows that were done: 1.\n"


def test_a_csv_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"Cannot write .*file/scores\.csv"),
        csv_as_it_comes(tmp_path / "file" / "scores.csv", ("image",)),
    ):
        pytest.fail("work began")
