"""Attributions without a network: a picture, a window, and a map that falls off around it."""

import numpy as np
import torch
from torch import nn

from safmn_bench.analysis.attribution.attribute import Look, picture_of
from safmn_bench.analysis.attribution.objective import Window
from safmn_bench.analysis.attribution.window_attribution import Attribution
from safmn_bench.analysis.networks import Subject


def made_look(title: str, *, height: int = 64, width: int = 64, scale: int = 2, spread: float = 4.0) -> Look:
    """A look of a network with this title; HR is height x width."""
    rows, columns = np.mgrid[:height, :width]
    hr = np.stack([rows * 255 // height, columns * 255 // width, (rows ^ columns) % 256], axis=-1).astype(np.uint8)
    picture, window = picture_of("made.png", hr, scale), Window(width // 2 - 4, height // 2 - 4, 8)
    y, x = np.mgrid[: height // scale, : width // scale]
    distance = (y - height / scale / 2) ** 2 + (x - width / scale / 2) ** 2
    magnitude = np.exp(-distance / spread**2)
    attribution = Attribution(torch.zeros(3, *magnitude.shape), 50, 0.02, 1.0, 0)
    return Look(
        Subject(title, title, nn.Identity(), ""), picture, window, "lam", attribution, magnitude, 3.42, hr, 1, 0.1
    )
