"""SIGKILL at any place: what a run leaves, and the next one makes of it, ends as if nothing had happened.

Kills are placed by iteration, by what is being written and by what a run has logged, never by time: a quick machine
is killed as a slow one is. A run that reached its end unkilled is compared, and does not count.
"""

import csv
import json
import os
import random
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from killed_runs import STAGES, Kill, Runner
from short_runs import arguments, assert_same, folder_of

FILES = ("last.pt", "weights.pt", "record.json", "sweep.csv")
ITERATIONS = 40


def places(rng: random.Random) -> Iterator[Kill]:
    """Where one run is killed, in the order in which it passes there: at eight iterations, and in each file once."""
    kills = [Kill(iteration=iteration) for iteration in sorted(rng.sample(range(ITERATIONS), 8))]
    kills.insert(rng.randrange(8), Kill(file="last.pt", stage=rng.choice(STAGES)))
    yield from kills
    for file in FILES[1:]:
        yield Kill(file=file, stage=rng.choice(STAGES))


def results_of(out: Path) -> tuple[object, ...]:
    """All of a record and of sweep.csv but what says when, where and how fast it went."""
    record = json.loads((folder_of(out, "one_block") / "record.json").read_text())
    for key in ("train_seconds", "images_per_second", "date", "sittings", "machine", "data", "command", "sha256"):
        del record[key]
    with (out / "sweep.csv").open(newline="") as handle:
        return record, [row | {"train_seconds": ""} for row in csv.DictReader(handle)]


@pytest.mark.slow
def test_a_hundred_kills_a_third_of_them_within_a_write_end_bit_identical(
    photographs: Path, small_variant: Path, tmp_path: Path
):
    keys = [f"train.iterations={ITERATIONS}", "train.save_every=3", "train.validate_every=20"]
    rng, log, whole = random.Random(0), tmp_path / "log.txt", tmp_path / "whole"
    reached: list[Kill] = []
    with Runner(log) as runner:
        assert runner(arguments(photographs, small_variant, whole, *keys)) == 0, log.read_text()
        for number in range(12):
            out = tmp_path / f"killed{number}"
            call = arguments(photographs, small_variant, out, *keys)
            for kill in places(rng):
                status = runner(call, kill)
                assert status in (0, -signal.SIGKILL), log.read_text()
                reached += [kill] if status else []
            assert runner(call) == 0, log.read_text()
            assert_same(folder_of(whole, "one_block"), folder_of(out, "one_block"))
            assert results_of(whole) == results_of(out)
            if len(reached) >= 100:
                break
    assert len(reached) >= 100
    counts = Counter(kill.file for kill in reached)
    assert sum(counts[file] for file in FILES) >= len(reached) // 3
    assert min(counts[file] for file in FILES) >= 8
    assert {kill.stage for kill in reached if kill.file} == set(STAGES)


def rows_of(folder: Path) -> int:
    """How far a run's log has come."""
    path = folder / "losses.csv"
    return path.read_text().count("\n") if path.exists() else 0


def killed_from_outside(runner: Runner, call: list[str], folder: Path, rows: int) -> bool:
    """Kill a run, wherever it is, once its log has grown by `rows`; False where it ended before."""
    wanted = rows_of(folder) + rows
    pid = runner.start(call)
    while not runner.ended(within_s=0.0005):
        if rows_of(folder) >= wanted:
            os.kill(pid, signal.SIGKILL)
            break
    status = runner.status()
    assert status in (0, -signal.SIGKILL), runner.log.read_text()
    return status != 0


@pytest.mark.slow
def test_thirty_kills_from_outside_end_bit_identical(photographs: Path, small_variant: Path, tmp_path: Path):
    """The kills come at any instruction, shortly after a checkpoint's log was written."""
    keys = ["train.iterations=60", "train.save_every=1", "train.log_every=1"]
    rng, log, whole, kills, runs = random.Random(0), tmp_path / "log.txt", tmp_path / "whole", 0, 0
    with Runner(log) as runner:
        assert runner(arguments(photographs, small_variant, whole, *keys)) == 0, log.read_text()
        while kills < 30:
            out = tmp_path / f"killed{runs}"
            call, folder = arguments(photographs, small_variant, out, *keys), folder_of(out, "one_block")
            while killed_from_outside(runner, call, folder, rng.randint(2, 6)):
                kills += 1
            assert_same(folder_of(whole, "one_block"), folder)
            runs += 1
            assert runs < 15, f"only {kills} kills in {runs} runs"
