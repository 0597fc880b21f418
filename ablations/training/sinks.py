"""The programs that show runs, each a sink of training/board.py: TensorBoard, and Weights & Biases."""

import importlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from safmn_bench.models.errors import UserError

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter


def tensorboard_installed() -> bool:
    """Whether the package tensorboard is."""
    return importlib.util.find_spec("tensorboard") is not None


class TensorBoard:
    """A run in FOLDER/tensorboard/, where the package tensorboard is installed."""

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


class Wandb:
    """A run in Weights & Biases, where `--wandb PROJECT` asks for it. Raises UserError where wandb does not start.

    A run goes on under the id that its configuration hashes to. `WANDB_MODE=offline` keeps all of it on this machine,
    in FOLDER/wandb/; where it goes otherwise, and as whom, is what `wandb login` and WANDB_* say.
    """

    def __init__(self, project: str, folder: Path, *, title: str, run_id: str, config: Mapping[str, Any]) -> None:
        self.wandb: Any = importlib.import_module("wandb")
        try:
            self.run = self.wandb.init(
                project=project, dir=str(folder), name=title, id=run_id, resume="allow", config=dict(config)
            )
        except Exception as error:  # of many kinds: no login, no network, a name that it refuses
            raise UserError(
                f"wandb does not start: {' '.join(str(error).split())}. Run `wandb login`, set WANDB_MODE=offline, or "
                "leave out --wandb."
            ) from error

    def write(self, done: int, scalars: Mapping[str, float], pictures: Mapping[str, torch.Tensor]) -> None:
        """Log; of iterations that a killed run had logged already, wandb keeps the first."""
        shown = {name: self.wandb.Image(sr.permute(1, 2, 0).numpy()) for name, sr in pictures.items()}
        self.run.log({**scalars, **shown}, step=done)

    def close(self) -> None:
        """Send what is still here."""
        self.run.finish()
