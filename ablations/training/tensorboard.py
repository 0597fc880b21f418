"""TensorBoard's view of a run: scalars and validation pictures, where the package tensorboard is installed.

losses.csv and validation.csv hold the same figures and are always written; nothing here is read back.
"""

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from safmn_bench.ablations.recipe import Recipe
from safmn_bench.ablations.scoring.score import ImageScore
from safmn_bench.ablations.training.loop import Scores

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

PICTURES = 4  # SR images per validation: the first ones of the benchmark


class Board:
    """Writes FOLDER/tensorboard/; does nothing where tensorboard is not installed."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder, self.recipe = folder / "tensorboard", recipe
        self.installed = importlib.util.find_spec("tensorboard") is not None
        self.pictures: dict[str, torch.Tensor] = {}
        self.writer: SummaryWriter | None = None

    def watch(self, image: ImageScore, sr: torch.Tensor) -> None:
        """Keep the SR image (3, H, W), uint8, of a validation until its scores come."""
        if self.installed and len(self.pictures) < PICTURES:
            self.pictures[image.name] = sr.cpu()

    def __call__(self, done: int, loss: float, scores: Scores | None) -> None:
        """Write what came in after `done` iterations: the loss and learning rate, or scores and pictures."""
        if not self.installed:
            return
        writer = self.opened(done)
        if scores is None:
            writer.add_scalar("train/loss", loss, done)
            writer.add_scalar("train/learning_rate", self.recipe.learning_rate(done - 1), done)
            return
        for dataset, values in scores.items():
            for key, value in values.items():
                writer.add_scalar(f"{dataset}/{key}", value, done)
        for name, sr in self.pictures.items():
            writer.add_image(f"validation/{name}", sr, done)
        self.pictures.clear()
        writer.flush()

    def opened(self, done: int) -> "SummaryWriter":
        """The writer; on a resumed run it hides what a killed one had written beyond its checkpoint."""
        if self.writer is None:
            from torch.utils.tensorboard.writer import SummaryWriter  # importing it takes most of a second

            self.writer = SummaryWriter(str(self.folder), purge_step=done)
        return self.writer

    def close(self) -> None:
        """Write what is still in memory."""
        if self.writer is not None:
            self.writer.close()
