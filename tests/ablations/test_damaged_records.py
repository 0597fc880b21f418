"""The door of records: what is in record.json -> why it is left out; by bits, by rows, and by the thousand."""

import copy
import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trial_runs
from junk_records import junk

from safmn_bench.ablations.judging.pilot import read_pilot
from safmn_bench.ablations.record import RunFolder
from safmn_bench.ablations.records import read_record, records_below
from safmn_bench.analysis.stats.frames import load_runs
from safmn_bench.analysis.stats.reading import find_runs, find_unfinished
from safmn_bench.analysis.tabular.command import table_of, to_csv, to_latex, to_markdown
from safmn_bench.models.errors import UserError

GOOD: dict[str, Any] = json.loads(json.dumps(vars(trial_runs.record("n4", 0, 30.0))))
NAN, INFINITY = float("nan"), float("inf")


def written(folder: Path, content: bytes) -> RunFolder:
    run = RunFolder.of(folder, "n4", 2, 0)
    run.path.mkdir(parents=True, exist_ok=True)
    run.record.write_bytes(content)
    return run


def put(*way: Any, value: Any) -> Callable[[dict[str, Any]], object]:
    """Exchange the value at the end of that way."""

    def change(record: dict[str, Any]) -> None:
        at = record
        for key in way[:-1]:
            at = at[key]
        at[way[-1]] = value

    return change


def out(*way: str) -> Callable[[dict[str, Any]], object]:
    def change(record: dict[str, Any]) -> None:
        at = record
        for key in way[:-1]:
            at = at[key]
        del at[way[-1]]

    return change


SCORES, IMAGE = ("scores", "Set3", "psnr_y_db"), ("scores", "Set3", "images", "a", "psnr_y_db")
# what is wrong: (how it is made of a good record, the reason)
WRONG: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a mean that is NaN": (put(*SCORES, value=NAN), "NaN is no number"),
    "an image's score that is NaN": (put(*IMAGE, value=NAN), "NaN is no number"),
    "a mean that is infinite": (put(*SCORES, value=INFINITY), "Infinity is no number"),
    "a mean beyond all measure": (put(*SCORES, value=1e300), "psnr_y_db is 1e+300; allowed: a finite number or null"),
    "a mean that is text": (put(*SCORES, value="30.0"), "psnr_y_db is '30.0'; allowed: a finite number or null"),
    "a mean that is true": (put(*SCORES, value=True), "psnr_y_db is True; allowed: a finite number or null"),
    "a mean that is not its images'": (put(*SCORES, value=35.0), "psnr_y_db is 35.0, and the mean of its images"),
    "an image without a metric": (out(*IMAGE), "scores.Set3.images.a has no psnr_y_db"),
    "an image that is a number": (put(*IMAGE[:-1], value=3), "images.a is 3; allowed: an object"),
    "scores without images": (out("scores", "Set3", "images"), "scores.Set3 has no images"),
    "images in a list": (put("scores", "Set3", "images", value=[]), "images is []; allowed: an object"),
    "scores in a list": (put("scores", value=[1]), "scores is [1]; allowed: an object"),
    "bicubic that is null": (put("bicubic", value=None), "bicubic is None; allowed: an object"),
    "no scores": (out("scores"), "it has no scores"),
    "no recipe": (out("recipe"), "it has no recipe"),
    "no iterations to train": (out("recipe", "train", "iterations"), "recipe.train has no iterations"),
    "a recipe that is a name": (put("recipe", value="paper"), "recipe is 'paper'; allowed: an object"),
    "a seed that is text": (put("seed", value="0"), "seed is '0'; allowed: a whole number from 0 up"),
    "a seed that is a fraction": (put("seed", value=0.5), "seed is 0.5; allowed: a whole number from 0 up"),
    "a seed below zero": (put("seed", value=-1), "seed is -1; allowed: a whole number from 0 up"),
    "a seed that is true": (put("seed", value=True), "seed is True; allowed: a whole number from 0 up"),
    "a seed of 400 digits": (put("seed", value=10**399), "seed is 1000000000"),
    "a seed of 5000 digits": (put("seed", value="@"), "Exceeds the limit"),
    "another scale": (put("scale", value=8), "scale is 8; allowed: 2, 3, 4"),
    "another status": (put("status", value="done"), "status is 'done'; allowed: finished, collapsed, failed, stopped"),
    "an empty name": (put("variant", value=" "), "variant is ' '; allowed: a name"),
    "half a character": (put("commit", value="\ud800"), "commit is '\\ud800'; allowed: text of whole characters"),
    "parameters below zero": (put("params", value=-5), "params is -5; allowed: a whole number from 0 up"),
    "FLOPs that are null": (put("flops", value=None), "flops is None; allowed: a whole number from 0 up"),
    "time below zero": (put("train_seconds", value=-1.0), "train_seconds is -1.0; allowed: a finite number from 0 up"),
    "operators by text": (put("uncounted_ops", value={"gelu": "16"}), "uncounted_ops.gelu is '16'"),
    "a collapse without a reason": (put("collapse", value={"iteration": 3}), "collapse has no reason"),
    "a data set without a list": (put("data", "train", "sets", value=3), "data.train.sets is 3; allowed: a list"),
    "an unknown key": (put("psnr", value=30.0), "its key 'psnr' is not known"),
    "an infinite learning rate": (put("recipe", "lr", value=INFINITY), "Infinity is no number"),
    "a recipe without end": (put("recipe", "deep", value=[[[[[[[[[[[[[[1]]]]]]]]]]]]]]), "nested more than 12 deep"),
    "another digest": (put("sha256", value="0" * 64), "was changed after it was written, or is damaged"),
    "a digest that is null": (put("sha256", value=3), "was changed after it was written, or is damaged"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_record_is_refused_with_the_place_and_what_is_allowed(tmp_path: Path, name: str):
    change, reason = WRONG[name]
    record = copy.deepcopy(GOOD)
    change(record)
    run = written(tmp_path, json.dumps(record).replace('"@"', "9" * 5000).encode())
    with pytest.raises(UserError) as error:
        read_record(run)
    assert str(error.value).startswith(f"{run.record} is not a record of this version (")
    assert reason in str(error.value)
    assert len(str(error.value).splitlines()) == 1


FILES: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "Expecting value"),
    "half of it": (json.dumps(GOOD).encode()[:900], "line 1 column"),
    "zeros": (bytes(2000), "Expecting value"),
    "a list": (b"[]", "it holds a list"),
    "a number": (b"3", "it holds a int"),
    "no UTF-8": (b'{"variant": "\xff"}', "'utf-8' codec can't decode"),
    "brackets without end": (b"[" * 100_000, "recursion"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_json_of_a_record_is_refused(tmp_path: Path, name: str):
    content, reason = FILES[name]
    with pytest.raises(UserError, match=reason):
        read_record(written(tmp_path, content))


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, make: Callable[[Path], object]):
    run = written(tmp_path, b"")
    run.record.unlink()
    make(run.record)
    with pytest.raises(UserError, match="it is no regular file"):
        read_record(run)


def test_a_record_of_before_without_a_digest_is_read(tmp_path: Path):
    record = read_record(written(tmp_path, json.dumps(GOOD).encode()))
    assert record is not None
    assert record.scores == GOOD["scores"]


def test_a_hundred_flipped_bits_in_a_record_are_refused_or_change_nothing(tmp_path: Path):
    run = trial_runs.write_run(tmp_path / "n4", trial_runs.record("n4", 0, 30.0), weights=False)
    content, whole, rng, refused = run.record.read_bytes(), read_record(run), random.Random(0), 0
    for _ in range(100):
        bit, flipped = rng.randrange(8 * len(content)), bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        run.record.write_bytes(flipped)
        try:
            assert read_record(run) == whole
        except UserError:
            refused += 1
    assert refused >= 70  # the others are blanks made tabs and the like


@pytest.mark.parametrize("many", [100, pytest.param(3000, marks=pytest.mark.slow)])
def test_junk_records_are_refused_without_a_trace(tmp_path: Path, many: int):
    refused = 0
    for seed in range(many):
        try:
            read_record(written(tmp_path, junk(GOOD, random.Random(seed))))
        except UserError as error:
            assert len(str(error)) < 500  # noqa: PT017
            refused += 1
    assert refused > 0.7 * many


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Two networks of two seeds, and one whose record is damaged."""
    for name in ("baseline", "n6"):
        for seed in (0, 1):
            trial_runs.write_run(tmp_path / name, trial_runs.record(name, seed, 30.0), weights=False)
    trial_runs.write_run(tmp_path / "n4", trial_runs.record("n4", 3, 30.0), weights=False)
    path = tmp_path / "n4" / "x2" / "seed3" / "record.json"
    path.write_text(path.read_text().replace("12345", "99999", 1))
    return tmp_path


def test_a_damaged_record_is_named_once_and_left_out(runs: Path, capsys):
    assert {record.variant for _, record in find_runs(runs)} == {"baseline", "n6"}
    assert {record.variant for record in read_pilot(runs)} == {"baseline", "n6"}
    assert set(load_runs(runs).scores["variant"]) == {"baseline", "n6"}
    (left,) = find_unfinished(runs)
    assert (left.variant, left.scale, left.seed, left.status) == ("n4", 2, 3, "unreadable")
    error = capsys.readouterr().err
    assert error.count("warning: left out: ") == 1
    assert "n4/x2/seed3/record.json is not a record of this version (it was changed after it was written" in error


@pytest.mark.parametrize("form", [to_csv, to_markdown, to_latex])
def test_a_table_says_below_which_record_it_leaves_out(runs: Path, form: Callable[[Any], str]):
    table = table_of(4, runs=runs, scale=2)
    assert any("1 unreadable: n4 x2 seed 3: " in note for note in table.notes)
    assert "100.00" not in form(table)


@pytest.mark.slow
def test_what_junk_records_pass_the_door_make_no_trace_behind_it(runs: Path):
    """Tables, frames and the pilot of power take whatever was not refused."""
    for seed in range(300):
        written(runs, junk(GOOD, random.Random(seed)))
        if len([run for run in records_below(runs) if run[1].status == "unreadable"]) > 1:
            continue
        load_runs(runs)
        read_pilot(runs)
        to_markdown(table_of(1, runs=runs, scale=2))
