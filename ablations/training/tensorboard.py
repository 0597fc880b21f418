"""TensorBoard's view of a run, in FOLDER/tensorboard/, where the package tensorboard is installed."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter


def installed() -> bool:
    """Whether the package is."""
    return importlib.util.find_spec("tensorboard") is not None


class TensorBoard:
    """A sink (training/board.py) of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "tensorboard"
        self.writer: SummaryWriter | None = None

    def write(self, done: int, scalars: Mapping[str, float], pictures: Mapping[str, torch.Tensor]) -> None:
        """Append."""
        writer = self._opened(done)
        for name, value in scalars.items():
            writer.add_scalar(name, value, done)
        for name, sr in pictures.items():
            writer.add_image(name, sr, done)
        if pictures:
            writer.flush()

    def _opened(self, done: int) -> "SummaryWriter":
        """The writer; on a resumed run it hides what a killed one had written beyond its checkpoint."""
        if self.writer is None:
            from torch.utils.tensorboard.writer import SummaryWriter  # importing it takes most of a second

            self.writer = SummaryWriter(str(self.folder), purge_step=done)
        return self.writer

    def close(self) -> None:
        """Write what is still in memory."""
        if self.writer is not None:
            self.writer.close()
