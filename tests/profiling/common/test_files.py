"""Atomic writes: the old file or the new one, never half of one."""

import contextlib
import errno
import io
import json
import os
from pathlib import Path
from typing import BinaryIO

import pytest

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import (
    csv_as_it_comes,
    csv_line,
    csv_made_anew,
    csv_rows,
    write_atomically,
    write_csv,
    write_json,
    write_text,
)


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


def test_json_has_the_scores_of_an_image_on_one_line_and_reads_back_as_it_was(tmp_path: Path):
    images = {f"img_{i:03}": {"psnr_y_db": 30.186026593161273 + i, "ssim_y": None} for i in range(100)}
    record = {"scores": {"B100": {"images": images}}, "uncounted_ops": {}, "text": "x" * 200, "far": [["y" * 120], []]}
    write_json(tmp_path / "a.json", record)
    written = (tmp_path / "a.json").read_text()
    assert json.loads(written) == record
    assert '        "img_099": {"psnr_y_db": 129.18602659316127, "ssim_y": null}\n' in written
    assert len(written.splitlines()) == 100 + 16


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


# cell -> how it stands in the file; a spreadsheet runs text that begins with = + - @ or a tab
CELLS: dict[str, tuple[object, str]] = {
    "formula": ("=1+1", "'=1+1"),
    "command": ("=cmd|' /C calc'!A0", "'=cmd|' /C calc'!A0"),
    "plus": ("+1-1|x", "'+1-1|x"),
    "minus": ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
    "at": ("@SUM(A1)", "'@SUM(A1)"),
    "tab": ("\t=1", "'\t=1"),
    "quote and formula": ("'=1", "''=1"),
    "image": ("-0801.png", "'-0801.png"),
    "negative number": (-0.5, "-0.5"),
    "negative number as text": ("-0.5", "-0.5"),
    "with an exponent": ("-1.5e-07", "-1.5e-07"),
    "with an interval": ("+0.05 ± 0.01", "+0.05 ± 0.01"),
    "infinite": (float("-inf"), "-inf"),
    "a dash": ("-", "-"),
    "quote": ("'a", "'a"),
    "plain": ("a=b", "a=b"),
    "nothing": (None, ""),
}


@pytest.mark.parametrize("name", CELLS)
def test_no_cell_is_run_by_a_spreadsheet_and_every_one_reads_back(name: str):
    cell, written = CELLS[name]
    line = csv_line([cell, "end"])
    assert line == f"{written},end\n"
    read = next(csv_rows(io.StringIO("a,b\n" + line)))
    assert read == {"a": "" if cell is None else str(cell), "b": "end"}


def test_names_of_any_bytes_are_written_as_escapes(tmp_path: Path):
    write_csv(tmp_path / "a.csv", ["image"], [{"image": "caf\udce9"}])
    assert (tmp_path / "a.csv").read_bytes() == b"image\ncaf\\udce9\n"
    with csv_as_it_comes(tmp_path / "b.csv", ["image"]) as add:
        add({"image": "caf\udce9"})
    assert (tmp_path / "b.csv").read_bytes() == b"image\ncaf\\udce9\n"


def test_rows_that_change_with_each_round_stay_in_the_partial_file_of_a_command_that_is_stopped(tmp_path: Path, capsys):
    path = tmp_path / "latency.csv"
    path.write_text("of before")
    with contextlib.suppress(KeyboardInterrupt), csv_made_anew(path, ["network", "latency_ms"]) as keep:
        keep([{"network": "safmn", "latency_ms": 9.0}])
        keep([{"network": "safmn", "latency_ms": 8.5}, {"network": "imdn", "latency_ms": 12.0}])
        raise KeyboardInterrupt
    assert path.read_text() == "of before"
    kept = (tmp_path / "latency.csv.partial").read_text()
    assert kept == "network,latency_ms\nsafmn,8.5\nimdn,12.0\n"
    assert capsys.readouterr().err == f"{path}.partial keeps the rows so far: 2.\n"
    with csv_made_anew(path, ["network", "latency_ms"]) as keep:
        keep([{"network": "safmn", "latency_ms": 8.0}])
    assert path.read_text() == "network,latency_ms\nsafmn,8.0\n"
    assert [file.name for file in tmp_path.iterdir()] == ["latency.csv"]


def test_a_table_whose_rows_change_goes_whole_to_a_stream(tmp_path: Path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    with csv_made_anew(fifo, ["network", "latency_ms"]) as keep:
        keep([{"network": "safmn", "latency_ms": 9.0}])
        keep([{"network": "safmn", "latency_ms": 8.5}])
    assert os.read(reader, 100) == b"network,latency_ms\nsafmn,8.5\n"
    os.close(reader)
    assert [path.name for path in tmp_path.iterdir()] == ["fifo"]


def test_rows_as_they_come_are_made_durable_with_their_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    synced: list[Path] = []
    monkeypatch.setattr("safmn_bench.profiling.common.files.sync_folder", synced.append)
    with csv_as_it_comes(tmp_path / "scores.csv", ("image",)) as add:
        add({"image": "a"})
    assert synced == [tmp_path]
