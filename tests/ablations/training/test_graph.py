"""The step that a CUDA graph holds, run uncaptured on a CPU: bit for bit the Learner's; and what capturing asks for."""

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import made_patches
import pytest
import torch
from made_patches import CPU, Images
from made_training import learner, same_weights, short_recipe, small_network, training
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from safmn_bench.ablations.data.prefetch import Placement, open_batches
from safmn_bench.ablations.recipe import LATER, Recipe, load_recipe
from safmn_bench.ablations.training import graph, loop
from safmn_bench.ablations.training.graph import CAPTURED, GraphSteps, captured, steps_of
from safmn_bench.ablations.training.learner import Learner, plain_weights
from safmn_bench.ablations.training.steps import Steps
from safmn_bench.models.catalog import MODELS
from safmn_bench.models.names import find_candidate

STEPS = 37  # two whole tables of 16 and a piece
GPU = torch.device("cuda:0")


def graph_steps(recipe: Recipe, placement: str = "device") -> GraphSteps:
    batches = open_batches(Images(), recipe.train, Placement(placement, ""), seed=0, device=CPU, rank=0, world=1)
    return GraphSteps(learner(recipe), batches)


@pytest.mark.parametrize("placement", ["device", "host"])
def test_37_steps_are_the_learners_bit_for_bit(placement: str):
    """Loss, gradient norm and averaged weights, with clipping, over an epoch's end (3 images, 2 a batch)."""
    few = ["train.iterations=37", "train.patch=8", "train.batch=2"]
    recipe = load_recipe("quick", overrides=["optimizer.clip_norm=0.01", *few])
    steps = graph_steps(recipe, placement)
    today = learner(recipe)
    batches = open_batches(Images(), recipe.train, Placement("device", ""), seed=0, device=CPU, rank=0, world=1)
    outcomes = list(steps.take(0, STEPS))
    expected = [today.step(lr, hr, i) for i, (lr, hr) in enumerate(batches.take(0, STEPS))]
    assert torch.equal(torch.stack(outcomes), torch.stack(expected))
    assert same_weights(plain_weights(steps.learner.ema), plain_weights(today.ema))


def test_the_steps_from_any_iteration_on_are_the_same():
    recipe = short_recipe(18)
    whole, parts = graph_steps(recipe), graph_steps(recipe)
    expected = list(whole.take(0, 18))
    assert torch.equal(torch.stack([*parts.take(0, 1), *parts.take(1, 18)]), torch.stack(expected))


@pytest.fixture
def everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trainings run the steps that a graph holds, also on a CPU."""
    monkeypatch.setattr(loop, "steps_of", GraphSteps)


@pytest.mark.parametrize("placement", ["device", "host"])
def test_a_whole_training_leaves_the_weights_and_losses_of_an_eager_one(
    placement: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    eager = training(tmp_path / "eager", short_recipe()).run()
    monkeypatch.setattr(loop, "steps_of", GraphSteps)
    recorded = training(tmp_path / "graph", short_recipe(), placement).run()
    assert same_weights(eager.weights, recorded.weights)
    losses = [(tmp_path / name / "losses.csv").read_text().splitlines() for name in ("eager", "graph")]
    assert [row.rsplit(",", 1)[0] for row in losses[0]] == [row.rsplit(",", 1)[0] for row in losses[1]]


@pytest.mark.parametrize("goes_on", [GraphSteps, Steps])
def test_a_stopped_training_goes_on_with_and_without_a_graph(
    goes_on: type[Steps], tmp_path: Path, everywhere: None, monkeypatch: pytest.MonkeyPatch
):
    whole = training(tmp_path / "whole", short_recipe()).run()
    calls: list[int] = []
    with pytest.raises(loop.Stopped):
        training(tmp_path / "a", short_recipe(), stop=lambda: bool(calls.append(1)) or len(calls) == 4).run()
    monkeypatch.setattr(loop, "steps_of", goes_on)
    resumed = training(tmp_path / "a", short_recipe()).run()
    assert same_weights(whole.weights, resumed.weights)
    assert resumed.sittings == 2


def test_a_checkpoint_has_a_number_for_the_learning_rate():
    steps = graph_steps(short_recipe())
    list(steps.take(0, 3))
    (group,) = steps.learner.state_dict()["optimizer"]["param_groups"]
    assert (type(group["lr"]), group["capturable"]) == (float, False)
    assert group["lr"] == short_recipe().learning_rate(2)


def test_a_collapse_is_noticed(tmp_path: Path, everywhere: None, monkeypatch: pytest.MonkeyPatch):
    update = Learner.update
    calls: list[int] = []

    def broken(self: Learner, lr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        return update(self, lr * (float("nan") if len(calls) == 3 else 1.0), hr)

    monkeypatch.setattr(Learner, "update", broken)
    collapse = training(tmp_path, short_recipe()).run().collapse
    assert collapse is not None
    assert (collapse["iteration"], collapse["reason"]) == (2, "loss not finite")


@pytest.fixture
def gpu_by_name(monkeypatch: pytest.MonkeyPatch) -> Callable[[loop.Training], GraphSteps]:
    """Makes a training take its device for a GPU once its tensors are made, on the CPU; no graph is recorded yet."""
    monkeypatch.setattr(loop, "steps_of", GraphSteps)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    monkeypatch.setattr(torch.cuda, "get_rng_state", lambda device: torch.zeros(1))
    monkeypatch.setattr(torch.cuda, "set_rng_state", lambda state, device: None)
    monkeypatch.setattr(graph, "warmed_up", lambda step, device: [step() for _ in range(graph.WARM_UPS)])

    def named(trainee: loop.Training) -> GraphSteps:
        assert isinstance(trainee.steps, GraphSteps)
        trainee.learner.device = GPU
        return trainee.steps

    return named


def test_a_step_that_cannot_be_recorded_runs_as_it_is_and_the_reason_is_told_once(
    tmp_path: Path, gpu_by_name: Callable[[loop.Training], GraphSteps], monkeypatch: pytest.MonkeyPatch, capsys
):
    def refused(step: Callable[[], torch.Tensor], trainee: Learner) -> None:
        step()
        raise RuntimeError("operation not permitted when stream is capturing\nSearch for `cudaError...'")

    monkeypatch.setattr(graph, "captured", refused)
    trainee = training(tmp_path / "graph", short_recipe())
    gpu_by_name(trainee)
    trained = trainee.run()
    error = capsys.readouterr().err
    reason = "RuntimeError: operation not permitted when stream is capturing"
    assert error == f"note: compute.graph: the step could not be recorded ({reason}); it runs as it is written.\n"
    assert trained.graph == f"not captured: {reason}"
    monkeypatch.setattr(loop, "steps_of", Steps)
    eager = training(tmp_path / "eager", short_recipe()).run()
    assert same_weights(trained.weights, eager.weights)  # warming up and the attempt left no trace


class Recorded:
    """Stands for torch.cuda.CUDAGraph: what was run while it recorded is run again, into the same result."""

    def __init__(self) -> None:
        self.replays = 0
        self.again: Callable[[], None] = lambda: None

    def replay(self) -> None:
        self.replays += 1
        self.again()


def test_a_recorded_step_is_replayed_and_each_result_is_a_copy(
    tmp_path: Path, gpu_by_name: Callable[[loop.Training], GraphSteps], monkeypatch: pytest.MonkeyPatch
):
    made, modes, flags = Recorded(), [], []
    trainee = training(tmp_path / "graph", short_recipe())
    steps = gpu_by_name(trainee)

    @contextlib.contextmanager
    def recording(graph: Recorded, stream: object, capture_error_mode: str) -> Iterator[None]:
        modes.append(capture_error_mode)
        flags.append(steps.learner.optimizer.param_groups[0]["capturable"])
        yield

    def once() -> torch.Tensor:
        outcome = GraphSteps.once(steps)

        def again() -> None:
            outcome.copy_(GraphSteps.once(steps))

        made.again = again
        return outcome

    monkeypatch.setattr(torch.cuda, "CUDAGraph", lambda: made)
    monkeypatch.setattr(torch.cuda, "graph", recording)
    monkeypatch.setattr(torch.cuda, "Stream", lambda device: None)
    monkeypatch.setattr(graph, "captured", lambda step, trainee: captured(once, trainee))
    trained = trainee.run()
    assert (made.replays, modes, flags, trained.graph) == (6, ["thread_local"], [True], CAPTURED)
    assert steps.learner.optimizer.param_groups[0]["capturable"] is False
    monkeypatch.setattr(loop, "steps_of", Steps)
    eager = training(tmp_path / "eager", short_recipe()).run()
    assert same_weights(trained.weights, eager.weights)
    losses = [(tmp_path / name / "losses.csv").read_text().splitlines() for name in ("eager", "graph")]
    assert [row.rsplit(",", 1)[0] for row in losses[0]] == [row.rsplit(",", 1)[0] for row in losses[1]]


class Watched(TorchDispatchMode):
    """Refuses operations that wait for the device, or bring a number to it: no graph can hold them."""

    WAITS = ("_local_scalar_dense", "item", "nonzero", "masked_select", "_unique", "unique_", "lift_fresh", "equal")

    def __torch_dispatch__(
        self, operation: Any, types: object, arguments: tuple[Any, ...] = (), named: dict[str, Any] | None = None
    ) -> Any:
        assert operation.overloadpacket.__name__ not in self.WAITS, operation
        return operation(*arguments, **(named or {}))


def watched_step(network: nn.Module, scale: int, patch: int) -> None:
    recipe = load_recipe("quick", overrides=["optimizer.clip_norm=0.1", f"train.patch={patch}", "train.batch=1"])
    batches = open_batches(Images(scale), recipe.train, Placement("device", ""), seed=0, device=CPU, rank=0, world=1)
    steps = GraphSteps(learner(recipe, network), batches)
    for _ in steps.feed.ready(0, 1):
        with Watched():
            steps.once()


def test_a_step_never_waits_for_the_device():
    watched_step(small_network(), 2, 8)
    with pytest.raises(AssertionError, match="_local_scalar_dense"), Watched():
        torch.ones(1).item()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name != "bicubic"])
def test_no_network_of_the_catalog_waits_for_the_device(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(made_patches, "SIZES", ((20, 20), (18, 17)))
    watched_step(find_candidate(name).build(4), 4, 16)


def test_what_runs_is_decided_by_recipe_device_and_processes():
    recipe = short_recipe(graph=True)
    trainee, batches = learner(recipe), graph_steps(recipe).batches
    assert (type(steps_of(trainee, batches)), steps_of(trainee, batches).form) == (Steps, "")
    trainee.group = graph_group = type(trainee.group)(0, 2, CPU)
    trainee.device = GPU
    assert steps_of(trainee, batches).form == "not captured: 2 processes share the step"
    assert graph_group.world == 2
    without = learner(short_recipe(graph=False))
    without.device = GPU
    assert (type(steps_of(without, batches)), steps_of(without, batches).form) == (Steps, "")


def test_recipes_from_before_graphs_mean_eager_steps_and_the_packaged_ones_graphs():
    assert LATER["compute.graph"] is False
    assert all(load_recipe(name).compute.graph for name in ("paper", "quick", "reduced", "reduced_cpu"))


def test_a_graph_is_no_part_of_what_decides_a_result():
    with_graph, without = (short_recipe(graph=value).deciding() for value in (True, False))
    assert with_graph == without
    assert "graph" not in with_graph["compute"]
