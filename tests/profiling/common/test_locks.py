"""A lock per run: one owner at a time, taken over only from the dead."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from safmn_bench.profiling.common import locks
from safmn_bench.profiling.common.locks import Busy, held, is_held


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


def test_lock_of_another_machine_is_taken_over_when_nobody_renews_it(tmp_path: Path):
    path = tmp_path / "lock.json"
    path.write_text(json.dumps({"host": "elsewhere/1/2", "pid": 1, "since": "2026-11-23 12:00:00", "token": "a"}))
    with pytest.raises(Busy, match="by process 1 on elsewhere since 2026-11-23 12:00:00"), held(path):
        pass
    old = time.time() - locks.STALE_S - 1
    os.utime(path, (old, old))
    with held(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_a_takeover_in_progress_is_respected_and_a_forgotten_one_is_not(tmp_path: Path):
    path, guard = tmp_path / "lock.json", tmp_path / "lock.json.takeover"
    path.write_text(json.dumps({"host": "elsewhere/1/2", "pid": 1, "since": "then", "token": "a"}))
    old = time.time() - locks.STALE_S - 1
    os.utime(path, (old, old))
    guard.touch()
    with pytest.raises(Busy), held(path):
        pass
    os.utime(guard, (old, old))
    with held(path):
        assert not guard.exists()


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


@pytest.mark.parametrize(("age_s", "stale"), [(50, False), (70, True)])
def test_a_lock_of_another_machine_holds_for_a_minute(tmp_path: Path, age_s: float, stale: bool):
    path = tmp_path / "lock.json"
    path.write_text(json.dumps({"host": "elsewhere/1/2", "pid": 1, "since": "then", "token": "a"}))
    then = time.time() - age_s
    os.utime(path, (then, then))
    assert is_held(path) is not stale
