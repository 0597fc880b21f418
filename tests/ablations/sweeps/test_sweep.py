"""Sweeps by the command: what fails takes nothing with it, what is done is skipped, nothing is done twice."""

import json
import os
import resource
import shlex
import signal
import subprocess
import time
import tracemalloc
from pathlib import Path

import pytest
import torch
import trial_runs
from short_runs import RUN, lines_of, record, sweep_arguments, variants

from safmn_bench.ablations.run import main
from safmn_bench.ablations.runs.failures import cause_of, killed_cause, record_failure
from safmn_bench.ablations.runs.running import run
from safmn_bench.ablations.sweeps import estimate
from safmn_bench.ablations.sweeps.command import make_plans, with_sweep_file
from safmn_bench.ablations.sweeps.engines import run_jobs
from safmn_bench.ablations.sweeps.jobs import Job, headline_of, in_words
from safmn_bench.ablations.sweeps.local_engine import LocalEngine
from safmn_bench.ablations.sweeps.options import RunOptions, arguments
from safmn_bench.ablations.sweeps.progress import table_lines
from safmn_bench.ablations.sweeps.sweep import job_of, show_plan
from safmn_bench.ablations.sweeps.worker import Slot, slots_of, visible_gpus
from safmn_bench.ablations.training import checkpoint
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.models.errors import UserError
from safmn_bench.models.variants import Candidate
from safmn_bench.profiling.common.locks import held


def test_sweep_runs_every_seed_and_a_second_call_skips_them(photographs: Path, tmp_path: Path, capfd):
    names = variants(tmp_path, one="", two="optimizer.lr: 1.0e-3")
    call = sweep_arguments(photographs, tmp_path / "out", names, "--seeds", "0", "1")
    assert main(call) == 0
    rows = lines_of(tmp_path / "out")
    assert {key: row["status"] for key, row in rows.items()} == dict.fromkeys(
        ("one/0", "one/1", "two/0", "two/1"), "finished"
    )
    assert float(rows["one/0"]["score_psnr_y_db"]) == record(tmp_path / "out", "one")["scores"]["score"]["psnr_y_db"]
    assert "4 runs: 0 done, 4 to do, about" in capfd.readouterr().out
    before = record(tmp_path / "out", "one")["date"]
    assert main(call) == 0
    assert "4 runs: 4 done, 0 to do." in capfd.readouterr().out
    assert record(tmp_path / "out", "one")["date"] == before


def test_sweep_of_processes_gives_the_bits_of_a_run_alone(photographs: Path, tmp_path: Path):
    names = variants(tmp_path, one="", two="")
    assert main(sweep_arguments(photographs, tmp_path / "many", names)) == 0
    assert main(sweep_arguments(photographs, tmp_path / "alone", names[:1])) == 0
    paths = (tmp_path / folder / "one" / "x4" / "seed0" / "weights.pt" for folder in ("many", "alone"))
    many, alone = (torch.load(path, weights_only=True)["params"] for path in paths)
    assert all(torch.equal(many[key], alone[key]) for key in alone)


def test_dry_run_prints_the_plan_and_runs_nothing(photographs: Path, tmp_path: Path, capfd):
    names = variants(tmp_path, one="", two="")
    assert main(sweep_arguments(photographs, tmp_path / "out", names, "--dry-run")) == 0
    out = capfd.readouterr().out
    assert "one x4 seed 0" in out
    assert "2 runs: 0 done, 2 to do, about" in out
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_failure_a_kill_and_a_memory_hog_take_no_other_run_with_them(photographs: Path, tmp_path: Path):
    """Exit status 1 and three causes; the second call runs those three and no other."""
    out = tmp_path / "out"
    names = variants(
        tmp_path,
        broken="",
        hog="train.batch: 300000",
        killed="train.iterations: 200, train.validate_every: 200",
        good="",
    )
    last = out / "broken" / "x4" / "seed0" / "last.pt"
    last.parent.mkdir(parents=True)
    last.write_bytes(b"no checkpoint")
    call = sweep_arguments(photographs, out, names)
    pipe = subprocess.PIPE
    launcher = subprocess.Popen([*RUN, *call], stdout=pipe, stderr=pipe, text=True, preexec_fn=limit_memory)
    kill_when_running(out / "killed" / "x4" / "seed0" / "lock.json")
    _, error = launcher.communicate(timeout=300)
    assert launcher.returncode == 1, error
    rows = lines_of(out)
    assert {key: row["status"] for key, row in rows.items()} == {
        "broken/0": "failed", "hog/0": "failed", "killed/0": "failed", "good/0": "finished",
    }  # fmt: skip
    assert "last.pt is not a readable checkpoint" in rows["broken/0"]["cause"]
    assert rows["hog/0"]["cause"].startswith("out of memory")
    assert rows["killed/0"]["cause"] == "killed by signal 9, as the system does when memory runs out"
    assert record(out, "killed")["status"] == "failed"
    said = {name: record(out, name)["last_lines"][-1] for name in ("broken", "hog", "killed")}
    assert said["broken"].endswith("Delete it to start this run anew.")
    assert "allocate" in said["hog"]
    assert said["killed"].startswith("killed x4 seed 0: training on")
    assert error.count("failed: ") >= 3
    last.unlink()
    variants(tmp_path, hog="train.batch: 2")
    (out / "hog" / "x4" / "seed0" / "config.yaml").unlink()
    before = record(out, "good")["date"]
    again = subprocess.run([*RUN, *call], capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 0, again.stderr
    assert "4 runs: 1 done, 3 to do" in again.stdout
    assert {row["status"] for row in lines_of(out).values()} == {"finished"}
    assert record(out, "good")["date"] == before


@pytest.mark.slow
def test_two_launchers_do_every_run_once(photographs: Path, tmp_path: Path):
    names = variants(tmp_path, one="", two="", three="", four="")
    out = tmp_path / "out"
    call = [*RUN, *sweep_arguments(photographs, out, names)]
    launchers = [subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    errors = [launcher.communicate(timeout=300)[1] for launcher in launchers]
    assert [launcher.returncode for launcher in launchers] == [0, 0], errors
    for name in ("one", "two", "three", "four"):
        assert record(out, name)["sittings"] == 1
        assert (out / name / "x4" / "seed0" / "log.txt").read_text().count(": training on ") == 1


def test_a_failure_of_another_launcher_is_taken_as_it_is(photographs: Path, tmp_path: Path):
    """Both launchers fail at the same run, which is tried once."""
    out = tmp_path / "out"
    names = variants(tmp_path, broken="", good="train.iterations: 30, train.validate_every: 30")
    last = out / "broken" / "x4" / "seed0" / "last.pt"
    last.parent.mkdir(parents=True)
    last.write_bytes(b"no checkpoint")
    plans = make_plans(arguments().read(sweep_arguments(photographs, out, names)))
    jobs = [Job(plan) for plan in plans]
    with held(plans[0].folder.lock):
        elsewhere = Job(plans[0], state="elsewhere")
        assert not elsewhere.settle()
    run_jobs(jobs, LocalEngine(plans[0].device, slots_of(plans[0].device, 1)), lambda: False, lambda: None)
    assert [job.state for job in jobs] == ["failed", "finished"]
    assert elsewhere.settle()
    assert elsewhere.state == "failed"
    assert elsewhere.cause == jobs[0].cause
    assert "is not a readable checkpoint" in elsewhere.cause
    assert last.with_name("log.txt").read_text().count("broken x4 seed 0: training on") == 1


def test_a_run_that_is_tried_again_has_no_record_of_its_failure_meanwhile(photographs: Path, tmp_path: Path):
    names = variants(tmp_path, one="")
    (plan,) = make_plans(arguments().read(sweep_arguments(photographs, tmp_path / "out", names)))
    record_failure(plan, "killed by signal 9", [f"line {i}" for i in range(30)])
    failure = record(tmp_path / "out", "one")
    assert (failure["status"], failure["error"]) == ("failed", "killed by signal 9")
    assert failure["last_lines"] == [f"line {i}" for i in range(10, 30)]
    there = []
    run(plan, Group(0, 1, plan.device), lambda *_: there.append(plan.folder.record.exists()), lambda: False)
    assert there
    assert not any(there)
    assert record(tmp_path / "out", "one")["status"] == "finished"


def test_a_failure_is_not_recorded_over_a_run_that_another_process_has_taken(photographs: Path, tmp_path: Path):
    names = variants(tmp_path, one="")
    (plan,) = make_plans(arguments().read(sweep_arguments(photographs, tmp_path / "out", names)))
    with held(plan.folder.lock):
        record_failure(plan, "killed by signal 9", [])
    assert not plan.folder.record.exists()


def test_a_thousand_finished_runs_are_planned_without_a_step_and_in_little_memory(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd
):
    """One network is built, one training set held, nothing measured; `overhead.py` times it."""
    names = variants(tmp_path, one="")
    call = sweep_arguments(photographs, tmp_path / "out", names, "--seeds", *map(str, range(1000)))
    built, build = [], Candidate.build
    monkeypatch.setattr(Candidate, "build", lambda self, scale: built.append(scale) or build(self, scale))
    monkeypatch.setattr(estimate, "measured_step", lambda plan: pytest.fail("a step was measured"))
    plans = make_plans(arguments().read(call))
    assert built == [4]
    assert len({id(plan.training_set) for plan in plans}) == 1
    assert len({plan.config_hash() for plan in plans}) == 1000
    checkpoint.save(tmp_path / "weights.pt", {"params": {}})
    for plan in plans:
        one = trial_runs.record("one", plan.seed, 30.0, scale=4, config_hash=plan.config_hash())
        plan.folder.record.parent.mkdir(parents=True)
        plan.folder.record.write_text(json.dumps(vars(one)))
        plan.folder.weights.hardlink_to(tmp_path / "weights.pt")
    options = RunOptions(out=tmp_path / "out")
    tracemalloc.start()
    jobs = [job_of(plan, options) for plan in plans]
    held_bytes, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [job.state for job in jobs] == ["finished"] * 1000
    assert held_bytes < 2**20
    assert peak_bytes - held_bytes < 2**18
    show_plan(jobs, options)
    assert capfd.readouterr().out.splitlines() == ["1000 runs: 1000 done, 0 to do."]


def test_another_configuration_in_a_folder_fails_alone(photographs: Path, tmp_path: Path, capfd):
    names = variants(tmp_path, one="", two="")
    assert main(sweep_arguments(photographs, tmp_path / "out", names[:1])) == 0
    variants(tmp_path, one="optimizer.lr: 1.0e-4")
    assert main(sweep_arguments(photographs, tmp_path / "out", names)) == 1
    error = capfd.readouterr().err
    assert "other configuration: one x4 seed 0:" in error
    assert "recipe.optimizer.lr: 0.005 there, 0.0001 asked for" in error
    assert lines_of(tmp_path / "out")["two/0"]["status"] == "finished"


@pytest.mark.slow
def test_interrupted_sweep_saves_and_goes_on(photographs: Path, tmp_path: Path):
    names = variants(tmp_path, long="train.iterations: 400, train.validate_every: 400", next="")
    out = tmp_path / "out"
    call = [*RUN, *sweep_arguments(photographs, out, names)]
    launcher = subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wait_for(out / "long" / "x4" / "seed0" / "lock.json")
    launcher.send_signal(signal.SIGTERM)
    _, error = launcher.communicate(timeout=60)
    assert launcher.returncode == 143, error
    assert (out / "long" / "x4" / "seed0" / "last.pt").exists()
    assert not (out / "long" / "x4" / "seed0" / "lock.json").exists()
    assert not (out / "next").exists()
    assert subprocess.run(call, capture_output=True, timeout=300, check=False).returncode == 0
    assert record(out, "long")["sittings"] == 2


def test_sweep_file_is_the_same_as_its_options(photographs: Path, tmp_path: Path, capfd):
    (name,) = variants(tmp_path, one="")
    call = sweep_arguments(photographs, tmp_path / "out", [name])
    file = tmp_path / "sweep.yaml"
    file.write_text(f"variants: [{name}]\nscales: [2, 4]\nseeds: [3, 5]\nset: {{train.iterations: 6}}\n")
    assert main(["--sweep", str(file), *call[2:], "--dry-run"]) == 0
    out = capfd.readouterr().out
    for title in ("one x2 seed 3", "one x2 seed 5", "one x4 seed 3", "one x4 seed 5"):
        assert title in out
    file.write_text("variant: [one]\n")
    assert main(["--sweep", str(file), *call[2:]]) == 2
    assert f"No key in {file} 'variant'. Did you mean 'variants'" in capfd.readouterr().err


def test_a_sweep_file_holds_the_rules_of_a_sweep_as_well(tmp_path: Path):
    file = tmp_path / "sweep.yaml"

    def read(text: str) -> RunOptions:
        file.write_text(f"variants: [bn]\n{text}\n")
        return with_sweep_file(arguments().read(["--sweep", str(file)]))

    halved, tuned = read("halve: 0.5"), read("tune_lr: [1, 2]")
    looked = read("seeds: [0, 1]\nseeds_until: 0.05\nmax_seeds: 6")
    assert (halved.halve, halved.variants) == (0.5, ("bn",))
    assert (looked.seeds_until, looked.max_seeds, looked.seeds) == (0.05, 6, (0, 1))
    assert (tuned.tune_lr, read("metrics: [psnr_rgb_db]").metrics) == ((1.0, 2.0), ("psnr_rgb_db",))
    planned = read("detect: 0.03\npilot: runs")
    assert (planned.detect, planned.pilot) == (0.03, Path("runs"))


def test_slots_share_gpus_and_threads():
    threads = torch.get_num_threads()
    assert slots_of(torch.device("cpu"), 2) == [Slot(None, max(1, threads // 2))] * 2
    assert visible_gpus(None, 2) == ["0", "1"]
    assert visible_gpus("GPU-a, 3", 2) == ["GPU-a", "3"]
    with pytest.raises(UserError, match="--slots-per-device 0 leaves no place"):
        slots_of(torch.device("cpu"), 0)


def test_causes_in_one_line():
    assert cause_of(MemoryError()) == "out of memory: MemoryError"
    refused = RuntimeError("DefaultCPUAllocator: not enough memory:\nyou tried to allocate 8 bytes")
    assert cause_of(refused) == "out of memory: DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes"
    refused = RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
    assert cause_of(refused) == f"out of memory: {refused}"
    assert cause_of(ZeroDivisionError("division by zero")) == "ZeroDivisionError: division by zero"
    assert killed_cause(-15) == "killed by signal 15"
    assert killed_cause(3) == "ended with exit status 3"


def limit_memory() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (6 * 2**30, 6 * 2**30))


def kill_when_running(lock: Path) -> None:
    wait_for(lock)
    while "training on" not in lock.with_name("log.txt").read_text():  # its last line, which the record is to have
        time.sleep(0.005)
    os.kill(json.loads(lock.read_text())["pid"], signal.SIGKILL)


def wait_for(lock: Path) -> None:
    """Wait until a run has its lock, and a little more."""
    deadline = time.monotonic() + 180
    while not lock.exists():
        assert time.monotonic() < deadline, f"{lock} was never there"
        time.sleep(0.005)


def test_a_running_score_has_the_headlines_unit_and_digits():
    assert in_words(26.7461) == "26.75 dB"
    assert headline_of({"Set5": {"psnr_y_db": 30.0, "ssim_y": 0.8}, "B100": {"psnr_y_db": 26.0, "ssim_y": 0.7}}) == 26.0
    assert headline_of(None) is None
    assert table_lines([], 100, 30)[1].split("  ") == ["run", "state", "iteration", "loss", "PSNR-Y [dB]", "ETA"]


def test_a_record_holds_the_command_that_asked_for_it_and_the_text_of_its_variant(photographs: Path, tmp_path: Path):
    names = variants(tmp_path, one="")
    out = tmp_path / "a folder"
    call = sweep_arguments(photographs, out, names)
    assert main(call) == 0
    held = record(out, "one")
    program, script, *words = shlex.split(held["command"])
    assert (program, script, words) == ("python", "ablations/run.py", call)
    assert arguments().read(words) == arguments().read(call)
    assert held["variant_file"] == Path(names[0]).read_text()
