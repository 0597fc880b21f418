"""Runs that halving stopped: named with their cause, counted in the family, and never among scores."""

from pathlib import Path

from made_records import made_record, scores_of, write_run

from safmn_bench.ablations.record import Record
from safmn_bench.analysis.stats.groups import measure
from safmn_bench.analysis.stats.profiles import Profiles
from safmn_bench.analysis.stats.reading import find_runs, find_unfinished
from safmn_bench.analysis.tabular.command import tabulate, to_csv

CAUSE = "by halving at iteration 50 of 100: Set5 29.10 dB"


def finished(variant: str, psnr_db: float) -> list[Record]:
    return [
        made_record(variant, seed, {"Manga109": scores_of(psnr_db + 0.01 * seed * (psnr_db < 30))}) for seed in (0, 1)
    ]


def stopped(variant: str) -> list[Record]:
    known = {"status": "stopped", "iterations": 50, "error": CAUSE, "bicubic": {}}
    return [
        made_record(variant, seed, **known, stopped={"iteration": 50, "dataset": "Set5", "score": 29.1})
        for seed in (0, 1)
    ]


RUNS = [*finished("baseline", 30.0), *finished("w_o_FM", 29.9)]


def test_stopped_networks_count_in_the_family_of_those_that_went_on():
    alone = {row.name: row for row in measure(RUNS, 4)}["w_o_FM"].comparisons["Manga109", "psnr_y_db"]
    unfinished = [*stopped("w_o_MR"), *stopped("w_o_CCM")]
    beside = measure(RUNS, 4, unfinished=unfinished)
    assert [row.name for row in beside] == ["baseline", "w_o_FM"]
    one = beside[1].comparisons["Manga109", "psnr_y_db"]
    assert (alone.family, one.family) == (1, 3)
    assert one.p == alone.p
    assert one.p_holm == min(1.0, 3 * (alone.p or 0.0))


def test_stopped_runs_of_another_scale_or_budget_count_in_no_family():
    recipe = {"name": "quick", "train": {"iterations": 900, "patch": 16, "batch": 8, "sampling": "image"}}
    others = [made_record("w_o_MR", status="stopped", scale=2), made_record("w_o_CCM", status="stopped", recipe=recipe)]
    assert measure(RUNS, 4, unfinished=others)[1].comparisons["Manga109", "psnr_y_db"].family == 1


def test_the_table_says_who_was_stopped_and_why_and_has_no_figures_of_it(tmp_path: Path):
    for one in (*RUNS, *stopped("w_o_CCM")):
        write_run(tmp_path, one)
    runs, unfinished = find_runs(tmp_path), find_unfinished(tmp_path)
    assert {record.variant for _, record in runs} == {"baseline", "w_o_FM"}
    table = tabulate(3, [record for _, record in runs], Profiles(), unfinished=unfinished)
    said = f"3 networks in 6 runs, 2 stopped: w_o_CCM x4 seed 0: {CAUSE}; w_o_CCM x4 seed 1: {CAUSE}."
    assert said in table.notes
    (line,) = [line for line in to_csv(table).splitlines() if "w_o_CCM" in line]
    assert "29.1" not in line
