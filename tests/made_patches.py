"""Packed images whose pixels say where they are, for tests of samplers."""

from dataclasses import dataclass

import numpy as np
import torch

from safmn_bench.ablations.data.sampling import PatchSampler
from safmn_bench.ablations.recipe import load_recipe

SIZES = ((12, 20), (9, 8), (30, 11))  # LR height, width

KEYS = load_recipe("quick", overrides=["train.patch=8", "train.batch=6"]).train

CPU = torch.device("cpu")


@dataclass
class Images:
    """Packed images whose LR pixel (i, y, x) is (i, y, x) and whose HR pixels repeat it scale x scale times."""

    scale: int = 2

    def __post_init__(self) -> None:
        self.names = [f"{i}.png" for i in range(len(SIZES))]
        self.lr_height, self.lr_width = np.array(SIZES).T
        pictures = [np.stack(np.broadcast_arrays(i, *np.mgrid[:h, :w]), axis=-1) for i, (h, w) in enumerate(SIZES)]
        self.lr_offset = np.cumsum([0, *(3 * h * w for h, w in SIZES[:-1])])
        self.hr_offset = self.lr_offset * self.scale**2
        enlarged = [p.repeat(self.scale, 0).repeat(self.scale, 1) for p in pictures]
        self.lr = np.concatenate([p.ravel() for p in pictures]).astype(np.uint8)
        self.hr = np.concatenate([p.ravel() for p in enlarged]).astype(np.uint8)


def sampler(seed: int = 0, **options: int) -> PatchSampler:
    return PatchSampler(Images(), KEYS, seed=seed, device=CPU, **options)
