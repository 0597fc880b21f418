"""The pace of every form: what is measured, what the ratio refers to, and what happens when one cannot be, or late."""

import csv
from pathlib import Path

import pytest
import torch

from safmn_bench.ablations.recipe import load_recipe
from safmn_bench.ablations.throughput import main
from safmn_bench.ablations.training import forms
from safmn_bench.ablations.training.forms import FORMS, FormTimes, cases
from safmn_bench.models.names import find_candidate
from safmn_bench.profiling.common.machine import hardware_name

CPU = torch.device("cpu")


def test_a_gpu_is_asked_for_every_form_in_every_precision_and_the_first_again():
    asked = cases(torch.device("cuda:0"))
    assert set(asked) == {(f, p) for f in FORMS for p in ("fp32", "tf32", "bf16")} | {("plain, again", "fp32")}
    assert asked[0] == ("plain", "fp32")


def test_the_csv_holds_a_row_for_each_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(forms, "STEPS", 1)
    monkeypatch.setattr(forms, "ROUNDS", 2)
    (tmp_path / "small.yaml").write_text("model: {n_blocks: 1, dim: 8}\n")
    table = tmp_path / "forms.csv"
    call = ["--model", str(tmp_path / "small.yaml"), "--device", "cpu", "--forms", "--csv", str(table)]
    assert main([*call, "--set", "train.patch=8", "train.batch=2"]) == 0
    with table.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [(row["form"], row["precision"]) for row in rows] == cases(CPU)
    assert (rows[0]["ratio_to_plain"], {row["iterations"] for row in rows}) == ("1.0", {"2"})
    assert all(float(row["peak_memory_mib"]) > 0 and not row["note"] for row in rows)
    assert "Training step, small x4, batch 2, LR patch 8" in capsys.readouterr().out


def test_a_form_that_fails_or_comes_too_late_says_so_and_the_others_are_measured(monkeypatch: pytest.MonkeyPatch):
    def timed(times: FormTimes, *_: object) -> None:
        if times.form == "fast":
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore words")
        times.ms, times.issued_ms = [4.0, 2.0, 6.0], [1.0]

    monkeypatch.setattr(forms, "_measure", timed)
    candidate, recipe = find_candidate("n4"), load_recipe("quick")
    times = forms.measure(candidate, recipe, None, CPU, 60.0)  # type: ignore[arg-type]
    rows = forms.rows(times, candidate, recipe, 4, CPU)
    assert [row["median_ms"] for row in rows] == [4.0, None, 4.0, None, 4.0]
    assert rows[1]["note"] == "OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB"
    assert (rows[2]["images_per_s"], rows[2]["hardware"]) == (2000.0, hardware_name(CPU))
    late = forms.measure(candidate, recipe, None, CPU, -1.0)  # type: ignore[arg-type]
    assert {times.note for times in late} == {"not measured: -1 s were over"}


def test_no_time_is_refused(capsys):
    assert main(["--forms", "--seconds", "0"]) == 2
    assert "--seconds 0 is no time to measure in. Allowed: above 0." in capsys.readouterr().err
