"""Small photographs and a small variant, for tests that train."""

from pathlib import Path

import numpy as np
import PIL.Image
import pytest


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth random colour pictures of 64x80 pixels: three in train/, two in score/."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for name in ("train/0", "train/1", "train/2", "score/0", "score/1"):
        small = PIL.Image.fromarray(rng.integers(0, 256, (8, 10, 3), dtype=np.uint8))
        path = folder / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        small.resize((80, 64), PIL.Image.Resampling.BICUBIC).save(path)
    return folder


@pytest.fixture(scope="module")
def small_variant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A variant with one block, so that a test takes seconds."""
    path = tmp_path_factory.mktemp("variants") / "one_block.yaml"
    path.write_text("model: {n_blocks: 1, dim: 8}\n")
    return path
