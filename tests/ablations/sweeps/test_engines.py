"""An engine is one module and one row: a third one, made up here, runs a sweep."""

import sys
import types
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from short_runs import lines_of, sweep_arguments, variants

from safmn_bench.ablations.run import main
from safmn_bench.ablations.runs.running import run
from safmn_bench.ablations.sweeps.engines import Engine, open_engine
from safmn_bench.ablations.sweeps.jobs import Job
from safmn_bench.ablations.sweeps.options import ENGINES, EngineRow, RunOptions
from safmn_bench.ablations.training.distributed import Group


class OneByOne:
    """Runs each job in this process as it is submitted."""

    device = torch.device("cpu")
    calls: tuple[str, ...] = ()

    def submit(self, jobs: Sequence[Job], stop: Callable[[], bool]) -> None:
        OneByOne.calls += ("submit",)
        record = run(jobs[0].plan, Group(0, 1, self.device), lambda *_: None, stop)
        assert record is not None
        jobs[0].state = record.status

    def watch(self, jobs: Sequence[Job]) -> None:
        OneByOne.calls += ("watch",)

    def stop(self, jobs: Sequence[Job]) -> None:
        OneByOne.calls += ("stop",)


def test_an_engine_is_one_module_and_one_row(photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    module = types.ModuleType("one_by_one")
    module.open_engine = lambda options: OneByOne()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "one_by_one", module)
    monkeypatch.setitem(ENGINES, "one-by-one", EngineRow("this process", "one_by_one"))
    out = tmp_path / "out"
    call = sweep_arguments(photographs, out, variants(tmp_path, one="", two=""))
    assert main([*call, "--engine", "one-by-one"]) == 0
    assert {name: line["status"] for name, line in lines_of(out).items()} == {"one/0": "finished", "two/0": "finished"}
    assert OneByOne.calls == ("submit", "watch", "submit", "watch", "stop")


@pytest.mark.parametrize(("name", "gpus"), [("local", 0), ("slurm", 1)])
def test_every_engine_says_what_runs_compute_on(name: str, gpus: int):
    options = RunOptions(variant="baseline", engine=name, slurm_gpus=gpus, device="auto", dry_run=True)
    engine: Engine = open_engine(options if gpus else RunOptions(variant="baseline", device="cpu"))
    assert engine.device.type == ("cuda" if gpus else "cpu")
