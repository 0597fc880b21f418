"""Runs that hang, by a signal or in a loop without end: they are told, and a sweep that is stopped ends at once."""

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from safmn_bench.ablations.record import RunFolder
from safmn_bench.ablations.sweeps import local_engine, worker
from safmn_bench.ablations.sweeps.jobs import Job
from safmn_bench.ablations.sweeps.local_engine import LocalEngine
from safmn_bench.ablations.sweeps.worker import Report, Slot
from safmn_bench.profiling.common.processes import suspended


def sleeps(plan: Any, slot: Slot, connection: Connection) -> None:
    """Deaf to SIGTERM, as a loop in C is."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    connection.send(("progress", 3, 0.5, None))
    time.sleep(600)


def loops(plan: Any, slot: Slot, connection: Connection) -> None:
    """A loop in Python that never asks whether to stop, with the handler that only notes the wish."""
    signal.signal(signal.SIGTERM, lambda *_: None)
    connection.send(("progress", 3, 0.5, None))
    while True:
        pass


def lives(plan: Any, slot: Slot, connection: Connection) -> None:
    """Gives signs of life, and ends when told to."""
    told: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
    while not told:
        connection.send(("alive",))
        time.sleep(0.05)
    connection.send(("stopped", "stopped after 3 iterations"))


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Any], tuple[LocalEngine, Job]]]:
    """An engine of one slot that runs a target, heard for the first time."""
    monkeypatch.setattr(local_engine, "QUIET_S", 0.5)
    monkeypatch.setattr(local_engine, "PATIENCE_S", 20.0)
    engines: list[LocalEngine] = []

    def start(target: Any) -> tuple[LocalEngine, Job]:
        plan = SimpleNamespace(title="one x4 seed 0", candidate=SimpleNamespace(own=None), folder=RunFolder(tmp_path))
        engine, job = LocalEngine(torch.device("cpu"), [Slot(None, 1)], target), Job(plan)  # type: ignore[arg-type]
        engine.context = multiprocessing.get_context("fork")  # type: ignore[assignment]
        engine.submit([job], lambda: False)
        engines.append(engine)
        return engine, job

    yield start
    for engine in engines:
        for run in engine.running:
            run.process.kill()


def watched(engine: LocalEngine, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        engine.watch([])


@pytest.mark.parametrize("target", [sleeps, loops])
def test_a_hung_run_is_told_once_and_ended_at_once_when_the_sweep_stops(started: Any, capsys, target: Any):
    engine, job = started(target)
    pid = engine.running[0].process.pid
    watched(engine, 1.5)
    error = capsys.readouterr().err
    assert error.count("one x4 seed 0: no sign of life for ") == 1
    assert f"its process {pid} seems to hang. kill -9 {pid} ends it alone, Ctrl-C all" in error
    began = time.monotonic()
    engine.stop([])
    assert time.monotonic() - began < 3
    assert (job.state, job.cause[:15]) == ("stopped", "killed: it hung")
    assert job.done == 3
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_stopped_process_is_told_as_such_and_when_it_goes_on(started: Any, capsys):
    engine, _ = started(lives)
    pid = engine.running[0].process.pid
    watched(engine, 0.6)
    assert capsys.readouterr().err == ""
    os.kill(pid, signal.SIGSTOP)
    while not suspended(pid):
        time.sleep(0.01)
    watched(engine, 0.5)
    assert f"its process {pid} is stopped (kill -CONT {pid} lets it go on)" in capsys.readouterr().err
    os.kill(pid, signal.SIGCONT)
    watched(engine, 0.5)
    assert capsys.readouterr().err == "one x4 seed 0 is heard again.\n"
    os.kill(pid, signal.SIGSTOP)
    began = time.monotonic()
    engine.stop([])
    assert time.monotonic() - began < 3


def test_a_run_that_lives_is_waited_for(started: Any):
    engine, job = started(lives)
    watched(engine, 0.4)
    engine.stop([])
    assert (job.state, job.cause) == ("stopped", "stopped after 3 iterations")


def test_a_run_that_falls_silent_when_told_to_stop_is_given_up(started: Any):
    engine, job = started(sleeps)
    watched(engine, 0.2)
    began = time.monotonic()
    engine.stop([])
    assert 0.2 < time.monotonic() - began < 5
    assert job.state == "stopped"


def test_a_second_interrupt_kills_all(started: Any, monkeypatch: pytest.MonkeyPatch):
    engine, job = started(lives)
    pid = engine.running[0].process.pid
    monkeypatch.setattr(local_engine, "_ends", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        engine.stop([])
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert job.state == "stopped"


def test_time_in_which_the_launcher_itself_was_stopped_is_no_silence(started: Any, capsys):
    engine, _ = started(lives)
    watched(engine, 0.2)
    engine.looked -= 1000
    engine.running[0].heard -= 1000
    watched(engine, 0.2)
    assert capsys.readouterr().err == ""


def test_a_run_says_that_it_lives_now_and_then(monkeypatch: pytest.MonkeyPatch):
    receive, send = multiprocessing.Pipe(duplex=False)
    report, clock = Report(send), [100.0]
    monkeypatch.setattr(worker.time, "monotonic", lambda: clock[-1])
    for seconds in (100.0, 101.0, 102.5, 103.0, 104.6):
        clock.append(seconds)
        report.live()
    send.close()
    with receive:
        assert [receive.recv() for _ in range(3)] == [("alive",)] * 3
        with pytest.raises(EOFError):
            receive.recv()
