"""Sweeps that choose their seeds: by what they found so far, and by the noise of a pilot."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_records import scores_of
from short_runs import record, sweep_arguments, variants

from safmn_bench.ablations.run import main
from safmn_bench.ablations.runs.failures import without_result
from safmn_bench.ablations.sweeps import sweep
from safmn_bench.ablations.sweeps.command import make_plans
from safmn_bench.ablations.sweeps.jobs import Job
from safmn_bench.ablations.sweeps.more_seeds import require_planned
from safmn_bench.ablations.sweeps.options import RunOptions, arguments
from safmn_bench.ablations.sweeps.seeds_to_detect import with_seeds
from safmn_bench.ablations.training import checkpoint
from safmn_bench.analysis.stats.groups import measure
from safmn_bench.analysis.stats.reading import find_runs
from safmn_bench.models.errors import UserError
from safmn_bench.models.names import find_candidate

STUDY = Path(__file__).parents[3] / "results" / "ablation" / "cpu_amd_epyc-reduced_cpu"
MEANS = {"baseline": 30.0, "far": 29.8, "near": 30.0, "alike": 30.0}
trained: list[list[str]] = []


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Training writes records made up from MEANS and 0.02 dB of noise."""
    trained.clear()

    def train(jobs: Sequence[Job], options: RunOptions, *_: Any) -> None:
        trained.append([job.plan.title for job in jobs if job.state == "waiting"])
        for job in (job for job in jobs if job.state == "waiting"):
            noise = 0.02 * np.random.default_rng([job.plan.seed, *job.plan.candidate.name.encode()]).normal()
            scores = {"Set14": scores_of(MEANS[job.plan.candidate.name] + noise)}
            without_result(
                job.plan, status="finished", iterations=12, scores=scores, bicubic={"Set14": scores_of(25.0)}
            ).write(job.plan.folder)
            checkpoint.save(job.plan.folder.weights, {"params": {}})
            job.state = "finished"

    monkeypatch.setattr(sweep, "train", train)
    monkeypatch.setattr(sweep, "seconds_of", lambda *_: None)


@pytest.fixture
def call(photographs: Path, tmp_path: Path) -> list[str]:
    names = variants(tmp_path, far="optimizer.lr: 1.0e-3", near="optimizer.lr: 2.0e-3", alike="optimizer.lr: 3.0e-3")
    return sweep_arguments(photographs, tmp_path / "out", ["baseline", *names], "--seeds", "0", "1")


@pytest.mark.usefixtures("made_up")
def test_seeds_are_added_to_undecided_networks_and_the_baseline_only(call: list[str], tmp_path: Path, capsys):
    assert main([*call, "--seeds-until", "0.05", "--max-seeds", "5"]) == 0
    assert [len(look) for look in trained] == [8, 4, 3, 3]  # far is told at 3 seeds
    assert trained[1] == [f"{name} x4 seed 2" for name in ("baseline", "far", "near", "alike")]
    assert trained[3] == [f"{name} x4 seed 4" for name in ("baseline", "near", "alike")]
    assert "x4, 5 seeds: undecided at the most seeds: near, alike." in capsys.readouterr().err
    assert record(tmp_path / "out", "far", 2)["looks"] == {"first": 2, "most": 5}
    rows = {row.name: row for row in measure([one for _, one in find_runs(tmp_path / "out")], 4)}
    found = {name: row.comparisons["Set14", "psnr_y_db"].verdict for name, row in rows.items() if name != "baseline"}
    assert found["far"] == ""
    assert found["near"] == found["alike"] == "n.s."


@pytest.mark.usefixtures("made_up")
def test_a_sweep_that_is_started_again_trains_nothing_more(call: list[str]):
    again = [*call, "--seeds-until", "0.05", "--max-seeds", "4"]
    assert main(again) == 0
    trained.clear()
    assert main(again) == 0
    assert not any(trained)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--seeds-until", "0"], "--seeds-until 0 is out of range"),
        (["--seeds-until", "0.05", "--seeds", "0"], "starts from 1 seed and"),
        (["--seeds-until", "0.05", "--max-seeds", "2"], "adds up to --max-seeds 2"),
        (["--seeds-until", "0.05", "--halve", "0.5"], "leave one of them out"),
        (["--detect", "0.03"], "--detect DB and --pilot DIR go together"),
        (["--detect", "0.03", "--pilot", "x"], "leave out --seeds"),
    ],
)
def test_what_does_not_go_together_is_refused(call: list[str], options: list[str], said: str):
    with pytest.raises(UserError, match=said):
        arguments().read([*call, *options])


def test_without_a_baseline_there_is_nothing_to_decide(call: list[str]):
    jobs = [Job(plan) for plan in make_plans(arguments().read(call)) if plan.candidate.name != "baseline"]
    with pytest.raises(UserError, match="adds seeds until differences from baseline are decided"):
        require_planned(jobs)


def detecting(db: float) -> RunOptions:
    options = RunOptions(variants=("baseline", "w_o_FM", "w_o_CCM"), detect=db, pilot=STUDY)
    return with_seeds(options, [find_candidate(name) for name in options.variants or ()])


def test_seeds_for_a_difference_are_planned_by_the_pilot(capsys):
    """0.1 dB on B100 with a run's deviation of 0.0235 dB: 4 seeds of three networks, as `power` says."""
    options = detecting(0.1)
    assert options.seeds == (0, 1, 2)
    said = capsys.readouterr().err
    assert "0.1 dB on B100 is found in 80% of cases with 3 seeds of each network" in said
    assert "among 2 comparisons; one by itself needs 3. Planned are seeds 0 to 2." in said


def test_what_no_number_of_seeds_finds_is_said():
    with pytest.raises(UserError, match=r"no number of seeds finds 0.0001 dB on B100 \(100 images\)"):
        detecting(0.0001)
