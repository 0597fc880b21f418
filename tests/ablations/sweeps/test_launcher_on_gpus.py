"""The process that launches runs on GPUs uses none: its context would hold memory there as long as the sweep lasts."""

import os
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from multiprocessing import Pipe
from pathlib import Path

import pytest
import torch
from short_runs import sweep_arguments, variants

from safmn_bench.ablations.data import prefetch
from safmn_bench.ablations.run import main
from safmn_bench.ablations.runs import running
from safmn_bench.ablations.runs.failures import record_failure
from safmn_bench.ablations.runs.plan import Plan, placed
from safmn_bench.ablations.sweeps import estimate, worker
from safmn_bench.ablations.sweeps.command import make_plans
from safmn_bench.ablations.sweeps.local_engine import open_engine
from safmn_bench.ablations.sweeps.options import RunOptions, arguments
from safmn_bench.ablations.training.graph import GraphSteps
from safmn_bench.profiling.common import machine
from safmn_bench.profiling.common.processes import in_child

GPU = torch.device("cuda:0")


class Children:
    """Stands for `in_child`: what a process of its own was asked to do, and that the answer is 2 s a step."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, function: Callable[..., object], *arguments: object) -> object:
        self.calls.append(function.__name__)
        return {"gpu": "NVIDIA Made Up"} if function.__name__ == "_gpu" else dict.fromkeys(*arguments, 2.0)  # type: ignore[call-overload]


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Children:
    """Two GPUs that this process may count, and nothing else."""

    def refused(*_: object) -> None:
        raise AssertionError("this process began to use CUDA")

    made = Children()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in ("_lazy_init", "cudart", "current_device", "mem_get_info"):
        monkeypatch.setattr(torch.cuda, name, refused)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(estimate, "in_child", made)
    monkeypatch.setattr(machine, "in_child", made)
    return made


@pytest.fixture
def call(photographs: Path, tmp_path: Path) -> list[str]:
    names = variants(tmp_path, one="", two="")
    return ["auto" if part == "cpu" else part for part in sweep_arguments(photographs, tmp_path / "out", names)]


def test_a_sweep_is_planned_and_estimated_without_a_context(children: Children, call: list[str], capfd):
    """Two networks of 12 steps of 2 s on two GPUs: 24 s."""
    assert main([*call, "--dry-run"]) == 0
    assert children.calls == ["measured"]
    assert "2 runs: 0 done, 2 to do, about 0:24 of training" in capfd.readouterr().out


def test_runs_that_share_a_gpu_are_estimated_as_one_after_the_other(children: Children, call: list[str], capfd):
    assert main([*call, "--dry-run", "--slots-per-device", "4"]) == 0
    assert "about 0:24 of training" in capfd.readouterr().out


def test_an_estimate_whose_process_was_killed_is_left_out(
    children: Children, call: list[str], monkeypatch: pytest.MonkeyPatch, capfd
):
    monkeypatch.setattr(estimate, "in_child", lambda *_: (_ for _ in ()).throw(BrokenProcessPool()))
    assert main([*call, "--dry-run"]) == 0
    assert "2 runs: 0 done, 2 to do." in capfd.readouterr().out


def plan_of(call: list[str]) -> Plan:
    return make_plans(arguments().read(call))[0]


def test_the_record_of_a_killed_run_names_the_gpu_without_a_context(children: Children, call: list[str]):
    plan = plan_of(call)
    record_failure(plan, "killed by signal 9", [])
    assert children.calls == ["_gpu"]
    assert "NVIDIA Made Up" in plan.folder.record.read_text()


def test_images_are_placed_by_the_gpu_that_a_run_computes_on(
    children: Children, call: list[str], monkeypatch: pytest.MonkeyPatch
):
    plan = plan_of([*call, "--slots-per-device", "2"])
    monkeypatch.setattr(prefetch, "free_bytes", lambda device: 2**30 if device.type == "cuda" else 2**35)
    assert "on the GPU" not in plan.placement.reason
    assert placed(plan, GPU).placement.reason.endswith("of 1024 MiB free on the GPU: kept there")
    size = plan.training_set.hr.nbytes + plan.training_set.lr.nbytes
    monkeypatch.setattr(prefetch, "free_bytes", lambda device: 3 * size)
    assert placed(replace(plan, runs_per_gpu=1), GPU).placement.kind == "device"
    assert placed(plan, GPU).placement.kind == "host"  # a second run's images would not fit
    assert placed(plan, torch.device("cpu")) is plan
    assert running.placed is placed


def test_without_a_number_runs_take_every_gpu(children: Children):
    """A device always has a number, also where none was given."""
    for name, gpus in (("auto", ["0", "1"]), ("cuda", ["0", "1"]), ("cuda:1", ["1"])):
        engine = open_engine(RunOptions(variant="baseline", device=name))
        assert [slot.gpu for slot in engine.free] == gpus


def test_a_run_knows_the_service_that_it_shares_a_gpu_by_and_its_record_says_so(
    children: Children, call: list[str], monkeypatch: pytest.MonkeyPatch
):
    seen: dict[str, str] = {}
    monkeypatch.setattr(os, "environ", dict(os.environ))
    monkeypatch.setattr(worker, "print_to", lambda log: None)
    monkeypatch.setattr(worker, "outcome", lambda *_: seen.update(os.environ) or ("done", "finished"))
    receive, send = Pipe(duplex=False)
    assert "sharing" not in machine.machine(GPU)
    worker.work(plan_of(call), worker.Slot("1", 1, {machine.MPS_PIPES: "/tmp/pipes"}), send)
    assert (seen["CUDA_VISIBLE_DEVICES"], seen[machine.MPS_PIPES]) == ("1", "/tmp/pipes")
    assert machine.machine(GPU)["sharing"] == "NVIDIA MPS"
    assert receive.recv() == ("done", "finished")


def test_steps_are_measured_uncompiled(children: Children, call: list[str]):
    plan = plan_of([*call, "--set", "compute.compile=true"])
    assert plan.recipe.compute.compile
    assert not estimate.uncompiled(plan.recipe).compute.compile


def test_the_estimate_times_the_steps_that_the_run_makes(
    children: Children, call: list[str], monkeypatch: pytest.MonkeyPatch
):
    """On a GPU those are recorded ones, which take a fraction of the time at small batches."""
    plan, made = replace(plan_of(call), device=torch.device("cpu")), []

    class Recorded(GraphSteps):
        def prepare(self, first: int) -> float:
            made.append(first)
            return 0.0

    monkeypatch.setattr(estimate, "steps_of", Recorded)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # an optimiser asks a GPU that is there what it does
    assert 0 < estimate.measured_step(plan) < 60
    assert made == [0]


@pytest.mark.slow
def test_a_child_answers_and_passes_errors_on():
    assert in_child(max, [3, 5]) == 5
    with pytest.raises(ZeroDivisionError):
        in_child(divmod, 1, 0)
