"""What comes before the first step is off the clock, and leaves no trace."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from made_training import learner, same_weights, short_recipe, training

from safmn_bench.ablations.training import checkpoint, loop, steps
from safmn_bench.ablations.training.learner import plain_weights

COMPILATION_S = 90.0


class Clock:
    """A clock that only compiling moves, and each step by a second."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """`torch.compile` takes 90 s at its first call, and changes nothing."""
    made = Clock()

    def compiled(network: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
        calls = []

        def forward(lr: torch.Tensor) -> torch.Tensor:
            made.now += 1.0 if calls else COMPILATION_S
            calls.append(1)
            return network(lr)

        return forward

    monkeypatch.setattr(torch, "compile", compiled)
    for module in (loop, steps):
        monkeypatch.setattr(module.time, "perf_counter", made)
    return made


def test_compilation_is_no_part_of_the_seconds_of_training(clock: Clock, tmp_path: Path):
    """93 s for 6 iterations were counted as their pace."""
    trained = training(tmp_path, short_recipe(compile=True)).run()
    assert (trained.compile_seconds, trained.seconds) == (COMPILATION_S, 6.0)


def test_compilation_of_every_sitting_is_counted(clock: Clock, tmp_path: Path):
    recipe = short_recipe(compile=True)
    calls = []
    first = training(tmp_path, recipe, stop=lambda: bool(calls.append(1)) or len(calls) == 3)
    with pytest.raises(loop.Stopped):
        first.run()
    trained = training(tmp_path, recipe).run()
    assert (trained.compile_seconds, trained.seconds, trained.sittings) == (2 * COMPILATION_S, 6.0, 2)


def test_a_checkpoint_from_before_compilation_was_counted_goes_on(tmp_path: Path):
    recipe = short_recipe()
    training(tmp_path, recipe).run()
    state = checkpoint.load(tmp_path / "last.pt", torch.device("cpu"))
    assert state is not None
    del state["compile_seconds"]
    checkpoint.save(tmp_path / "last.pt", state)
    assert training(tmp_path, recipe).run().compile_seconds == 0


def test_a_compiled_training_makes_the_steps_of_an_uncompiled_one_bit_for_bit(clock: Clock, tmp_path: Path):
    plain = training(tmp_path / "plain", short_recipe()).run()
    compiled = training(tmp_path / "compiled", short_recipe(compile=True)).run()
    assert same_weights(plain.weights, compiled.weights)
    losses = [(tmp_path / name / "losses.csv").read_text().splitlines() for name in ("plain", "compiled")]
    assert [row.rsplit(",", 1)[0] for row in losses[0]] == [row.rsplit(",", 1)[0] for row in losses[1]]


@pytest.mark.parametrize("before", [0, 2])
def test_what_is_undone_leaves_weights_moments_statistics_and_random_numbers_as_they_were(before: int):
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 12, 3, padding=1), torch.nn.BatchNorm2d(12), torch.nn.Dropout(0.5))
    trainee = learner(short_recipe(), torch.nn.Sequential(network, torch.nn.PixelShuffle(2)))
    lr, hr = torch.rand(2, 3, 8, 8), torch.rand(2, 3, 16, 16)
    for iteration in range(before):
        trainee.step(lr, hr, iteration)
    states = plain_weights(trainee.network), plain_weights(trainee.ema), torch.get_rng_state()
    with trainee.undone():
        trainee.step(lr, hr, before)
        assert not same_weights(plain_weights(trainee.network), states[0])
    assert same_weights(plain_weights(trainee.network), states[0])
    assert same_weights(plain_weights(trainee.ema), states[1])
    assert torch.equal(torch.get_rng_state(), states[2])
    counts = [float(moments["step"]) for moments in trainee.optimizer.state.values()]
    assert counts == [before] * 4
    if not before:
        assert all(not moments["exp_avg"].any() for moments in trainee.optimizer.state.values())
