"""A training of a second: a small network on pictures made here, with scores made up."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from made_patches import CPU, KEYS, Images
from torch import nn

from safmn_bench.ablations.data.prefetch import AheadBatches, Placement, open_batches
from safmn_bench.ablations.data.sampling import PatchSampler
from safmn_bench.ablations.recipe import Recipe, load_recipe
from safmn_bench.ablations.record import RunFolder
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.ablations.training.learner import Learner
from safmn_bench.ablations.training.loop import Hooks, Scores, Training
from safmn_bench.models.safmn import SAFMN, SAFMNConfig


def short_recipe(iterations: int = 6, **compute: object) -> Recipe:
    quick = load_recipe("quick")
    train = replace(KEYS, batch=2, iterations=iterations, log_every=2, validate_every=iterations, save_every=3)
    return replace(quick, train=train, compute=replace(quick.compute, **compute))  # pyright: ignore[reportArgumentType]


def small_network(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2)


def learner(recipe: Recipe, network: nn.Module | None = None, device: torch.device = CPU) -> Learner:
    return Learner(network or small_network(), recipe, Group(0, 1, device))


def batches_of(recipe: Recipe, placement: str = "device", device: torch.device = CPU) -> PatchSampler | AheadBatches:
    return open_batches(Images(), recipe.train, Placement(placement, ""), seed=0, device=device, rank=0, world=1)


def training(
    folder: Path,
    recipe: Recipe,
    placement: str = "device",
    stop: Callable[[], bool] = lambda: False,
    device: torch.device = CPU,
) -> Training:

    def validate(_: nn.Module) -> Scores:
        return {"none": {"psnr_y_db": 20.0, "ssim_y": 0.5}}

    hooks = Hooks(validate=validate, progress=lambda *_: None, stop=stop)
    batches = batches_of(recipe, placement, device)
    return Training(learner(recipe, device=device), batches, recipe, RunFolder(folder), hooks)


def same_weights(first: dict[str, torch.Tensor] | None, second: dict[str, torch.Tensor] | None) -> bool:
    assert first is not None
    assert second is not None
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)
