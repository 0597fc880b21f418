"""Where outputs go: what is no file is written to, links stay, and what killed writes left is cleared away."""

import errno
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
import torch

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common import machine, places
from safmn_bench.profiling.common.files import csv_as_it_comes, write_atomically, write_csv, write_text
from safmn_bench.profiling.common.places import is_stream, remove_abandoned, require_writable
from safmn_bench.profiling.common.provenance import write_sidecar


def through_fifo(path: Path, write: Callable[[], object]) -> bytes:
    """What a reader of the FIFO gets."""
    os.mkfifo(path)
    got: list[bytes] = []
    holder = os.open(path, os.O_RDWR)  # several writers, one after the other, are one stream to the reader
    reader = threading.Thread(target=lambda: got.append(os.read(holder, 65536)))
    write()
    reader.start()
    reader.join(5)
    os.close(holder)
    return got[0]


def rows(path: Path) -> None:
    with csv_as_it_comes(path, ("image", "psnr_y_db")) as add:
        add({"image": "a", "psnr_y_db": 30.5})


WRITES: dict[str, tuple[Callable[[Path], object], bytes]] = {
    "text": (lambda path: write_text(path, "caf\u00e9\n"), b"caf\xc3\xa9\n"),
    "a CSV": (lambda path: write_csv(path, ["a"], [{"a": 1}]), b"a\n1\n"),
    "a CSV row by row": (rows, b"image,psnr_y_db\na,30.5\n"),
    "by a writer that seeks": (lambda path: write_atomically(path, seeking), b"done"),
}


def seeking(handle: BinaryIO) -> None:
    handle.write(b"xxxx")
    handle.seek(0)
    handle.write(b"done")


@pytest.mark.parametrize("name", WRITES)
def test_a_fifo_is_written_to_and_stays_one(tmp_path: Path, name: str):
    write, content = WRITES[name]
    path = tmp_path / "out.csv"
    assert through_fifo(path, lambda: write(path)) == content
    assert path.is_fifo()
    assert [file.name for file in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize("name", WRITES)
def test_a_link_keeps_pointing_and_its_target_is_replaced(tmp_path: Path, name: str):
    write, content = WRITES[name]
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "a.csv").write_text("old")
    (tmp_path / "link").symlink_to("there/a.csv")
    write(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "a.csv").read_bytes() == content
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["a.csv", "link", "there"]


@pytest.mark.parametrize(
    ("path", "stream"),
    [
        ("/dev/null", True), ("/dev/stdout", True), ("/proc/self/fd/1", True), ("/dev/fd/1", True),
        ("/dev/shm", False), ("/dev/shm/a.csv", False), ("/dev/no-such-thing", False), ("/", False), (__file__, False),
        ("a" * 300, False), ("a\0b", False),
    ],
)  # fmt: skip
def test_what_is_written_to_rather_than_replaced(path: str, stream: bool):
    assert is_stream(Path(path)) == stream


def test_a_result_on_a_device_keeps_its_name_and_has_no_sidecar(tmp_path: Path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    assert machine.result_file(fifo, "latency", torch.device("cpu")) == fifo
    write_sidecar(fifo, "profiling/complexity.py", [], "cpu", {})
    assert list(tmp_path.iterdir()) == [fifo]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/", "Cannot write /: it is a folder. Choose another place with --csv."),
        (".", "Cannot write .: it is a folder. Choose another place with --csv."),
        (f"{__file__}/a.csv", f"Cannot write {__file__}/a.csv: {__file__} cannot be written to. Choose another place"),
        (f"out/{'x' * 256}", f"Cannot write {'x' * 40}...: a name of 256 bytes is too long. Shorten it."),
        ("é" * 128, "a name of 256 bytes is too long"),
        ("no/such/folder/yet.csv", None),
        ("/dev/null", None),
        ("x" * 255, None),
    ],
)  # fmt: skip
def test_an_output_that_cannot_be_is_refused_before_any_work(path: str, message: str | None):
    if message is None:
        require_writable(Path(path))
        return
    with pytest.raises(UserError) as refused:
        require_writable(Path(path))
    assert message in str(refused.value)


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path):
    write_text(tmp_path / ("é" * 127 + "x"), "content")
    assert [file.read_text() for file in tmp_path.iterdir()] == ["content"]


def full_disk_in_c(handle: BinaryIO) -> None:
    """As torch.save tells of it: an error of its own, in whose course the disk's was raised."""
    try:
        raise OSError(errno.ENOSPC, "No space left on device")
    except OSError:
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 704 vs 598") from None


LIMITED = """
import resource, signal, sys, torch
from pathlib import Path
from safmn_bench.ablations.training.checkpoint import save
from safmn_bench.models.errors import UserError
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
path = Path(sys.argv[1])
save(path, {"done": 1})
before = path.read_bytes()
for limit in (500, 20_000, 400_000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try: save(path, {"weights": torch.zeros(100_000)})
    except UserError as error: print(error)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
"""


def test_a_full_disk_while_a_checkpoint_is_written_is_a_sentence_with_the_cause(tmp_path: Path):
    (tmp_path / "a").mkdir()
    with pytest.raises(UserError, match=r"Cannot write .*/x: No space left on device\. Make room there, then start"):
        write_atomically(tmp_path / "x", full_disk_in_c)


@pytest.mark.slow
def test_a_checkpoint_stays_whatever_of_the_next_one_did_not_fit(tmp_path: Path):
    path = tmp_path / "last.pt"
    done = subprocess.run([sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, check=False)
    said = f"Cannot write {path}: File too large. Make room there, then start the same command again.\n"
    assert (done.stdout, done.stderr) == (said * 3, "")


def left_by_a_kill(path: Path) -> list[str]:
    """Write into `path` in a child that is killed at it; the names of what it leaves."""
    if (child := os.fork()) == 0:
        write_atomically(path, lambda handle: os.kill(os.getpid(), 9))
    os.waitpid(child, 0)
    return [file.name for file in path.parent.iterdir()]


def test_what_a_killed_write_left_is_removed_at_the_next_start(tmp_path: Path):
    path = tmp_path / "last.pt"
    left = left_by_a_kill(path)
    assert len(left) == 1
    assert left[0].startswith(".last.pt.")
    remove_abandoned.cache_clear()  # as in a new process
    write_text(tmp_path / "other", "x")
    assert [file.name for file in tmp_path.iterdir()] == ["other"]


def test_what_others_write_now_or_own_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    kept = [".a.tmp", "a.0123abcd-1-0123abcd.tmp", f".a.{places._here()}-{os.getpid()}-0123abcd.tmp"]
    elsewhere = ".a.0123abcd-999999999-0123abcd.tmp"  # the number of a process on another machine
    for name in (*kept, elsewhere):
        (tmp_path / name).write_text("")
    remove_abandoned.cache_clear()
    remove_abandoned(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == {*kept, elsewhere}
    then = time.time() - 25 * 3600
    os.utime(tmp_path / elsewhere, (then, then))
    remove_abandoned.cache_clear()
    remove_abandoned(tmp_path)
    assert {file.name for file in tmp_path.iterdir()} == set(kept)


def test_git_is_asked_without_taking_a_lock(monkeypatch: pytest.MonkeyPatch):
    asked = []

    def run(words: list[str], **options: object) -> subprocess.CompletedProcess[str]:
        asked.append(options["env"])
        return subprocess.CompletedProcess(words, 0, "", "")

    monkeypatch.setattr(machine.subprocess, "run", run)
    machine.commit.__wrapped__()
    assert asked
    assert all(environment["GIT_OPTIONAL_LOCKS"] == "0" for environment in asked)


@pytest.mark.parametrize(
    ("path", "error", "advice"),
    [
        (
            "cache/seen/a.json",
            errno.EROFS,
            "It is in the cache: set SAFMN_BENCH_CACHE to a folder that you may write to",
        ),
        (
            "cache/packs/hr.bin",
            errno.ENOSPC,
            "set SAFMN_BENCH_CACHE to a folder that you may write to and that has room.",
        ),
        ("out/last.pt", errno.ENOSPC, "Make room there, then start the same command again."),
        ("out/last.pt", errno.EDQUOT, "Make room there, then start the same command again."),
        ("out/last.pt", errno.EROFS, "Choose a folder that you may write to and that has room."),
        ("out/last.pt", errno.EACCES, "Choose a folder that you may write to and that has room."),
    ],
)
def test_a_write_that_failed_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, error: int, advice: str
):
    monkeypatch.setenv("SAFMN_BENCH_CACHE", str(tmp_path / "cache"))
    told = str(places.cannot_write(tmp_path / path, OSError(error, os.strerror(error))))
    assert told.startswith(f"Cannot write {tmp_path / path}: {os.strerror(error)}. ")
    assert advice in told
