"""noise.py: what it follows, what its table says, and that it goes on where it was."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

from safmn_bench.ablations import noise
from safmn_bench.ablations.recipe import load_recipe
from safmn_bench.ablations.scatter.followed import BEST, LAST, RECIPE, follow
from safmn_bench.ablations.scatter.table import Row, lines_of
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.learner import Learner
from safmn_bench.models.names import find_candidate
from safmn_bench.models.safmn import SAFMN, SAFMNConfig

STEPS = 8


def trained(decay: float) -> tuple[Learner, list[torch.Tensor]]:
    """A learner after STEPS steps on noise, and its weights' first tensor after each."""
    torch.manual_seed(0)
    recipe = load_recipe("quick", overrides=[f"train.iterations={STEPS}", f"ema.decay={decay}"])
    learner = Learner(SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2), recipe, Group(0, 1, torch.device("cpu")))
    states = [learner.weights[0].detach().clone()]

    def batches():
        for i in range(STEPS):
            torch.manual_seed(i)
            yield torch.rand(1, 3, 8, 8), torch.rand(1, 3, 16, 16)
            states.append(learner.weights[0].detach().clone())

    scores = iter([1.0, 3.0, 2.0, *range(4, 100)])
    trained.followed = follow(learner, batches(), lambda _: -next(scores))  # type: ignore[attr-defined]
    return learner, states


def test_choices_are_what_they_are_called():
    learner, states = trained(decay=0.5)
    followed = trained.followed  # type: ignore[attr-defined]

    def first(name: str) -> torch.Tensor:
        return next(p for p in followed.network(name).parameters() if p.shape == states[0].shape)

    torch.testing.assert_close(first(LAST), states[-1])
    torch.testing.assert_close(first(RECIPE), learner.averages[0])
    average = states[0]
    for state in states[1:]:
        average = 0.75 * average + 0.25 * state  # half the decay's distance from 1: twice the horizon
    torch.testing.assert_close(first("average over 2 x the recipe's horizon"), average)
    torch.testing.assert_close(first("mean of 10 checkpoints of the last 25%"), sum(states[-3:]) / 3)
    own = states[0]
    for state in states[1:5]:  # the first look, after half of the steps, scored best
        own = 0.5 * own + 0.5 * state
    torch.testing.assert_close(first(BEST), own)


def test_table_finds_the_deviations_it_was_made_of():
    """Scores by known deviations: seeds 0.1 dB, runs 0.02 dB by order and 0.01 dB by name."""
    rng = np.random.default_rng(0)
    rows = []
    for seed in range(200):
        shared = 0.1 * rng.normal()
        for network in ("a", "b", "c"):
            for starts, sd in (("order", 0.02), ("name", 0.01)):
                rows.append(Row(network, seed, starts, RECIPE, "Set5", 30 + shared + sd * rng.normal()))
    order, name = lines_of(rows)
    assert (order.initialisation, order.seeds, order.networks, order.freedom) == ("order", 200, 3, 398)
    assert order.difference_sd_db == pytest.approx(0.02 * np.sqrt(2), rel=0.1)
    assert order.run_sd_db == pytest.approx(0.1, rel=0.15)
    assert order.ratio == 1.0
    assert name.ratio_low < 0.5 < name.ratio_high < 0.6


def test_seeds_that_are_not_complete_are_left_out():
    rows = [
        Row(network, seed, starts, RECIPE, "Set5", seed + len(network))
        for seed in range(6) for network in ("a", "bb") for starts in ("order", "name")
    ]  # fmt: skip
    rows[-1] = Row("bb", 99, "name", RECIPE, "Set5", 0.0)
    assert {line.seeds for line in lines_of([*rows])} == {5}


@pytest.mark.slow
def test_noise_goes_on_where_it_was_and_writes_its_table(
    photographs: Path, small_variant: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    other = tmp_path / "wide.yaml"
    other.write_text("model: {n_blocks: 1, dim: 12}\n")
    call = ["--variants", str(small_variant), str(other), "--train-data", str(photographs / "train")]
    call += ["--benchmarks", str(photographs / "score"), "--out", str(tmp_path / "out")]
    call += ["--set", "train.iterations=6", "train.patch=8", "train.batch=2"]
    assert noise.main([*call, "--seeds", "0"]) == 0
    first = sorted((tmp_path / "out" / "runs").iterdir())
    times = [path.stat().st_mtime_ns for path in first]
    assert "Too few seeds" in capsys.readouterr().out
    assert noise.main([*call, "--seeds", "0", "1", "2", "3"]) == 0
    assert [path.stat().st_mtime_ns for path in first] == times
    with (tmp_path / "out" / "noise.csv").open() as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 2 * 9
    assert {row["dataset"] for row in rows} == {"score"}
    assert find_candidate(str(small_variant)).name in (tmp_path / "out" / "scores.csv").read_text()
