"""Differences by other trainings: by made runs whose figures, and whose intervals, follow by hand."""

import csv
import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from made_records import made_record, scores_of, write_run
from scipy import stats

from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.analysis.findings.findings import collapsing
from safmn_bench.analysis.findings.readme import readme
from safmn_bench.analysis.findings.rows import budgets, collapses, ranking
from safmn_bench.analysis.findings.runs import read_study
from safmn_bench.analysis.findings.trainings import OWN_RATE, Elsewhere, elsewhere, orders, widest
from safmn_bench.analysis.study import main
from safmn_bench.models.errors import UserError

SCATTER_DB = {"baseline": (0.0, 0.03, -0.01), "n4": (0.02, 0.0, 0.01), "w_SE": (0.01, -0.02, 0.02)}
"""Of seeds 0, 1 and 2."""
STUDY_DB = {"baseline": 30.0, "n4": 29.8, "w_SE": 30.1}
LONGER_DB = {"baseline": 30.5, "n4": 30.1}


def training_of(iterations: int, lr: float = 0.001) -> dict:
    train = {"iterations": iterations, "patch": 16, "batch": 8, "sampling": "image"}
    return {"name": "quick", "train": train, "optimizer": {"lr": lr}}


def run_of(name: str, seed: int, db: float, iterations: int = 100, lr: float = 0.001, **changes: object) -> Record:
    scores = {"Manga109": scores_of(db)}
    return made_record(name, seed, scores, recipe=training_of(iterations, lr), iterations=iterations, **changes)


def write_study(folder: Path) -> Path:
    for name, db in STUDY_DB.items():
        for seed, scatter in enumerate(SCATTER_DB[name]):
            write_run(folder, run_of(name, seed, db + scatter))
    return folder


def write_longer(folder: Path) -> Path:
    for name, db in LONGER_DB.items():
        write_run(folder / "trainings" / "longer", run_of(name, 0, db, iterations=300))
    return folder


def run_variance() -> tuple[float, int]:
    """By a two-way analysis of variance of the study's runs, network and seed; with its degrees of freedom."""
    y = np.array([np.array(SCATTER_DB[name]) for name in STUDY_DB])
    residual = y - y.mean(axis=1, keepdims=True) - y.mean(axis=0) + y.mean()
    freedom = (y.shape[0] - 1) * (y.shape[1] - 1)
    return float((residual**2).sum()) / freedom, freedom


def seed_effect() -> float:
    """What seed 0 adds to each network of the study: a run with that seed alone is held against its peers."""
    y = np.array(list(SCATTER_DB.values()))
    return float(y[:, 0].mean() - y.mean())


def half_width(factor: float) -> float:
    variance, freedom = run_variance()
    return float(stats.t.ppf(0.975, freedom)) * float(np.sqrt(factor * variance))


def row_of(rows: list[Elsewhere], variant: str, training: str = "longer") -> Elsewhere:
    (row,) = [row for row in rows if (row.variant, row.training) == (variant, training)]
    return row


def test_how_far_a_difference_moves_is_judged_by_the_scatter_of_the_studys_runs(tmp_path: Path):
    """One run less another: twice a run's variance; less the difference of two means of three: 2 + 2/3 of it."""
    rows = elsewhere(read_study(write_longer(write_study(tmp_path))))
    n4 = row_of(rows, "n4")
    assert n4.differs == "train.iterations 300 (100)"
    assert n4.difference is not None
    assert n4.study is not None
    assert n4.change is not None
    assert n4.gain is not None
    assert n4.difference.difference == pytest.approx(-0.4)
    assert n4.study.difference == pytest.approx(-0.2 + 0.01 - 0.02 / 3)
    assert n4.change.difference == pytest.approx(-0.4 - n4.study.difference)
    assert n4.gain.difference == pytest.approx(30.1 - 29.81 - seed_effect())
    assert n4.difference.half_width == pytest.approx(half_width(2))
    assert n4.change.half_width == pytest.approx(half_width(2 + 2 / 3))
    variance, freedom = run_variance()
    t = n4.change.difference / np.sqrt(8 / 3 * variance)
    assert n4.change.p == pytest.approx(2 * stats.t.sf(abs(t), freedom))
    baseline = row_of(rows, "baseline")
    assert (baseline.difference, baseline.change) == (None, None)
    assert baseline.gain is not None
    assert baseline.gain.difference == pytest.approx(30.5 - 30.0 - 0.02 / 3 - seed_effect())


def test_changes_are_corrected_for_all_of_them_on_a_benchmark(tmp_path: Path):
    folder = write_longer(write_study(tmp_path))
    for name, db in {"baseline": 30.2, "w_SE": 30.3}.items():
        write_run(folder / "trainings" / "rate", run_of(name, 0, db, lr=0.002))
    rows = elsewhere(read_study(folder))
    changes = [row_of(rows, "n4").change, row_of(rows, "w_SE", "rate").change]
    assert [change and change.family for change in changes] == [2, 2]
    p = [change.p for change in changes if change is not None and change.p is not None]
    assert [change.p_holm for change in changes if change is not None] == pytest.approx(
        [2 * p[0], p[1]] if p[0] < p[1] else [p[0], 2 * p[1]]
    )
    assert [row.change.family for row in elsewhere(read_study(write_longer(tmp_path))) if row.change] == [2, 2]


def test_a_network_whose_own_rate_is_the_recipes_is_the_studys_own(tmp_path: Path):
    """Only the baseline trains otherwise, so n4's difference moves by what the baseline gains."""
    folder = write_study(tmp_path)
    for seed, scatter in enumerate(SCATTER_DB["n4"]):
        write_run(folder / "tuned", run_of("n4", seed, 29.8 + scatter, tuned=1.0))
    write_run(folder / "tuned", run_of("baseline", 0, 30.4, lr=0.002, tuned=2.0))
    rows = elsewhere(read_study(folder))
    n4, baseline = row_of(rows, "n4", OWN_RATE), row_of(rows, "baseline", OWN_RATE)
    assert n4.gain is None
    assert n4.change is not None
    assert baseline.gain is not None
    assert n4.change.difference == pytest.approx(-baseline.gain.difference)
    assert n4.change.half_width == pytest.approx(baseline.gain.half_width)
    assert (n4.differs, baseline.differs) == ("", "optimizer.lr 0.002 (0.001)")


def test_a_collapsed_run_is_counted_and_not_compared(tmp_path: Path):
    folder = write_study(tmp_path)
    collapse = {"iteration": 40, "reason": "loss not finite", "weights_from_iteration": 30}
    write_run(folder, run_of("w_o_LN", 0, 29.5))
    for seed, status in enumerate(("collapsed", "finished")):
        record = run_of("w_o_LN", seed, 20.0, lr=0.004)
        ended = {"status": status, "collapse": collapse if status == "collapsed" else None}
        write_run(folder / "trainings" / "lr4e-3", dataclasses.replace(record, **ended))
    study = read_study(folder)
    (row,) = elsewhere(study)
    assert (row.status, row.seeds, row.gain, row.difference, row.change) == ("1 collapsed", 2, None, None, None)
    assert [line["lr"] for line in collapses(study) if line["status"] == "collapsed"] == [0.004]
    text = readme(study, ranking(study), budgets(study), [], None, [], elsewhere(study))
    seen = "**seen** in 1 of 3 runs: seed 0 of 100 iterations with optimizer.lr 0.004 (0.001) at iteration 40"
    assert seen in text
    spared = "; not in 1 of 100 iterations as here, in 1 with optimizer.lr 0.004 (0.001)."
    assert spared in text


def test_trials_of_rates_and_runs_at_own_rates_count_among_collapses_each_once(tmp_path: Path):
    """One run stands below tuned/ and trainings/, and a copy of the study's below tuned/; a failed trial nowhere."""
    write_run(tmp_path, run_of("w_o_LN", 0, 29.5, config_hash="study"))
    fast = run_of("w_o_LN", 1, 29.9, lr=0.004, config_hash="fast")
    write_run(tmp_path / "trainings" / "lr4e-3", fast)
    write_run(tmp_path / "tuned", dataclasses.replace(fast, tuned=4.0))
    write_run(tmp_path / "tuned", run_of("w_o_LN", 0, 29.5, config_hash="study", tuned=1.0))
    trial = run_of("w_o_LN", 9973, 20.0, lr=0.008, config_hash="trial")
    collapse = {"iteration": 40, "reason": "loss not finite", "weights_from_iteration": 30}
    write_run(tmp_path / "tuning" / "lr8", dataclasses.replace(trial, status="collapsed", collapse=collapse))
    write_run(tmp_path / "tuning" / "lr16", dataclasses.replace(trial, status="failed", config_hash="failed"))
    study = read_study(tmp_path)
    lines = [(line["config_hash"], line["status"], line["lr"]) for line in collapses(study)]
    assert lines == [("study", "finished", 0.001), ("fast", "finished", 0.004), ("trial", "collapsed", 0.008)]
    (found,) = collapsing(study)
    assert (found.all_runs, [record.seed for record, _ in found.seen]) == (3, [9973])
    assert found.spared == {"": 1, "optimizer.lr 0.004 (0.001)": 1}


def test_runs_that_scatter_more_by_another_training_are_judged_by_that_and_named(tmp_path: Path):
    """The baseline's three longer runs lie 0.5 dB apart, so how far n4's difference moves cannot be told."""
    folder = write_study(tmp_path)
    for seed, db in enumerate((30.5, 31.0, 30.0)):
        write_run(folder / "trainings" / "longer", run_of("baseline", seed, db, iterations=300))
        write_run(folder / "trainings" / "longer", run_of("n4", seed, 30.1 + 0.01 * seed, iterations=300))
    rows = elsewhere(read_study(folder))
    change = row_of(rows, "n4").change
    assert change is not None
    assert change.half_width is not None
    own = 0.5 * stats.t.ppf(0.975, 2) / np.sqrt(3)  # nearly: what the others say of its seeds is taken out
    assert change.half_width == pytest.approx(own, rel=0.01)
    text = readme(read_study(folder), [], [], [], None, [], rows)
    assert "Those of `baseline` by longer scatter far more (standard deviation 0.5" in text


def test_one_run_of_a_network_that_scatters_far_in_the_study_is_not_judged_elsewhere(tmp_path: Path):
    folder = write_longer(write_study(tmp_path))
    for seed, db in enumerate((29.0, 30.0, 29.5)):
        write_run(folder, run_of("bn", seed, db))
    write_run(folder / "trainings" / "longer", run_of("bn", 0, 29.9, iterations=300))
    rows = elsewhere(read_study(folder))
    bn, n4 = row_of(rows, "bn"), row_of(rows, "n4")
    assert (bn.lone, n4.lone) == (True, False)
    for comparison in (bn.gain, bn.difference, bn.change):
        assert comparison is not None
        assert (comparison.half_width, comparison.p, comparison.verdict) == (None, None, "untested")
    assert bn.difference is not None
    assert bn.difference.difference == pytest.approx(-0.6)
    assert n4.difference is not None
    assert n4.difference.half_width is not None
    text = readme(read_study(folder), [], [], [], None, [], rows)
    assert "One run of `bn` is not judged" in text
    assert "| longer | bn | 1 | " in text
    assert "| −0.600 untested |" in text


def test_a_third_training_changes_nothing_but_how_many_changes_are_judged(tmp_path: Path):
    """The third one's runs scatter ten times as far, which is no news of the longer ones."""
    folder = write_longer(write_study(tmp_path))
    before = row_of(elsewhere(read_study(folder)), "n4")
    for name, db in LONGER_DB.items():
        for seed in (0, 1, 2):
            write_run(folder / "trainings" / "wild", run_of(name, seed, db + 10 * SCATTER_DB[name][seed], lr=0.004))
    after = row_of(elsewhere(read_study(folder)), "n4")
    assert after.change is not None
    assert before.change is not None
    assert (after.difference, after.gain) == (before.difference, before.gain)
    assert dataclasses.replace(after.change, p_holm=None, family=1) == dataclasses.replace(
        before.change, p_holm=None, family=1
    )


def test_other_training_images_are_told_beside_the_keys(tmp_path: Path):
    """A larger patch leaves out the images that are smaller."""
    folder = write_study(tmp_path)
    fewer = {"train": {"sets": [{"name": "embedded"}], "images": 9, "content": "c0de"}, "benchmarks": []}
    same_count = {"train": {**fewer["train"], "images": 11}, "benchmarks": []}
    for label, data in {"fewer": fewer, "others": same_count}.items():
        write_run(folder / "trainings" / label, run_of("n4", 0, 30.1, iterations=300, data=data))
    rows = elsewhere(read_study(folder))
    assert row_of(rows, "n4", "fewer").differs == "train.iterations 300 (100), 9 training images (11)"
    assert row_of(rows, "n4", "others").differs == "train.iterations 300 (100), other training images"


ORDER_DB = {"baseline": 30.0, "w_o_SAFM": 29.6, "w_o_CCM": 29.0, "w_o_FM": 29.5, "n4": 29.7}
"""DIV2K_val of the paper (test_study.py): 30.43, 30.26, 29.69, 30.36, 30.21: places 5 3 1 4 2, here 5 3 1 2 4."""
LONGER_ORDER_DB = {"baseline": 30.5, "w_o_SAFM": 30.1, "w_o_CCM": 29.4, "n4": 30.0}
"""As published: 4 3 1 2; the study has these four at 4 2 1 3."""


def write_orders(folder: Path) -> Path:
    for name, db in ORDER_DB.items():
        write_run(folder, run_of(name, 0, db))
    for name, db in LONGER_ORDER_DB.items():
        write_run(folder / "trainings" / "longer", run_of(name, 0, db, iterations=300))
    for name in ("baseline", "n4", "mine", "w_o_FM"):  # of four networks three are the paper's
        write_run(folder / "trainings" / "few", run_of(name, 0, 30.0, iterations=200))
    return folder


def test_the_order_by_another_training_stands_beside_the_studys_over_the_same_networks(tmp_path: Path):
    """Spearman is 1 - 6 sum(d^2) / (n (n^2 - 1)): two neighbours that change places among four give 0.8."""
    study = read_study(write_orders(tmp_path))
    (order,) = orders(study)
    assert (order.training, order.there.n) == ("longer", 4)
    assert sorted(order.names) == sorted(LONGER_ORDER_DB)
    assert (order.there.r, order.study.r, order.both.r) == pytest.approx((1, 0.8, 0.8))
    assert main(["--runs", str(tmp_path), "--records-only"]) == 0
    with (tmp_path / "trainings_ranking.csv").open(newline="") as handle:
        (row,) = csv.DictReader(handle)
    assert float(row["study_spearman"]) == pytest.approx(0.8)
    interval = [float(row["study_ci95_low"]), float(row["study_ci95_high"])]
    # Bonett and Wright: z = artanh 0.8 -+ 1.96 sqrt(1 + 0.32), of four networks
    assert interval == pytest.approx(list(np.tanh(np.arctanh(0.8) + np.array([-1, 1]) * 1.959964 * np.sqrt(1.32))))
    assert "| longer | 4 | 1.00 | 0.80 (−0.82 to 1.00) | 0.80 (−0.82 to 1.00) |" in (tmp_path / "README.md").read_text()


def test_a_network_that_collapsed_there_has_no_place_in_the_order(tmp_path: Path):
    study = read_study(write_orders(tmp_path))
    for rows in study.trainings["longer"]:
        if rows.name == "n4":
            dead = dataclasses.replace(rows.records[0], status="collapsed")
            dead.write(RunFolder.of(tmp_path / "trainings" / "longer", "n4", 4, 0))
    assert orders(read_study(tmp_path)) == []


def test_the_figure_shows_the_training_with_most_differences(tmp_path: Path):
    """At own rates two of them, where the longer training has one."""
    rows = elsewhere(read_study(write_longer(write_study(tmp_path))))
    training, differences = widest(rows)
    assert (training, [*differences]) == ("longer", ["n4"])
    for name in ("baseline", "n4", "w_SE"):
        write_run(tmp_path / "tuned", run_of(name, 0, 30.2, lr=0.002, tuned=2.0))
    training, differences = widest(elsewhere(read_study(tmp_path)))
    assert (training, [*differences]) == (OWN_RATE, ["w_SE", "n4"])
    assert widest([]) == ("", {})


def test_two_trainings_in_one_folder_are_refused(tmp_path: Path):
    folder = write_longer(write_study(tmp_path))
    write_run(folder / "trainings" / "longer", run_of("w_SE", 0, 30.0, iterations=200))
    with pytest.raises(UserError, match=r"longer holds runs that do not compare .*200.* folder of its own"):
        read_study(folder)


def test_the_page_and_the_csv_say_it(tmp_path: Path):
    folder = write_longer(write_study(tmp_path))
    assert main(["--runs", str(folder), "--records-only"]) == 0
    with (folder / "trainings.csv").open(newline="") as handle:
        rows = {row["variant"]: row for row in csv.DictReader(handle)}
    assert float(rows["n4"]["difference"]) == pytest.approx(-0.4)
    assert float(rows["n4"]["change_half_width"]) == pytest.approx(half_width(8 / 3))
    assert rows["baseline"]["difference"] == ""
    text = (folder / "README.md").read_text()
    assert "- longer: `baseline` and `n4` with train.iterations 300 (100)." in text
    (line,) = [line for line in text.splitlines() if line.startswith("| longer | n4 |")]
    assert re.match(r"\| longer \| n4 \| 1 \| \+0\.287 ± 0\.\d{3} \| \*\*−0\.400 ± ", line)
    assert line.endswith("| −0.22 |")


def test_a_study_without_other_trainings_says_nothing_of_them(tmp_path: Path):
    study = read_study(write_study(tmp_path))
    assert elsewhere(study) == []
    assert "another training" not in readme(study, ranking(study), budgets(study), [], None, [], [])
