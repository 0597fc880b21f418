"""Runs that share a GPU: NVIDIA's service is started, told to its clients and ended; stood for by a script on PATH."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from safmn_bench.ablations.runs import mps
from safmn_bench.ablations.sweeps.local_engine import LocalEngine
from safmn_bench.ablations.sweeps.worker import Slot

GPU = torch.device("cuda:0")
SCRIPT = """#!/bin/sh
echo "$1|$CUDA_VISIBLE_DEVICES|$CUDA_MPS_PIPE_DIRECTORY|$CUDA_MPS_ACTIVE_THREAD_PERCENTAGE|$(cat)" >> {log}
[ -d "$CUDA_MPS_LOG_DIRECTORY" ] || exit 3
{ending}
"""
Install = Callable[[str], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put the control program on PATH, which ends as told; returns the file that it writes its calls to."""

    def make(ending: str = "exit 0") -> Path:
        program, log = tmp_path / mps.CONTROL, tmp_path / "calls.txt"
        program.write_text(SCRIPT.format(log=log, ending=ending))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.delenv(mps.MPS_PIPES, raising=False)
        monkeypatch.delenv("CUDA_MPS_ACTIVE_THREAD_PERCENTAGE", raising=False)
        return log

    return make


def calls(log: Path) -> list[list[str]]:
    return [line.split("|") for line in log.read_text().splitlines()]


def test_slots_of_one_gpu_share_it_from_the_first_run_to_the_end(install: Install):
    """The daemon numbers what it sees anew: GPUs 2 and 5 of the machine are 0 and 1 of its clients."""
    log = install("exit 0")
    engine = LocalEngine(GPU, [Slot(gpu, 1) for gpu in ("2", "5", "2", "5")], share=True)
    assert not log.exists()
    engine.submit([], lambda: False)
    engine.submit([], lambda: False)
    pipes = engine.free[0].shared[mps.MPS_PIPES]
    assert [slot.gpu for slot in engine.free] == ["0", "1", "0", "1"]
    assert {slot.shared[mps.MPS_PIPES] for slot in engine.free} == {pipes}
    assert Path(pipes).is_dir()
    engine.stop([])
    assert calls(log) == [["-d", "2,5", pipes, "", ""], ["", "2,5", pipes, "", "quit -t 10"]]
    assert not Path(pipes).exists()


def test_the_service_ends_though_stopping_is_interrupted(install: Install, monkeypatch: pytest.MonkeyPatch):
    log = install("exit 0")
    engine = LocalEngine(GPU, [Slot("0", 1), Slot("0", 1)], share=True)
    engine.submit([], lambda: False)
    monkeypatch.setattr("safmn_bench.ablations.sweeps.local_engine.time.monotonic", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        engine.stop([])
    assert calls(log)[-1][-1] == "quit -t 10"


@pytest.mark.parametrize(("slots", "share"), [([Slot("0", 1), Slot("1", 1)], True), ([Slot(None, 1)] * 2, True),
                                              ([Slot("0", 1)] * 2, False)])  # fmt: skip
def test_one_run_on_each_gpu_or_on_a_cpu_or_by_choice_starts_no_service(
    install: Install, slots: list[Slot], share: bool
):
    log = install("exit 0")
    engine = LocalEngine(GPU, slots, share=share)
    engine.submit([], lambda: False)
    engine.stop([])
    assert engine.free == slots
    assert not log.exists()


def test_where_it_does_not_start_one_line_says_why_and_runs_take_turns(install: Install, capsys):
    install("echo 'no such device' >&2; exit 1")
    slots = [Slot("0", 1), Slot("0", 1)]
    engine = LocalEngine(GPU, slots, share=True)
    engine.submit([], lambda: False)
    engine.stop([])
    assert engine.free == slots
    told = capsys.readouterr().err
    assert told == "note: NVIDIA MPS did not start (no such device): runs take turns on each GPU.\n"


def test_a_service_of_the_users_own_is_left_alone(install: Install, monkeypatch: pytest.MonkeyPatch):
    log = install("exit 0")
    monkeypatch.setenv(mps.MPS_PIPES, "/run/mps")
    assert mps.start(["0"]) is None
    assert not log.exists()
    monkeypatch.delenv(mps.MPS_PIPES)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert mps.start(["0"]) is None
