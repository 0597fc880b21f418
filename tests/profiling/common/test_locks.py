"""A lock per run: one owner at a time, taken over only from the dead."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from safmn_bench.profiling.common import locks
from safmn_bench.profiling.common.locks import Busy, held, is_held
from safmn_bench.profiling.common.processes import host

OWNER = {"host": "elsewhere/1/2", "pid": 1, "since": "2026-11-23 12:00:00", "token": "a"}


def left(path: Path, age_s: float = locks.STALE_S + 1) -> Path:
    """A lock of another machine, last renewed so long ago by this one's clock."""
    path.write_text(json.dumps(OWNER))
    os.utime(path, (time.time() - age_s, time.time() - age_s))
    return path


def test_second_owner_is_told_who_the_first_is(tmp_path: Path):
    path = tmp_path / "run" / "lock.json"
    with held(path):
        assert is_held(path)
        with pytest.raises(Busy, match=rf"is being run by process {os.getpid()} on .* Wait for it"), held(path):
            pass
        assert is_held(path)
    assert list(path.parent.iterdir()) == []


def test_lock_of_a_process_that_died_here_is_taken_over_at_once(tmp_path: Path):
    path = tmp_path / "lock.json"
    code = (
        "import os, sys; from pathlib import Path; from safmn_bench.profiling.common.locks import held\n"
        "with held(Path(sys.argv[1])): os._exit(1)"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert json.loads(path.read_text())["pid"] != os.getpid()
    assert not is_held(path)
    with held(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_lock_of_another_machine_is_taken_over_when_it_was_watched_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setattr(locks, "WATCH_S", 0.3)
    path = left(tmp_path / "lock.json", age_s=0)
    with pytest.raises(Busy, match="by process 1 on elsewhere since 2026-11-23 12:00:00"), held(path):
        pass
    left(path)
    began = time.monotonic()
    with held(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert time.monotonic() - began >= 0.3
    assert "was run by process 1 on elsewhere since 2026-11-23 12:00:00, and looks left" in capsys.readouterr().err


def test_who_takes_over_leaves_alone_what_another_took_over_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Between the judgement that a lock is dead and its removal, another process replaces it by its own."""
    path = left(tmp_path / "lock.json")
    monkeypatch.setattr(locks, "_stale", lambda _: path.write_text(json.dumps(OWNER | {"token": "new"})) > 0)
    locks._remove_if_stale(path)
    assert json.loads(path.read_text())["token"] == "new"
    assert [file.name for file in tmp_path.iterdir()] == ["lock.json"]


@pytest.mark.parametrize("place", ["rename", "unlink"])
def test_a_kill_within_a_takeover_blocks_nobody(tmp_path: Path, place: str):
    """Killed just before, and just after, the dead lock is moved aside: the next process has the lock at once."""
    path = tmp_path / "lock.json"
    code = (
        "import os, signal, sys; from pathlib import Path; from safmn_bench.profiling.common.locks import held\n"
        "path = Path(sys.argv[1])\n"
        "if os.fork() == 0:\n"
        "    with held(path): os._exit(1)\n"
        "os.wait()\n"
        f"Path.{place} = lambda *_, **given: given or os.kill(os.getpid(), signal.SIGKILL)\n"
        "with held(path): pass"
    )
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == -9
    began = time.monotonic()
    with held(path):
        assert time.monotonic() - began < 5


def test_a_lock_that_vanished_is_made_again_by_its_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(locks, "HEARTBEAT_S", 0.01)
    path = tmp_path / "lock.json"
    with held(path) as lock:
        path.unlink()
        deadline = time.monotonic() + 10
        while not path.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert json.loads(path.read_text())["token"] == lock.token
        assert not lock.lost


@pytest.mark.parametrize("skew_s", [-7200, -120, 120, 7200])
def test_a_live_run_of_a_machine_with_another_clock_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, skew_s: float
):
    """It renews its lock, in its own time, while it is watched."""
    monkeypatch.setattr(locks, "WATCH_S", 0.3)
    path = left(tmp_path / "lock.json", age_s=skew_s)
    ends = threading.Event()

    def renew() -> None:
        while not ends.wait(0.1):
            os.utime(path, (time.time() - skew_s, time.time() - skew_s))

    owner = threading.Thread(target=renew)
    owner.start()
    try:
        assert all(is_held(path) for _ in range(6) if not time.sleep(0.1))
    finally:
        ends.set()
        owner.join()
    with held(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()


JUNK = {
    "nothing": "",
    "half": '{"host": "a", "pi',
    "a list": "[]",
    "null": "null",
    "no number": '{"host": "a", "pid": "x", "token": "a"}',
    "no host": '{"pid": 1, "token": "a"}',
    "a host that is a number": '{"host": 3, "pid": 1, "token": "a"}',
    "a process of number 0": '{"host": "a", "pid": 0, "token": "a"}',
    "no token": '{"host": "a", "pid": 1}',
    "brackets without end": "[" * 50_000,
}


@pytest.mark.parametrize("name", JUNK)
def test_a_lock_of_junk_is_another_process_s_until_nothing_happens_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setattr(locks, "WATCH_S", 0.0)
    path = tmp_path / "lock.json"
    path.write_text(JUNK[name])
    with pytest.raises(Busy, match="is being run by another process. Wait for it"), held(path):
        pass
    old = time.time() - locks.STALE_S - 1
    os.utime(path, (old, old))
    with held(path):
        pass


@pytest.mark.parametrize("pid", [2**22 + 1, 2**40])
def test_a_process_number_that_cannot_be_is_dead(tmp_path: Path, pid: int):
    path = tmp_path / "lock.json"
    path.write_text(json.dumps(OWNER | {"host": host(), "pid": pid}))
    with held(path):
        pass


def test_owner_notices_that_its_lock_was_taken_over_and_leaves_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(locks, "HEARTBEAT_S", 0.01)
    path = tmp_path / "lock.json"
    with held(path) as lock:
        assert not lock.lost
        path.write_text(json.dumps({"host": "elsewhere/1/2", "pid": 1, "since": "then", "token": "another"}))
        deadline = time.monotonic() + 10
        while not lock.lost and time.monotonic() < deadline:
            time.sleep(0.01)
        assert lock.lost
    assert json.loads(path.read_text())["token"] == "another"


def test_heartbeat_renews_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(locks, "HEARTBEAT_S", 0.01)
    path = tmp_path / "lock.json"
    with held(path):
        os.utime(path, (1.0, 1.0))
        deadline = time.monotonic() + 10
        while path.stat().st_mtime < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert time.time() - path.stat().st_mtime < 60


def test_a_lock_is_stale_after_a_minute_and_renewed_six_times_within_it():
    """Five renewals in a row may fail or be seen late before a run is taken for dead."""
    assert (locks.HEARTBEAT_S, locks.STALE_S) == (10.0, 60.0)


@pytest.mark.parametrize(("age_s", "stale"), [(50, False), (70, True), (-50, False), (-70, True)])
def test_a_lock_of_another_machine_looks_left_after_a_minute_either_way(tmp_path: Path, age_s: float, stale: bool):
    assert locks._looks_stale(left(tmp_path / "lock.json", age_s)) is stale


def test_a_lock_is_watched_for_three_heartbeats():
    assert locks.WATCH_S == 3 * locks.HEARTBEAT_S
