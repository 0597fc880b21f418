"""The work of quantise.py: ranges and errors of every layer on training images, and which of them stay in float."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from safmn_bench.ablations.data.benchmarks import read_pair
from safmn_bench.ablations.data.training_sets import open_training_sets
from safmn_bench.ablations.deployment.options import QuantiseOptions
from safmn_bench.ablations.scoring.loading import load
from safmn_bench.models.errors import UserError
from safmn_bench.models.names import find_candidate
from safmn_bench.models.reparameterisation import inference_form
from safmn_bench.profiling.common.console import Lines, print_table, progress
from safmn_bench.profiling.runtimes.recipe import Layer, Recipe, convolutions
from safmn_bench.profiling.runtimes.sensitivity import EASY_DB, Ranges, errors_of, fewest_in_float, loss_db, ranges_of

PATCH = 64
"""LR pixels on each side: every pyramid of the catalogue divides them."""
CHECKED = 0.25
"""Share of the images that only check the choice."""
COLUMNS = (
    "model",
    "scale",
    "layer",
    "error",
    "loss_db",
    "runs_in",
    "input_low",
    "input_high",
    "output_low",
    "output_high",
)


@dataclass(frozen=True, kw_only=True)
class Quantised:
    """A recipe, and the loss in dB that its layers in int8 were measured to have on images that did not make it."""

    recipe: Recipe
    loss_db: float


def quantise(options: QuantiseOptions) -> Quantised:
    """Make a recipe. Raises UserError for a network without weights or convolutions, and for too few images."""
    loaded = load(find_candidate(options.model), options.scale, options.weights)
    network = inference_form(loaded.network)
    if not convolutions(network):
        raise UserError(f"{loaded.candidate.name} has no convolutions: there is nothing to quantise.")
    images = _patches(options)
    checking = max(1, round(CHECKED * len(images)))
    making, checks = images[:-checking], images[-checking:]
    ranges = ranges_of(network, making)
    errors = _errors(network, ranges, making[: len(checks)])
    kept, loss = _kept(network, ranges, tuple(errors), checks, options)
    in_float = tuple(errors)[:kept]
    layers = tuple(
        Layer(name=name, input_range=ranges[name][0], output_range=ranges[name][1], error=error,
              quantised=name not in in_float)
        for name, error in errors.items()
    )  # fmt: skip
    stack = np.concatenate([(image * 255).round().to(torch.uint8).numpy() for image in making])
    recipe = Recipe(network=loaded.candidate.name, scale=options.scale, layers=layers, images=stack)
    return Quantised(recipe=recipe, loss_db=loss)


def _patches(options: QuantiseOptions) -> list[torch.Tensor]:
    """The middle of training images, spread over all of them, as LR (1, 3, PATCH, PATCH) in [0, 1]."""
    items = [
        item for training_set in open_training_sets(options.train_data, options.scale) for item in training_set.items
    ]
    patches: list[torch.Tensor] = []
    for position in np.linspace(0, len(items) - 1, min(options.images, len(items))).round().astype(int):
        lr = read_pair(items[position], options.scale).lr
        top, left = ((side - PATCH) // 2 for side in lr.shape[1:])
        if top >= 0 and left >= 0:
            patches.append(lr[None, :, top : top + PATCH, left : left + PATCH].float() / 255)
    if len(patches) < 2:
        raise UserError(
            f"Quantising needs at least two training images of {PATCH}x{PATCH} LR pixels; there are {len(patches)}. "
            "Give others with --train-data."
        )
    return patches


def _errors(network: nn.Module, ranges: Ranges, images: Sequence[torch.Tensor]) -> dict[str, float]:
    lines = Lines("Layers", len(ranges))
    with progress() as bar:
        task = bar.add_task("Layers", total=len(ranges))

        def advance() -> None:
            bar.advance(task)
            lines.advance()

        return errors_of(network, ranges, images, advance)


def _kept(
    network: nn.Module,
    ranges: Ranges,
    worst_first: Sequence[str],
    checks: Sequence[torch.Tensor],
    options: QuantiseOptions,
) -> tuple[int, float]:
    if options.keep is None:
        return fewest_in_float(network, ranges, worst_first, checks, options.most_loss)
    kept = min(options.keep, len(worst_first))
    return kept, fewest_in_float(network, ranges, worst_first[kept:], checks, float("inf"))[1]


def rows(recipe: Recipe) -> list[dict[str, Any]]:
    """A row per layer, the worst first."""
    return [
        {
            "model": recipe.network,
            "scale": recipe.scale,
            "layer": layer.name,
            "error": layer.error,
            "loss_db": loss_db(layer.error),
            "runs_in": "int8" if layer.quantised else "fp32",
            "input_low": layer.input_range[0],
            "input_high": layer.input_range[1],
            "output_low": layer.output_range[0],
            "output_high": layer.output_range[1],
        }
        for layer in recipe.layers
    ]


def show(quantised: Quantised) -> None:
    """Print the layers that cost most, and what the rest costs together."""
    recipe = quantised.recipe
    shown = rows(recipe)[: max(12, len(recipe.in_float) + 3)]
    print_table(
        f"{recipe.network} x{recipe.scale}: convolutions in int8, one at a time, the worst first",
        ["layer", "runs in", "error", "loss [dB]"],
        [[row["layer"], row["runs_in"], f"{row['error']:.2e}", f"{row['loss_db']:.4f}"] for row in shown],
        [
            f"{len(recipe.quantised)} of {len(recipe.layers)} convolutions run in int8; together they lose "
            f"{quantised.loss_db:.4f} dB on images that neither ranges nor errors are of.",
            f"Error: mean squared change of SR, of a range of 1. Loss: of PSNR on an image that reaches {EASY_DB:g} "
            "dB; harder ones lose less. Both are simulated in PyTorch: runtimes.py --int8 measures the runtimes.",
        ],
        text_columns=2,
    )
