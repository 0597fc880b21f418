"""Sweeps on a real Slurm, whose daemons run for this file: signals, requeues, deaths, two launchers, Ctrl-C."""

import contextlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import slurm_daemons
import torch
from short_runs import RUN, assert_same, lines_of, record, sweep_arguments, variants

from safmn_bench.ablations.run import main

pytestmark = [
    pytest.mark.slow,  # .ci/run runs them by name
    pytest.mark.skipif(bool(slurm_daemons.missing()), reason=f"not installed: {slurm_daemons.missing()}"),
]
ENGINE = ["--engine", "slurm", "--slurm-cpus", "1", "--slurm-time-min", "5"]
NAMES = ("preempted", "requeued", "dead", "good")
LONG = "train.iterations: 300, train.validate_every: 300, train.save_every: 20"
WAIT_S = 120.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment in which Slurm's commands work."""
    with slurm_daemons.running_slurm(tmp_path_factory.mktemp("slurm")) as environment:
        yield {**environment, "SAFMN_BENCH_CACHE": str(tmp_path_factory.getbasetemp() / "cache")}


@dataclass
class Swept:
    """What happened in the one sweep that most facts below are about."""

    out: Path
    call: list[str]
    interrupted: tuple[int, str]
    """Exit status and messages of the launcher that was sent SIGINT."""
    whole: tuple[int, str]
    """The same of the one that saw the end."""


@pytest.fixture(scope="module")
def swept(cluster: dict[str, str], photographs: Path, tmp_path_factory: pytest.TempPathFactory) -> Swept:
    """Two launchers on four runs: one run is sent SIGUSR2, one requeued, one killed; then one launcher interrupted."""
    folder = tmp_path_factory.mktemp("swept")
    names = variants(folder, preempted=LONG, requeued=LONG, dead=LONG, good="")
    out = folder / "out"
    call = [*RUN, *sweep_arguments(photographs, out, names), *ENGINE]
    with launched(call, cluster) as whole, launched(call, cluster) as interrupted:
        wait_for(lambda: all((run_folder(out, name) / "slurm.json").exists() for name in NAMES), cluster)
        disturb(out, cluster)
        interrupted.send_signal(signal.SIGINT)
        return Swept(out, call, ended(interrupted, cluster), ended(whole, cluster))


def disturb(out: Path, cluster: dict[str, str]) -> None:
    """Do to the runs what their names say, each after its first checkpoint."""
    jobs = jobs_of(out)
    wait_for(lambda: all((run_folder(out, name) / "last.pt").exists() for name in ("preempted", "requeued")), cluster)
    # Delivered at once; but while tasks of the array wait, Slurm 22.05 answers with an error, and scancel would repeat.
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run(["scancel", "--signal=USR2", jobs["preempted"]], env=cluster, timeout=1, check=True)
    subprocess.run(["scontrol", "requeue", jobs["requeued"]], env=cluster, check=True)
    wait_for((run_folder(out, "dead") / "last.pt").exists, cluster)
    os.kill(json.loads((run_folder(out, "dead") / "lock.json").read_text())["pid"], signal.SIGKILL)


def test_interrupted_launcher_leaves_its_jobs_to_slurm(swept: Swept):
    status, error = swept.interrupted
    assert status == 130
    assert "What was submitted goes on in Slurm" in error


def test_second_launcher_attaches_to_the_jobs_of_the_first(swept: Swept):
    assert len({job.split("_")[0] for job in jobs_of(swept.out).values()}) == 1
    assert sorted(job.split("_")[1] for job in jobs_of(swept.out).values()) == ["0", "1", "2", "3"]
    assert len(list((swept.out / "slurm").glob("*_submission.sh"))) == 1


def test_the_dead_is_named_and_the_others_finish(swept: Swept):
    status, error = swept.whole
    assert status == 1, error
    (failed,) = [line for line in error.splitlines() if line.startswith("failed: ")]
    assert failed.startswith(
        f"failed: dead x4 seed 0: Slurm job {jobs_of(swept.out)['dead']}: FAILED, killed by signal 9"
    )
    assert failed.endswith(f"(log: {run_folder(swept.out, 'dead') / 'log.txt'})")
    assert {key: row["status"] for key, row in lines_of(swept.out).items()} == {
        "preempted/0": "finished", "requeued/0": "finished", "dead/0": "failed", "good/0": "finished",
    }  # fmt: skip


def test_record_of_the_dead_has_its_last_lines(swept: Swept):
    last = record(swept.out, "dead")["last_lines"]
    assert any("dead x4 seed 0: training on" in line for line in last)
    assert any("Killed" in line for line in last)


def test_no_run_was_done_twice(swept: Swept):
    assert {name: record(swept.out, name)["sittings"] for name in NAMES if name != "dead"} == {
        "preempted": 2, "requeued": 2, "good": 1,
    }  # fmt: skip


def test_second_call_runs_the_dead_alone_and_all_have_the_bits_of_local_runs(
    swept: Swept, cluster: dict[str, str], photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    dates = {name: record(swept.out, name)["date"] for name in NAMES}
    again = subprocess.run(swept.call, env=cluster, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert again.returncode == 0, again.stderr
    assert "4 runs: 3 done, 1 to do (1 from a checkpoint)" in again.stdout
    assert {name for name in NAMES if record(swept.out, name)["date"] != dates[name]} == {"dead"}
    torch.set_num_threads(1)
    for name in NAMES:
        call = [*swept.call[len(RUN) : -len(ENGINE)]]
        call[call.index("--variants") + 1 : call.index("--device")] = [str(swept.out.parent / f"{name}.yaml")]
        call[call.index("--out") + 1] = str(tmp_path)
        assert main(call) == 0
        assert_same(run_folder(tmp_path, name), run_folder(swept.out, name))


def test_what_slurm_refuses_is_one_paragraph(cluster: dict[str, str], photographs: Path, tmp_path: Path):
    names = variants(tmp_path, one="")
    call = [*RUN, *sweep_arguments(photographs, tmp_path / "out", names), *ENGINE, "--slurm-partition", "nowhere"]
    refused = subprocess.run(call, env=cluster, capture_output=True, text=True, timeout=WAIT_S, check=False)
    assert refused.returncode == 2, refused.stderr
    (line,) = [line for line in refused.stderr.splitlines() if line.startswith("error: ")]
    assert line.startswith("error: Slurm did not take the runs:")
    assert "invalid partition specified: nowhere" in line
    assert "Check --slurm-partition" in line
    assert "Traceback" not in refused.stderr


def test_halving_stops_the_same_runs_as_here_and_survivors_have_their_bits(
    cluster: dict[str, str], photographs: Path, tmp_path: Path
):
    rates = {"good": "5.0e-3", "better": "6.0e-3", "slow": "2.0e-5", "slower": "1.5e-5"}
    names = variants(tmp_path, **{name: f"optimizer.lr: {lr}" for name, lr in rates.items()})
    half = ["--seeds", "0", "1", "--halve", "0.5", "--set", "train.iterations=40", "train.validate_every=10"]
    call = sweep_arguments(photographs, tmp_path / "slurm", names, *half)
    done = subprocess.run([*RUN, *call, *ENGINE], env=cluster, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "Halving stopped 4 of 8 runs and saved 25 % of the iterations." in done.stdout
    torch.set_num_threads(1)
    assert main([*call, "--out", str(tmp_path / "here")]) == 0
    ends = [{run: row["status"] for run, row in lines_of(tmp_path / out).items()} for out in ("slurm", "here")]
    assert ends[0] == ends[1]
    for name in ("good", "better"):
        assert_same(run_folder(tmp_path / "here", name), run_folder(tmp_path / "slurm", name))


@contextlib.contextmanager
def launched(call: list[str], cluster: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """A launcher, which does not outlive a test that fails."""
    pipe = subprocess.PIPE
    with subprocess.Popen(call, stdout=pipe, stderr=pipe, text=True, env=cluster) as launcher:
        try:
            yield launcher
        finally:
            launcher.kill()


def ended(launcher: subprocess.Popen[str], cluster: dict[str, str]) -> tuple[int, str]:
    """Wait for its end; exit status and messages."""
    wait_for(lambda: launcher.poll() is not None, cluster)
    _, error = launcher.communicate()
    return launcher.returncode, error


def jobs_of(out: Path) -> dict[str, str]:
    return {name: json.loads((run_folder(out, name) / "slurm.json").read_text())["job"] for name in NAMES}


def run_folder(out: Path, name: str) -> Path:
    return out / name / "x4" / "seed0"


def wait_for(true: Callable[[], bool], cluster: dict[str, str]) -> None:
    """Wait until `true()`. Slurm lets requeued jobs wait for two minutes: they may start at once here."""
    deadline = time.monotonic() + WAIT_S
    while not true():
        assert time.monotonic() < deadline, subprocess.run(["squeue"], env=cluster, capture_output=True).stdout
        listing = ["squeue", "--array", "--noheader", "--states=PENDING", "--format=%i|%r"]
        for line in subprocess.run(listing, env=cluster, capture_output=True, text=True).stdout.splitlines():
            job, reason = line.split("|")
            if reason == "BeginTime":
                subprocess.run(["scontrol", "update", f"JobId={job}", "StartTime=now"], env=cluster, check=False)
        time.sleep(0.2)
