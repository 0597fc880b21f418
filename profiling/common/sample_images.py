"""Photographs that every installation has: those inside the scikit-image wheel, split once and for all.

Two explicit lists without overlap. Both views of the motorcycle scene train; four photographs of different character
(a portrait, a man at work in grey, an animal, a still life), all stored without loss, are kept for validation.
Drawings, text, masks and test patterns of the same folder are not used. Licences: public domain, CC0 or CC BY; the
data/README.txt of the wheel says which. The portrait, in any size, is also the input of a timed network.
"""

import importlib.util
from importlib import resources
from pathlib import Path

import numpy as np
import PIL.Image
import torch

from safmn_bench.models.errors import UserError


def photograph(height: int, width: int) -> torch.Tensor:
    """RGB (1, 3, height, width) in [0, 1]: the middle of the photograph in the wanted shape, resized to it."""
    with resources.as_file(resources.files("skimage") / "data" / "astronaut.png") as path:
        picture = PIL.Image.open(path).convert("RGB")
    fit = min(picture.width / width, picture.height / height)
    left, top = (picture.width - fit * width) / 2, (picture.height - fit * height) / 2
    box = (left, top, left + fit * width, top + fit * height)
    resized = picture.resize((width, height), PIL.Image.Resampling.BICUBIC, box=box)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1)[None].float().contiguous() / 255


NAME = "embedded"
TRAINING = (
    "motorcycle_left.png",
    "motorcycle_right.png",
    "retina.jpg",
    "hubble_deep_field.jpg",
    "ihc.png",
    "rocket.jpg",
    "coins.png",
    "moon.png",
    "brick.png",
    "grass.png",
    "gravel.png",
)
VALIDATION = ("astronaut.png", "camera.png", "chelsea.png", "coffee.png")


def embedded_paths(names: tuple[str, ...]) -> list[Path]:
    """Where those files are installed; nothing is imported or downloaded. Raises UserError for a missing one."""
    spec = importlib.util.find_spec("skimage")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    advice = "Install scikit-image 0.25 or newer from its wheel (`make setup`), or give folders of your own."
    if not folders:
        raise UserError(f"The embedded photographs need scikit-image, which is not installed. {advice}")
    paths = [Path(folders[0]) / "data" / name for name in names]
    for path in paths:
        if not path.is_file():
            raise UserError(f"The embedded photograph {path.name} is not in {path.parent}. {advice}")
    return paths
