"""Weights & Biases' view of a run, where `--wandb PROJECT` asks for it: what TensorBoard gets, under the run's title.

A run goes on under the id that its configuration hashes to. `WANDB_MODE=offline` keeps all of it on this machine, in
FOLDER/wandb/; where it goes otherwise, and as whom, is what `wandb login` and WANDB_* say.
"""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from safmn_bench.models.errors import UserError


class Wandb:
    """A sink (training/board.py) of one run. Raises UserError where wandb does not start."""

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
