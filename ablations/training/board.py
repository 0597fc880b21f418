"""What is told of a run while it trains: loss, learning rate, scores and validation pictures, to every sink.

losses.csv and validation.csv hold the same figures and are always written; nothing here is read back.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch

from safmn_bench.ablations.recipe import Recipe
from safmn_bench.ablations.scoring.score import ImageScore
from safmn_bench.ablations.training.loop import Scores

PICTURES = 4  # SR images per validation: the first ones of the benchmark


class Sink(Protocol):
    """A program that shows runs: TensorBoard, Weights & Biases."""

    def write(self, done: int, scalars: Mapping[str, float], pictures: Mapping[str, torch.Tensor]) -> None:
        """What came in after `done` iterations; pictures are uint8 (3, H, W)."""

    def close(self) -> None:
        """Write what is still in memory."""


class Board:
    """Passes on what comes in, with the learning rate beside a loss and the pictures beside scores."""

    def __init__(self, recipe: Recipe, sinks: Sequence[Sink]) -> None:
        self.recipe, self.sinks = recipe, sinks
        self.pictures: dict[str, torch.Tensor] = {}

    def watch(self, image: ImageScore, sr: torch.Tensor) -> None:
        """Keep the SR image (3, H, W), uint8, of a validation until its scores come."""
        if self.sinks and len(self.pictures) < PICTURES:
            self.pictures[f"validation/{image.name}"] = sr.cpu()

    def __call__(self, done: int, loss: float, scores: Scores | None) -> None:
        """Tell what came in after `done` iterations: the loss, or scores."""
        if scores is None:
            self._write(done, {"train/loss": loss, "train/learning_rate": self.recipe.learning_rate(done - 1)}, {})
            return
        values = {f"{dataset}/{key}": value for dataset, by_key in scores.items() for key, value in by_key.items()}
        self._write(done, values, self.pictures)
        self.pictures = {}

    def _write(self, done: int, scalars: Mapping[str, float], pictures: Mapping[str, torch.Tensor]) -> None:
        for sink in self.sinks:
            sink.write(done, scalars, pictures)

    def close(self) -> None:
        """Write what is still in memory."""
        for sink in self.sinks:
            sink.close()
