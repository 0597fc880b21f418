"""Halving in a sweep: who stops says so; who goes on ends with the bits of a run never cut, also when killed."""

import json
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from killed_runs import Kill, Runner
from made_records import made_record
from short_runs import assert_same, lines_of, record, sweep_arguments, variants

from safmn_bench.ablations.record import RunFolder, validation_at
from safmn_bench.ablations.run import main
from safmn_bench.ablations.runs.plan import finished_record
from safmn_bench.ablations.runs.running import run
from safmn_bench.ablations.sweeps import halving
from safmn_bench.ablations.sweeps.command import make_plans
from safmn_bench.ablations.sweeps.jobs import AT_CUT, Job
from safmn_bench.ablations.sweeps.options import RunOptions, arguments
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.loop import AtCut
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import write_csv

HALF = ["--seeds", "0", "1", "--halve", "0.5", "--set", "train.iterations=40", "train.validate_every=10"]
RATES = {"good": "5.0e-3", "better": "6.0e-3", "slow": "2.0e-5", "slower": "1.5e-5"}


@pytest.fixture
def call(photographs: Path, tmp_path: Path) -> list[str]:
    """Four variants, two of which learn next to nothing."""
    names = variants(tmp_path, **{name: f"optimizer.lr: {lr}" for name, lr in RATES.items()})
    return sweep_arguments(photographs, tmp_path / "out", names, *HALF)


def jobs_of(call: list[str], **scores: tuple[float, float]) -> tuple[list[Job], RunOptions]:
    """The sweep's jobs at its cut with these scores, untrained."""
    options = arguments().read(call)
    jobs = [Job(plan) for plan in make_plans(options)]
    for job in jobs:
        row = {"iteration": 20, "dataset": "score", "psnr_y_db": scores[job.plan.candidate.name][job.plan.seed]}
        write_csv(job.plan.folder.validation, tuple(row), [row])
    return jobs, options


SCORES = {"good": (30.0, 30.1), "better": (30.1, 30.2), "slow": (29.0, 29.1), "slower": (28.0, 28.2)}


def test_networks_outside_the_top_half_stop_and_their_records_say_why(call: list[str], tmp_path: Path):
    jobs, options = jobs_of(call, **SCORES)
    halving.prepare(jobs, options)
    assert {job.state for job in jobs} == {AT_CUT}
    halving.settle(jobs, options)
    assert {job.plan.candidate.name for job in jobs if job.state == "waiting"} == {"good", "better"}
    assert {job.plan.until for job in jobs} == {None}
    slow = record(tmp_path / "out", "slow", 1)
    assert (slow["status"], slow["iterations"], slow["scores"]) == ("stopped", 20, {})
    assert slow["stopped"] == {"iteration": 20, "dataset": "score", "score": 29.1}
    assert "by halving at iteration 20 of 40: score 29.10 dB; the mean of its seeds lies 1.000 below" in slow["error"]
    assert halving.saved(jobs) == "Halving stopped 4 of 8 runs and saved 25 % of the iterations."


def test_a_sweep_started_again_does_what_was_decided_whatever_the_scores_say_now(call: list[str], tmp_path: Path):
    jobs, options = jobs_of(call, **SCORES)
    halving.prepare(jobs, options)
    halving.settle(jobs, options)
    kept = (tmp_path / "out" / "halving_x4.json").read_bytes()
    before = record(tmp_path / "out", "slow")
    again, _ = jobs_of(call, **{**SCORES, "slow": (40.0, 40.0)})
    halving.prepare(again, options)
    halving.settle(again, options)
    assert [job.state for job in again] == [job.state for job in jobs]
    assert (tmp_path / "out" / "halving_x4.json").read_bytes() == kept
    assert record(tmp_path / "out", "slow") == before


def test_a_decision_among_other_runs_is_refused(call: list[str]):
    jobs, options = jobs_of(call, **SCORES)
    halving.prepare(jobs, options)
    halving.settle(jobs, options)
    with pytest.raises(UserError, match=r"decided at iteration 20 among 8 runs; now asked for .* 6 runs"):
        halving.prepare(jobs[:6], options)


def test_a_stopped_run_goes_on_when_no_halving_is_asked_for(call: list[str]):
    jobs, options = jobs_of(call, **SCORES)
    halving.prepare(jobs, options)
    halving.settle(jobs, options)
    assert [finished_record(job.plan) for job in jobs if job.decided] == [None] * 4


def test_the_cut_is_the_first_validation_at_or_after_the_share(call: list[str]):
    jobs, options = jobs_of(call, **SCORES)
    assert halving.cut_of(jobs, options) == 20
    shares = {0.51: 30, 0.4: 20, 0.75: 30}
    assert {s: halving.cut_of(jobs, arguments().read([*call, "--halve", str(s)])) for s in shares} == shares
    with pytest.raises(UserError, match=r"no validation lies between iteration 32 and the end at 40"):
        halving.cut_of(jobs, arguments().read([*call, "--halve", "0.8"]))
    with pytest.raises(UserError, match="at least three networks and two seeds of each"):
        halving.cut_of([job for job in jobs if job.plan.seed == 0], options)


def test_a_quarter_of_a_run_is_refused_unless_forced(call: list[str]):
    with pytest.raises(UserError, match=r"--halve 0.25: scores do not rank networks so early"):
        arguments().read([*call, "--halve", "0.25"])
    assert arguments().read([*call, "--halve", "0.25", "--force"]).halve == 0.25


def test_validation_is_read_at_its_iteration(tmp_path: Path):
    folder = RunFolder(tmp_path)
    assert validation_at(folder, 10) is None
    made_record().write(folder)
    rows = [{"iteration": i, "dataset": "Set5", "psnr_y_db": 20.0 + i} for i in (10, 20, 30)]
    write_csv(folder.validation, tuple(rows[0]), rows)
    assert validation_at(folder, 20) == ("Set5", 40.0)
    assert validation_at(folder, 25) is None


@pytest.mark.slow
def test_a_run_killed_within_its_checkpoint_at_the_cut_goes_on_bit_for_bit(call: list[str], tmp_path: Path):
    """The log is written before the checkpoint: the score at the cut is there, the checkpoint is an earlier one."""
    options = arguments().read([*call, "--variants", *call[1:2], "--seeds", "0"])
    (plan,) = make_plans(options)
    whole = replace(plan, folder=RunFolder(tmp_path / "whole"))
    group = Group(0, 1, plan.device)
    run(whole, group, lambda *_: None, lambda: False)
    for until in (15, 20):
        with pytest.raises(AtCut):
            run(replace(plan, until=until), group, lambda *_: None, lambda: False)
        if until == 15:
            shutil.copy(plan.folder.checkpoint, tmp_path / "earlier.pt")
    shutil.copy(tmp_path / "earlier.pt", plan.folder.checkpoint)
    assert validation_at(plan.folder, 20) == validation_at(whole.folder, 20)
    run(plan, group, lambda *_: None, lambda: False)
    assert_same(whole.folder.path, plan.folder.path)
    assert plan.folder.validation.read_bytes() == whole.folder.validation.read_bytes()


@pytest.mark.slow
def test_survivors_end_bit_identical_to_runs_never_cut_also_when_killed_at_the_cut(call: list[str], tmp_path: Path):
    """Kills of the launcher itself: within the writing of the decision, of a stopped run's record, of a checkpoint."""
    whole, log = tmp_path / "whole", tmp_path / "log.txt"
    uncut = [*call, "--out", str(whole)]
    del uncut[uncut.index("--halve") : uncut.index("--halve") + 2]
    assert main(uncut) == 0
    kills = [Kill(file="halving_x4.json", stage="half"), Kill(file="halving_x4.json", stage="in place")]
    kills.append(Kill(file="record.json", nth=2, stage="before"))
    with Runner(log) as runner:
        assert [runner(call, kill) for kill in kills] == [-signal.SIGKILL] * 3, log.read_text()
        assert runner(call) == 0, log.read_text()
    out = tmp_path / "out"
    rows = lines_of(out)
    ends = {name: {rows[f"{name}/{seed}"]["status"] for seed in (0, 1)} for name in RATES}
    assert ends == {"good": {"finished"}, "better": {"finished"}, "slow": {"stopped"}, "slower": {"stopped"}}
    for name in ("good", "better"):
        for seed in (0, 1):
            folders = [folder / name / "x4" / f"seed{seed}" for folder in (whole, out)]
            assert_same(*folders)
            validations = [(folder / "validation.csv").read_bytes() for folder in folders]
            assert validations[0] == validations[1]
            assert record(out, name, seed)["scores"] == record(whole, name, seed)["scores"]
    assert json.loads((out / "halving_x4.json").read_text())["cut"] == 20
