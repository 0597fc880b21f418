"""study.py: what follows from a folder of records, in CSV and in words, and that it follows byte for byte."""

import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from made_records import scores_of, write_run
from made_study import COLLAPSE, NAME, PSNR_DB, SHORT_PSNR_DB, make_study, study_record
from scipy import stats

from safmn_bench.ablations import records
from safmn_bench.ablations.record import Record
from safmn_bench.analysis.findings import lam
from safmn_bench.analysis.findings.command import figures_of, loss_runs
from safmn_bench.analysis.findings.findings import against_bicubic, headline, undecided, verdicts, wanted, worst
from safmn_bench.analysis.findings.readme import budget_table, readme
from safmn_bench.analysis.findings.rows import budgets, collapses, ranking
from safmn_bench.analysis.findings.runs import UNKNOWN, Study, read_study, run_commands
from safmn_bench.analysis.plots import loss_curves
from safmn_bench.analysis.stats.profiles import Profiles
from safmn_bench.analysis.study import main
from safmn_bench.analysis.tabular.command import tabulate, to_csv
from safmn_bench.models.errors import UserError

SCRIPT = Path(__file__).parents[3] / "analysis" / "study.py"
PAPER_DIV2K_DB = {
    **{"baseline": 30.43, "w_o_SAFM": 30.26, "w_o_CCM": 29.69, "w_o_FM": 30.36, "channel_mlp": 30.17, "n4": 30.21},
}
FILES = {
    *(f"table{number}.{ending}" for number in (3, 4) for ending in ("csv", "tex", "md")),
    *(
        f"{name}.{ending}"
        for name in ("figure1", "figure7", "figure7_differences", "differences")
        for ending in ("pdf", "svg", "png")
    ),
    *("ranking.csv", "budget.csv", "collapse.csv", "trainings.csv", "trainings_ranking.csv", "README.md"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_study(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    return read_study(folder)


@pytest.fixture(scope="module")
def words(study: Study) -> str:
    return readme(study, ranking(study), budgets(study), [], None, [])


def row_of(rows: list[dict], **wanted: object) -> dict:
    (found,) = [row for row in rows if all(row[key] == value for key, value in wanted.items())]
    return found


def test_each_file_of_a_run_is_opened_once_whatever_shows_it(folder: Path, monkeypatch: pytest.MonkeyPatch):
    opened: Counter[str] = Counter()
    sealed, losses = records.read_sealed, loss_curves.csv_rows
    for module, name, reads in ((records, "read_sealed", sealed), (loss_curves, "csv_rows", losses)):

        def counted(given: Any, *more: Any, reads: Any = reads, **options: Any) -> Any:
            opened[str(getattr(given, "name", given) if reads is losses else given)] += 1
            return reads(given, *more, **options)

        monkeypatch.setattr(module, name, counted)
    study = read_study(folder)
    figures = figures_of(study)
    for name in ("figure7", "figure7_differences"):
        figures[name]()
    assert set(opened.values()) == {1}
    kinds = Counter(Path(path).name for path in opened)
    assert kinds == {"record.json": 18, "losses.csv": 13}  # shorter runs have no curve


def test_shorter_runs_scored_on_other_images_of_one_name_are_refused(tmp_path: Path):
    folder = make_study(tmp_path)
    other_lr = {"bicubic": {"B100": scores_of(26.3)}, "iterations": 375}
    write_run(folder / "budget" / "375", study_record("n4", 0, 28.0, "train.iterations=375", **other_lr), {25: 0.1})
    with pytest.raises(UserError, match=r"n4/x4/seed0 was scored on other images, or other LR, under the name B100"):
        read_study(folder)


def test_shorter_runs_are_not_taken_for_runs_of_the_folder(study: Study):
    assert [(row.name, len(row.records)) for row in study.rows] == [
        *(
            ("baseline", 2),
            ("w_o_SAFM", 2),
            ("w_o_CCM", 2),
            ("w_o_FM", 2),
            ("channel_mlp", 2),
            ("w_o_LN", 2),
            ("n4", 1),
        ),
    ]
    assert {n: len(records) for n, records in study.shorter.items()} == {375: 5}


def test_ranking_is_spearman_of_the_means_without_the_collapsed(study: Study):
    row = row_of(ranking(study), dataset="B100", metric="psnr_y_db", paper_column="DIV2K_val_psnr")
    means = {name: db + (0.01 + 0.002 * index) / 2 * (name != "n4") for index, (name, db) in enumerate(PSNR_DB.items())}
    assert means["w_o_FM"] > means["baseline"]  # which one seed alone ranks the other way
    expected = stats.spearmanr([means[name] for name in PAPER_DIV2K_DB], list(PAPER_DIV2K_DB.values()))
    assert row["spearman"] == pytest.approx(expected.statistic)  # pyright: ignore[reportAttributeAccessIssue]
    assert (row["variants"], row["seeds"]) == (6, 2)
    assert row["names"] == "baseline w_o_SAFM w_o_CCM w_o_FM channel_mlp n4"
    assert (row["lowest_of_a_seed"], row["highest_of_a_seed"]) == (row["spearman"], pytest.approx(1.0))
    assert len(ranking(study)) == 2 * 2 * 2  # benchmarks, metrics, columns of the paper


def test_budget_compares_with_the_same_seed_the_mean_and_seeds_among_themselves(study: Study):
    rows = budgets(study)
    short = row_of(rows, iterations=375, compared_with="seed 0", dataset="Set5", metric="psnr_y_db")
    expected = stats.spearmanr(list(SHORT_PSNR_DB.values()), [PSNR_DB[name] for name in SHORT_PSNR_DB])
    assert short["spearman"] == pytest.approx(expected.statistic)  # pyright: ignore[reportAttributeAccessIssue]
    assert (short["variants"], short["share"], short["train_seconds"], short["share_of_seconds"]) == (
        5,
        0.125,
        250,
        0.125,
    )
    assert (short["by_variant"], short["largest_change_of_place"]) == ("w_o_CCM", 2)  # third there, last here
    assert row_of(rows, iterations=375, compared_with="mean of seeds", dataset="Set5", metric="psnr_y_db")
    full = row_of(rows, iterations=3000, compared_with="seed 1", dataset="Set5", metric="psnr_y_db")
    assert (full["spearman"], full["variants"], full["by_variant"]) == (pytest.approx(0.9), 5, "baseline")


def test_two_rankings_that_agree_name_nobody_who_moved(study: Study):
    row = next(row for row in budgets(study) if row["metric"] == "psnr_y_db")
    same = {**row, "largest_change_of_place": 0.0, "by_variant": ""}
    assert budget_table(study, [same])[1][-3] == "0"


def test_every_run_has_its_line_in_collapse_csv(study: Study):
    rows = collapses(study)
    assert len(rows) == 13 + 5
    crash = row_of(rows, status="collapsed")
    assert (crash["variant"], crash["seed"], crash["iteration"], crash["reason"]) == (
        "w_o_LN",
        0,
        412,
        "loss not finite",
    )
    assert (crash["lr"], crash["collapsed_in_paper"], crash["config_hash"]) == (0.001, "yes", "w_o_LN0")


def test_verdicts_put_each_network_into_one_group(study: Study):
    found = verdicts(study)
    assert set(found.whole) == {"w_o_SAFM", "w_o_CCM", "channel_mlp", "n4"}
    assert (found.noise, found.alone, found.untested, found.family) == (["w_o_FM"], {}, [], 5)


def test_tables_judge_as_the_readme_does_with_n4_in_the_same_family(study: Study):
    text = to_csv(tabulate(4, study.records, Profiles()))
    (n4,) = [row for row in csv.DictReader(text.splitlines()) if row["variant"] == "n4"]
    (row,) = [row for row in study.rows if row.name == "n4"]
    judged = row.comparisons["B100", "psnr_y_db"]
    assert float(n4["measured_B100_psnr_db_delta_p_holm"]) == pytest.approx(judged.p_holm, abs=1e-10)
    assert judged.family == 5


def test_baseline_bicubic_and_the_worst_two(study: Study):
    set5, b100 = against_bicubic(study)
    assert (set5.gain, set5.least) == (pytest.approx(1.605), pytest.approx(1.6))
    assert b100.gain == pytest.approx(27.005 - 26.1)
    assert [(one.measured, one.agree) for one in worst(study)] == [(["w_o_CCM", "channel_mlp"], True)] * 2
    assert headline(study) == "B100"  # six images against three


def test_seeds_that_a_published_difference_would_need_grow_with_the_square(study: Study):
    (fm,) = [one for one in wanted(study) if one.name == "w_o_FM"]
    assert fm.published == pytest.approx(-0.07)
    assert (fm.stands, fm.turned) == (False, False)
    assert (fm.visible, fm.needed_seeds) == (True, 1)  # 0.006 dB here
    wide = dataclasses.replace(fm, half_width=0.14)
    assert (wide.visible, wide.needed_seeds) == (False, 8)  # half as wide: four times as many
    assert dataclasses.replace(fm, stands=True, measured=0.1).turned


def test_loss_curves_have_the_baseline_first_and_the_collapsed_last(study: Study):
    names = list(dict.fromkeys(record.variant for _, record in loss_runs(study)))
    assert (names[0], names[-2:]) == ("baseline", ["n4", "w_o_LN"])


def test_commands_are_those_of_the_records_each_once(study: Study):
    def told(record: Record, command: str) -> Record:
        return dataclasses.replace(record, command=command)

    full, short = "python ablations/run.py --table 3 --out a", "python ablations/run.py --table 3 --out 'a b'"
    rows = [dataclasses.replace(row, records=[told(r, full) for r in row.records]) for row in study.rows]
    shorter = {at: [told(r, short) for r in records] for at, records in study.shorter.items()}
    assert run_commands(dataclasses.replace(study, rows=rows, shorter=shorter)) == [full, short]


def test_commands_of_records_without_one_are_read_beside_them_or_not_known(study: Study, tmp_path: Path):
    of_before = dataclasses.replace(study, folder=tmp_path)
    assert run_commands(of_before) == [UNKNOWN]
    (tmp_path / "commands.txt").write_text("python ablations/run.py --table 3\n")
    assert run_commands(of_before) == ["python ablations/run.py --table 3"]


def test_readme_says_what_the_numbers_say(words: str):
    assert "7 networks in 13 runs at x4." in words
    assert "**Real at this budget**, corrected for all 5 comparisons: `w_o_SAFM` (Set5, B100)" in words
    assert "- **Noise**: nothing on any benchmark tells `w_o_FM` from the baseline." in words
    assert "- Set5: 30.005 dB against 28.400 dB, +1.605 dB; every seed beats bicubic (the worst by +1.600 dB)." in words
    assert "- B100: `w_o_CCM` and `channel_mlp`; as published." in words
    assert "- `w_o_LN`, which collapsed in the paper: **seen** in 1 of 2 runs: seed 0 of 3000 iterations at " in words
    assert f"iteration {COLLAPSE['iteration']} (loss not finite); not in 1 of 3000 iterations as here." in words
    assert "No weights are kept in this folder." in words
    assert f"python analysis/study.py --runs results/ablation/{NAME}\n" in words
    assert "| w\\_o\\_CCM | 239.52 | 13.55 | 2 |" in words
    assert "| −0.74 |" in words  # published: 29.69 against 30.43
    assert {line.count("|") for line in words.splitlines() if line.startswith(("| bicubic", "| variant | params"))} == {
        9
    }


def test_readme_begins_with_what_is_decided_and_what_the_rest_would_need(study: Study, words: str):
    """On B100: w_o_FM is 0.002 dB below the baseline, far below what two seeds could find."""
    first = words.split("Made by")[0]
    assert "On B100, **decided**: `w_o_SAFM`, `w_o_CCM`, `channel_mlp` and `n4` differ from the baseline" in first
    assert "**Undecided**: `w_o_FM`. To find a true difference of the size measured in 80 % of cases:" in first
    (one,) = undecided(study)
    row = next(row for row in study.rows if row.name == "w_o_FM")
    assert one.difference == pytest.approx(row.comparisons["B100", "psnr_y_db"].difference)
    assert one.seeds is not None
    assert one.seeds > 2
    assert one.hours == pytest.approx((one.seeds - 2) * 2 * 400 / 3600)  # 400 s a run, of it and of the baseline
    assert f"| {one.seeds} | {one.hours:.1f} |" in first


def test_a_folder_with_one_run_has_a_readme_too(tmp_path: Path):
    for path in make_study(tmp_path).glob("*/x4/seed*/record.json"):
        if path.parts[-4:-1] != ("baseline", "x4", "seed0"):
            path.unlink()
    one = read_study(tmp_path / NAME)
    text = readme(one, ranking(one), budgets(one), [], None, [])
    assert "There are too few networks for a correlation." in text
    assert "Nothing was tested" in text


def test_wrong_call_is_one_paragraph(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--runs", str(tmp_path / "none")]) == 2
    assert "is not a folder" in capsys.readouterr().err
    assert main(["--runs", str(tmp_path), "--steps", "0"]) == 2
    assert "--steps 0 is not a whole number of at least 1." in capsys.readouterr().err


def started(folder: Path, out: Path, seed: int, *options: str) -> subprocess.Popen:
    """The study in a process of its own, with its own order of sets."""
    environment = {**os.environ, "PYTHONHASHSEED": str(seed)}
    call = [sys.executable, str(SCRIPT), "--runs", str(folder), "--out", str(out), *options]
    return subprocess.Popen(call, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def contents(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


def same_from_two_processes(folder: Path, tmp_path: Path, *options: str) -> dict[str, bytes]:
    """The files that both wrote alike."""
    outs = [tmp_path / "one", tmp_path / "two"]
    for process in [started(folder, out, seed, *options) for seed, out in enumerate(outs, start=1)]:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    one, two = map(contents, outs)
    assert set(one) == set(two)
    differing = [name for name in one if one[name] != two[name]]
    assert differing in ([], ["lam.csv.json"])  # which holds a date
    return one


@pytest.mark.slow
def test_all_files_are_the_same_bytes_from_two_processes(tmp_path: Path):
    folder = make_study(tmp_path / "runs", weights=True)
    files = same_from_two_processes(folder, tmp_path, "--steps", "2", "--images", "1")
    assert set(files) == FILES | {"lam.csv", "lam.csv.json", "lam.png", "report.html"}
    assert len(files["report.html"]) < 10e6
    assert json.loads(files["lam.csv.json"])["machine"]["threads"] == 1
    assert "Δ DI" in files["README.md"].decode()
    rows = list(csv.DictReader(files["lam.csv"].decode().splitlines()))
    assert len(rows) == 13 * 3 * 6  # runs, photographs, windows
    assert "seconds" not in rows[0]


@pytest.mark.slow
def test_attributions_of_runs_whose_weights_are_gone_stay_with_the_digests_of_those(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    folder = make_study(tmp_path, weights=True)
    for other in set(PSNR_DB) - {"baseline"} | {"w_o_LN"}:
        shutil.rmtree(folder / other)
    monkeypatch.setattr(lam, "STUDY_GRIDS", (1,))
    lam.write_lam(read_study(folder), folder, 2, torch.device("cpu"), [])
    before = {name: (folder / name).read_bytes() for name in ("lam.csv", "lam.csv.json")}
    (folder / "baseline" / "x4" / "seed1" / "weights.pt").unlink()
    lam.write_lam(read_study(folder), tmp_path / "elsewhere", 2, torch.device("cpu"), [])
    assert (tmp_path / "elsewhere" / "lam.csv").read_bytes() == before["lam.csv"]
    sidecars = [json.loads(before["lam.csv.json"]), json.loads((tmp_path / "elsewhere" / "lam.csv.json").read_text())]
    assert sidecars[0]["files"] == sidecars[1]["files"]
    assert list(sidecars[0]["files"]) == ["weights of baseline seed 0", "weights of baseline seed 1"]
    lam.write_lam(read_study(folder), folder, 3, torch.device("cpu"), [])
    assert "6 rows of" in (said := " ".join(capsys.readouterr().err.split()))
    assert "are not of 3 steps and are left out" in said
    assert [row["seed"] for row in lam.read_lam(folder)] == ["0"] * 6
