"""Learning rates of one's own: chosen without a benchmark, run beside the shared one, both differences shown."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from made_records import made_record, scores_of, write_run
from short_runs import lines_of, sweep_arguments, variants

from safmn_bench.ablations.data.held_out import NAME
from safmn_bench.ablations.metrics import HEADLINE
from safmn_bench.ablations.run import main
from safmn_bench.ablations.runs import running
from safmn_bench.ablations.runs.failures import without_result
from safmn_bench.ablations.runs.running import run
from safmn_bench.ablations.sweeps import sweep, tuning
from safmn_bench.ablations.sweeps.command import make_plans
from safmn_bench.ablations.sweeps.jobs import Job
from safmn_bench.ablations.sweeps.options import arguments
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.analysis.stats.groups import measure
from safmn_bench.analysis.stats.profiles import Profiles
from safmn_bench.analysis.stats.reading import find_runs, find_tuned
from safmn_bench.analysis.tabular.command import tabulate, to_csv, to_markdown
from safmn_bench.analysis.webpage.rows import deltas
from safmn_bench.models.errors import UserError


@pytest.fixture
def call(make_images: Callable[..., Path], photographs: Path, tmp_path: Path) -> list[str]:
    """Two variants; training images large enough to be scored."""
    make_images(tmp_path / "train", *(f"t{i}.png" for i in range(4)), seed=5)
    names = variants(tmp_path, one="", two="optimizer.lr: 1.0e-3")
    found = sweep_arguments(photographs, tmp_path / "out", names, "--tune-lr", "0.5", "1", "2")
    found[found.index("--train-data") + 1] = str(tmp_path / "train")
    return found


def test_trials_are_scored_on_held_out_training_images_and_no_benchmark_is_seen(
    call: list[str], photographs: Path, monkeypatch: pytest.MonkeyPatch
):
    """Every image that a trial scores or trains on is listed; a benchmark's file among them would fail this."""
    options = arguments().read(call)
    plans = make_plans(options)
    found = tuning.trials(plans, options)
    assert [(plan.candidate.name, plan.rate, plan.seed) for plan in found[:3]] == [
        ("one", 0.5, tuning.SEED), ("one", 1.0, tuning.SEED), ("one", 2.0, tuning.SEED),
    ]  # fmt: skip
    seen: list[Path] = []
    score = running.score

    def watched(network, benchmark, *args, **options):
        seen.extend(item.hr for item in benchmark.items)
        return score(network, benchmark, *args, **options)

    monkeypatch.setattr(running, "score", watched)
    record = run(found[0], Group(0, 1, found[0].device), lambda *_: None, lambda: False)
    assert record is not None
    assert list(record.scores) == [NAME]
    assert seen
    assert not {path for path in seen if photographs in path.parents}
    held = {path.stem for path in seen}
    assert len(held) == 1
    assert not held & {Path(name).stem for name in found[0].training_set.names}
    assert len(found[0].training_set.names) == len(plans[0].training_set.names) - 1


def test_the_whole_schedule_is_at_the_multiple(call: list[str]):
    plan = make_plans(arguments().read(call))[0]
    twice = tuning.at_rate(plan, 2.0)
    for iteration in (0, 5, 11):
        ratio = twice.recipe.learning_rate(iteration) / plan.recipe.learning_rate(iteration)
        assert ratio == pytest.approx(2.0)


def tried(call: list[str], scores: dict[str, dict[float, float | None]]) -> tuple[list[Job], Path]:
    """Trials whose records are made up; None for a collapse."""
    options = arguments().read(call)
    jobs = [Job(plan, state="finished") for plan in tuning.trials(make_plans(options), options)]
    for job in jobs:
        db = scores[job.plan.candidate.name][job.plan.rate]
        status = "finished" if db is not None else "collapsed"
        held = {NAME: {HEADLINE: db or 40.0, "images": {"a": {HEADLINE: db or 40.0}}}}
        without_result(job.plan, status=status, scores=held).write(job.plan.folder)
    return jobs, options.out


def test_the_best_on_the_held_out_images_is_chosen_and_a_collapse_never(call: list[str], capsys):
    jobs, out = tried(call, {"one": {0.5: 27.0, 1.0: 27.0, 2.0: None}, "two": {0.5: 26.0, 1.0: 26.5, 2.0: 26.4}})
    assert tuning.choose(jobs, out) == {("one", 4): 0.5, ("two", 4): 1.0}
    said = capsys.readouterr().err
    assert (
        "one x4: 0.5 x the recipe's learning rate (held-out 0.5: 27.00 dB, 1: 27.00 dB, 2: collapsed; the best" in said
    )
    assert "two x4: 1 x the recipe's learning rate (held-out 0.5: 26.00 dB, 1: 26.50 dB, 2: 26.40 dB)" in said
    written = json.loads((out / "tuning_x4.json").read_text())["networks"]
    assert written["two"] == {"chosen": 1.0, "psnr_y_db": {"0.5": 26.0, "1": 26.5, "2": 26.4}}
    assert written["one"] == {"chosen": 0.5, "psnr_y_db": {"0.5": 27.0, "1": 27.0, "2": None}}


def test_a_network_of_which_every_trial_collapsed_keeps_the_recipes_rate(call: list[str], capsys):
    nothing = dict.fromkeys((0.5, 1.0, 2.0))
    jobs, out = tried(call, {"one": nothing, "two": {0.5: None, 1.0: 26.5, 2.0: None}})
    assert tuning.choose(jobs, out) == {("one", 4): 1.0, ("two", 4): 1.0}
    said = capsys.readouterr().err
    assert "one x4: 1 x the recipe's learning rate (held-out 0.5: collapsed, 1: collapsed, 2: collapsed)" in said
    assert "try beyond" not in said  # what lies beyond the best was tried, and collapsed


@pytest.mark.parametrize("broken", ["", "[]", '{"seed": 1, "networks": {"three": {}}}'])
def test_a_network_tried_further_alone_leaves_the_others_lines(call: list[str], broken: str):
    jobs, out = tried(call, {"one": {0.5: 26.0, 1.0: 27.0, 2.0: 28.0}, "two": {0.5: 26.0, 1.0: 26.5, 2.0: 26.4}})
    path = out / "tuning_x4.json"
    path.write_text(broken)
    tuning.choose(jobs, out)
    first = json.loads(path.read_text())["networks"]
    assert list(first) == ["one", "two"]
    alone = [job for job in jobs if job.plan.candidate.name == "one"]
    without_result(alone[2].plan, status="finished", scores={NAME: {HEADLINE: 26.8, "images": {}}}).write(
        alone[2].plan.folder
    )
    tuning.choose(alone, out)
    again = json.loads(path.read_text())["networks"]
    assert again["two"] == first["two"]
    assert again["one"]["chosen"] == 1.0


@pytest.mark.parametrize(
    ("rates", "said"),
    [(("0.5", "2"), "1 among them"), (("0", "1"), "multiples above 0"), (("1", "2", "--halve", "0.5"), "leave out")],
)
def test_rates_that_say_nothing_are_refused(call: list[str], rates: tuple[str, ...], said: str):
    with pytest.raises(UserError, match=said):
        arguments().read([*call, "--tune-lr", *rates])


def test_the_plan_says_what_comes_on_top(call: list[str], monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(sweep, "seconds_of", lambda *_: None)
    assert main([*call, "--seeds", "0", "1", "--dry-run"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "4 runs: 0 done, 4 to do. Then 6 trials of learning rates, and up to 4 runs at each" in said


def records(rate: dict[str, float] | None, shift: dict[str, float]) -> list:
    rng = np.random.default_rng(0)
    means = {"baseline": 30.0, "w_o_LN": 29.7}
    return [
        replace(
            made_record(name, seed, {"Manga109": scores_of(mean + shift.get(name, 0) + 0.01 * rng.normal())}),
            tuned=rate[name] if rate else None,
        )
        for name, mean in means.items()
        for seed in (0, 1)
    ]


def test_table_and_report_have_both_differences_in_columns_of_their_own(tmp_path: Path):
    shared, own = records(None, {}), records({"baseline": 1.0, "w_o_LN": 0.25}, {"w_o_LN": 0.25})
    for one in shared:
        write_run(tmp_path, one)
    for one in own:
        write_run(tmp_path / "tuned", one)
    runs, tuned = [record for _, record in find_runs(tmp_path)], find_tuned(tmp_path)
    assert (len(runs), len(tuned)) == (4, 4)
    table = tabulate(3, runs, Profiles(), tuned=tuned)
    (row,) = [row for row in table.rows if row.values.get("variant") == "w_o_LN"]
    assert row.values["measured_Manga109_psnr_db_delta"] == pytest.approx(-0.3, abs=0.03)
    assert row.values["measured_Manga109_tuned_psnr_db_delta"] == pytest.approx(-0.05, abs=0.03)
    assert row.values["measured_tuned_rate"] == 0.25
    assert "measured_Manga109_tuned_psnr_db_delta_p_holm" in to_csv(table).splitlines()[0]
    assert "at own rates" in to_markdown(table)
    grid = deltas(measure(runs, 4, tuned=tuned), "Manga109")
    assert grid is not None
    assert [title for title, _ in grid.header][-4:] == [
        "own learning rate", "Δ PSNR-Y at own rates", "p (Holm) at own rates", "verdict at own rates",
    ]  # fmt: skip
    assert grid.rows[0][-4].value == 0.25
    assert "tuned" not in to_csv(tabulate(3, runs, Profiles()))


@pytest.mark.slow
def test_a_tuned_sweep_runs_the_seeds_at_both_rates(call: list[str], tmp_path: Path):
    call[call.index("--variants") + 1] = "baseline"
    call += ["--seeds", "0", "1", "--tune-lr", "0.001", "1"]
    assert main(call) == 0
    out = tmp_path / "out"
    assert {row["status"] for row in lines_of(out).values()} == {"finished"}
    tuned = find_tuned(out)
    assert [(record.variant, record.seed) for record in tuned] == [
        ("baseline", 0),
        ("baseline", 1),
        ("two", 0),
        ("two", 1),
    ]
    chosen = json.loads((out / "tuning_x4.json").read_text())["networks"]
    assert {record.variant: record.tuned for record in tuned} == {name: one["chosen"] for name, one in chosen.items()}
    before = {path: path.read_bytes() for path in out.rglob("record.json") if "tuned" not in path.parts}
    assert main(call) == 0
    assert before == {path: path.read_bytes() for path in before}
