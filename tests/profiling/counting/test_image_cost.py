"""Costs on image files: every kind of file is read as everywhere else."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from torch import nn

from safmn_bench.profiling.counting import image_cost
from safmn_bench.profiling.counting.flops import count_on


class Dynamic(nn.Module):
    """Costs what the image needs: it keeps what it saw."""

    dynamic = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        self.seen.append(rgb.detach().clone())
        return rgb


def grey_16_bit(path: Path) -> None:
    PIL.Image.fromarray(np.full((8, 8), 127 << 8 | 200, np.uint16)).save(path)


def transparent(path: Path) -> None:
    PIL.Image.new("RGBA", (8, 8), (0, 0, 0, 0)).save(path)


def turned(path: Path) -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    PIL.Image.new("RGB", (8, 4), (127, 127, 127)).save(path, exif=exif)


@pytest.mark.parametrize(
    ("write", "value", "size"), [(grey_16_bit, 127, (8, 8)), (transparent, 255, (8, 8)), (turned, 127, (8, 4))]
)
def test_lr_file_is_read_as_scores_read_it(
    write: Callable[[Path], None], value: int, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A reader of its own gave 254.5 for the 16-bit grey, black for what is transparent, and 4x8 for the turned one."""
    write(tmp_path / "lr.png")
    network, counted = Dynamic(), []
    monkeypatch.setattr(image_cost, "count_on", lambda net, lr: counted.append(lr) or count_on(net, lr))
    cost = image_cost.image_cost(network, tmp_path / "lr.png")
    assert (cost.lr_height, cost.lr_width) == size
    assert torch.equal(counted[-1], torch.full((1, 3, *size), value / 255))
