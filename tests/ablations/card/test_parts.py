"""What `make gpu` runs, in which order, within which limits, and what becomes of a part that fails or is late."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from trial_runs import record, write_run

from safmn_bench.ablations.card import running
from safmn_bench.ablations.card.options import CardOptions
from safmn_bench.ablations.card.parts import (
    Part,
    iterations_for,
    measuring_parts,
    step_seconds,
    sweep,
)
from safmn_bench.ablations.card.sharing import sharing_parts, write_sharing
from safmn_bench.ablations.gpu import main
from safmn_bench.profiling.common.files import csv_rows_of

ROOT = Path(__file__).parents[3]


def test_without_a_gpu_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(["--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert said == "error: No GPU is visible here, and this measures one: --dry-run goes through all parts on a CPU.\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (["--minutes", "0.5"], "--minutes 0.5 is too short for any part. Allowed: from 1 up."),
        (["--bundle", "a", "--results", "b"], "--bundle and --results are for two machines: give one of them."),
    ],
)
def test_what_cannot_be_is_refused(call: list[str], said: str, capsys):
    assert main(call) == 2
    assert said in capsys.readouterr().err


def test_the_parts_leave_time_for_a_sweep_within_nine_minutes(tmp_path: Path):
    parts = measuring_parts(CardOptions(), tmp_path)
    assert [part.name for part in parts] == ["tests", "pace_24x8", "table2", "table5", "pace_64x64", "tests_compiled"]
    longest = sum(part.limit_s for part in [*parts, *sharing_parts(CardOptions(), tmp_path)])
    assert 9 * 60 - running.PACKING_S - longest > running.SWEEP_S


def test_there_are_more_than_fifteen_tests_of_a_gpu():
    texts = [path.read_text(encoding="utf-8") for path in (ROOT / "tests/gpu").glob("test_*.py")]
    assert all("pytestmark = pytest.mark.gpu" in text for text in texts)
    assert sum(len(re.findall(r"^def test_", text, re.M)) for text in texts) >= 15


@pytest.mark.parametrize(
    ("seconds", "step_s", "iterations"),
    [
        (115.0, 0.0012, 2000),  # (0.7 x 115 - 3 waves x 10 s) / (21 runs x 1.2 ms) = 2003
        (115.0, 0.0300, 100),
        (3600.0, 0.0012, 3000),
    ],
)
def test_the_sweep_is_as_long_as_the_time_that_is_left(seconds: float, step_s: float, iterations: int):
    assert iterations_for(seconds, 21, step_s) == iterations


def test_a_step_is_as_long_as_it_was_measured_as_a_graph(tmp_path: Path):
    table = tmp_path / "pace.csv"
    assert step_seconds(table) == 0.005
    table.write_text("form,precision,median_ms\nfast,fp32,4.0\ngraph,fp32,1.5\ngraph,bf16,1.0\n")
    assert step_seconds(table) == 0.0015
    table.write_text("form,precision,median_ms\ngraph,fp32,1.5\ngraph,tf32,1.25\n")
    assert step_seconds(table) == 0.00125
    table.write_text("form,precision,median_ms\nplain,bf16,4.0\n")
    assert step_seconds(table) == 0.005
    table.write_text("form,precision,median_ms\nfast,fp32,4.0\ngraph,fp32,\n")
    assert step_seconds(table) == 0.004


def test_a_sweep_goes_on_by_the_recipe_that_it_began_with(tmp_path: Path):
    first = sweep(CardOptions(), tmp_path, 200.0)
    assert sweep(CardOptions(), tmp_path, 3000.0).command == first.command
    assert "--table" in first.command


def python(name: str, code: str, limit_s: float = 20.0) -> Part:
    return Part(name=name, command=(sys.executable, "-S", "-c", code), limit_s=limit_s)


def test_a_part_is_done_fails_or_is_stopped_with_all_that_it_began(tmp_path: Path):
    log = tmp_path / "log"
    assert running.run_part(python("a", "print('said')"), log, 20.0) == "done"
    assert running.run_part(python("b", "raise SystemExit(3)"), log, 20.0) == "failed: exit status 3, see log"
    assert running.run_part(python("c", "import time; time.sleep(60)"), log, 0.1) == "stopped after 0 s"
    assert log.read_text() == "said\n"


@pytest.fixture
def run_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, str]], tuple[int, dict[str, str]]]:
    """`gpu --dry-run` with these parts, name -> code; the exit status, and each part's status."""
    monkeypatch.setattr(running, "sharing_parts", lambda options, out: [])
    monkeypatch.setattr(running, "sweep", lambda options, out, seconds: python("sweep", "print('swept')"))

    def run(codes: dict[str, str]) -> tuple[int, dict[str, str]]:
        parts = [python(name, code) for name, code in codes.items()]
        monkeypatch.setattr(running, "measuring_parts", lambda options, out: parts)
        code = main(["--dry-run", "--out", str(tmp_path / "out")])
        told = json.loads((tmp_path / "out/parts.json").read_text())
        return code, {name: part["status"] for name, part in told.items()}

    return run


def test_a_part_that_failed_is_tried_again_and_one_that_is_done_is_not(
    run_with: Callable[[dict[str, str]], tuple[int, dict[str, str]]], tmp_path: Path
):
    failed = {"first": "print('once')", "second": "raise SystemExit(1)"}
    told = {"first": "done", "second": "failed: exit status 1, see second.log", "sweep": "done"}
    assert run_with(failed) == (1, told)
    assert run_with({**failed, "second": ""}) == (0, dict.fromkeys(told, "done"))
    assert (tmp_path / "out/first.log").read_text() == "once\n"
    assert (tmp_path / "out.tar.gz").exists()


def test_nothing_is_begun_when_the_time_is_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(running, "PACKING_S", 60.0)
    assert main(["--dry-run", "--minutes", "1", "--out", str(tmp_path / "out")]) == 0
    told = json.loads((tmp_path / "out/parts.json").read_text())
    assert {part["status"] for part in told.values()} == {"not begun: the time was over"}
    assert list(told) == ["tests", "pace_24x8", "table2", "table5", "shared_by_mps", "shared_by_turns"]


def test_the_pace_of_runs_that_share_a_gpu_is_the_sum_of_theirs(tmp_path: Path):
    machines = {"shared_by_mps": {"name": "x", "sharing": "NVIDIA MPS"}, "shared_by_turns": {"name": "x"}}
    for part, seconds in (("shared_by_mps", (2.0, 4.0)), ("shared_by_turns", (5.0, 8.0))):
        for seed, taken in enumerate(seconds):
            changes = {"iterations": 400, "train_seconds": taken, "machine": machines[part]}
            write_run(tmp_path / part / "baseline", record("baseline", seed, 30.0, scale=4, **changes))
    write_sharing(tmp_path)
    assert [list(row.values()) for row in csv_rows_of(tmp_path / "sharing.csv")] == [
        ["shared_by_mps", "NVIDIA MPS", "2", "400", "300.0", "4.0"],
        ["shared_by_turns", "by turns", "2", "400", "130.0", "8.0"],
    ]


def test_a_part_with_a_run_that_failed_has_no_pace(tmp_path: Path):
    write_run(tmp_path / "shared_by_mps/baseline", record("baseline", 0, 30.0, scale=4, status="failed", scores={}))
    write_sharing(tmp_path)
    assert not (tmp_path / "sharing.csv").exists()
