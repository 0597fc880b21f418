"""Training on a GPU: the CPU's numbers within rounding, recorded as a graph or not, wherever the images lie."""

from pathlib import Path

import pytest
import torch
from made_training import batches_of, learner, short_recipe, small_network, training

from safmn_bench.ablations.training import loop
from safmn_bench.ablations.training.graph import CAPTURED, GraphSteps
from safmn_bench.ablations.training.learner import plain_weights
from safmn_bench.ablations.training.steps import Steps
from safmn_bench.models.names import find_candidate

pytestmark = pytest.mark.gpu
CPU = torch.device("cpu")
STEPS = 20


def outcomes(steps: Steps, count: int = STEPS) -> torch.Tensor:
    steps.prepare(0)
    return torch.stack(list(steps.take(0, count))).cpu()


def eager(device: torch.device, **compute: object) -> Steps:
    recipe = short_recipe(STEPS, graph=False, **compute)
    return Steps(learner(recipe, device=device), batches_of(recipe, device=device))


def recorded(device: torch.device, placement: str = "device", **compute: object) -> GraphSteps:
    recipe = short_recipe(STEPS, graph=True, **compute)
    return GraphSteps(learner(recipe, device=device), batches_of(recipe, placement, device))


def test_steps_are_the_cpus_within_rounding(gpu: torch.device):
    torch.testing.assert_close(outcomes(eager(gpu)), outcomes(eager(CPU)), rtol=1e-3, atol=1e-5)


def test_samples_are_the_cpus_bit_for_bit(gpu: torch.device):
    recipe = short_recipe()
    for ours, theirs in zip(batches_of(recipe, device=gpu).take(0, 4), batches_of(recipe).take(0, 4), strict=True):
        assert all(torch.equal(a.cpu(), b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("placement", ["device", "host", "disk"])
def test_a_step_is_recorded_and_gives_the_eager_numbers(placement: str, gpu: torch.device):
    """Within the float32 of the learning rate, and of sums in another order."""
    steps = recorded(gpu, placement)
    got = outcomes(steps)
    assert steps.form == CAPTURED
    torch.testing.assert_close(got, outcomes(eager(gpu)), rtol=1e-3, atol=1e-5)


def test_nothing_waits_between_recorded_steps(gpu: torch.device):
    """Over two whole tables: a copy from memory that is not pinned would wait for all steps before it."""
    steps = recorded(gpu)
    outcomes(steps, 2)
    torch.cuda.set_sync_debug_mode("error")
    try:
        list(steps.take(2, STEPS + 20))
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_averaged_weights_of_recorded_steps_are_the_eager_ones(gpu: torch.device):
    graph, plain = recorded(gpu), eager(gpu)
    outcomes(graph, 5)
    outcomes(plain, 5)
    for key, weight in plain_weights(plain.learner.ema).items():
        torch.testing.assert_close(plain_weights(graph.learner.ema)[key], weight, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("precision", ["tf32", "bf16"])
@pytest.mark.parametrize("graph", [False, True])
def test_lower_precision_stays_near_float32(precision: str, graph: bool, gpu: torch.device):
    steps = recorded(gpu, precision=precision) if graph else eager(gpu, precision=precision)
    torch.testing.assert_close(outcomes(steps)[:, 0], outcomes(eager(gpu))[:, 0], rtol=0.05, atol=5e-3)


@pytest.mark.parametrize("graph", [False, True])
def test_a_compiled_step_gives_the_eager_numbers(graph: bool, gpu: torch.device):
    steps = recorded(gpu, compile=True) if graph else eager(gpu, compile=True)
    torch.testing.assert_close(outcomes(steps), outcomes(eager(gpu)), rtol=1e-3, atol=1e-5)
    assert steps.form == (CAPTURED if graph else "")


@pytest.mark.parametrize("name", ["baseline", "bn", "carn_m", "imdn", "shufflemixer", "ecbsr_m16c64"])
def test_networks_of_the_suite_are_recorded(name: str, gpu: torch.device):
    recipe = short_recipe(STEPS, graph=True)
    steps = GraphSteps(learner(recipe, find_candidate(name).build(2), gpu), batches_of(recipe, device=gpu))
    assert torch.isfinite(outcomes(steps, 3)).all()
    assert steps.form == CAPTURED


def test_preparing_leaves_no_trace(gpu: torch.device):
    steps = recorded(gpu)
    before = plain_weights(steps.learner.network)
    assert steps.prepare(0) > 0
    assert all(torch.equal(before[key], value) for key, value in plain_weights(steps.learner.network).items())
    assert not any(moments["step"].item() for moments in steps.learner.optimizer.state.values())


def test_a_stopped_training_goes_on_to_the_same_weights(gpu: torch.device, tmp_path: Path):
    recipe = short_recipe(graph=True)
    whole = training(tmp_path / "whole", recipe, device=gpu).run()
    calls: list[int] = []
    with pytest.raises(loop.Stopped):
        training(tmp_path / "a", recipe, stop=lambda: bool(calls.append(1)) or len(calls) == 4, device=gpu).run()
    resumed = training(tmp_path / "a", recipe, device=gpu).run()
    assert (whole.graph, resumed.graph, resumed.sittings) == (CAPTURED, CAPTURED, 2)
    assert whole.weights is not None
    assert resumed.weights is not None
    for key, weight in whole.weights.items():
        torch.testing.assert_close(resumed.weights[key], weight, rtol=1e-4, atol=1e-6)


def test_a_collapse_within_a_graph_is_noticed(gpu: torch.device, tmp_path: Path):
    trainee = training(tmp_path, short_recipe(graph=True), device=gpu)
    with torch.no_grad():
        next(trainee.learner.network.parameters()).fill_(float("nan"))
    collapse = trainee.run().collapse
    assert collapse is not None
    assert (collapse["iteration"], collapse["reason"]) == (0, "loss not finite")


def test_a_step_that_waits_for_the_device_runs_unrecorded(gpu: torch.device, capsys: pytest.CaptureFixture[str]):
    class Waiting(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = small_network()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x) * (1.0 if x.mean().item() < 2 else 0.0)

    recipe = short_recipe(STEPS, graph=True)
    steps = GraphSteps(learner(recipe, Waiting(), gpu), batches_of(recipe, device=gpu))
    got = outcomes(steps)
    assert steps.form.startswith("not captured: ")
    assert "note: compute.graph: the step could not be recorded" in capsys.readouterr().err
    torch.testing.assert_close(got, outcomes(eager(gpu)), rtol=1e-3, atol=1e-5)
