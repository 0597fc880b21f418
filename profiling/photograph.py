"""A real photograph of any size, as the input of a timed network: the astronaut inside the scikit-image wheel."""

from importlib import resources

import numpy as np
import PIL.Image
import torch


def photograph(height: int, width: int) -> torch.Tensor:
    """RGB (1, 3, height, width) in [0, 1]: the middle of the photograph in the wanted shape, resized to it."""
    with resources.as_file(resources.files("skimage") / "data" / "astronaut.png") as path:
        picture = PIL.Image.open(path).convert("RGB")
    fit = min(picture.width / width, picture.height / height)
    left, top = (picture.width - fit * width) / 2, (picture.height - fit * height) / 2
    box = (left, top, left + fit * width, top + fit * height)
    resized = picture.resize((width, height), PIL.Image.Resampling.BICUBIC, box=box)
    return torch.from_numpy(np.array(resized)).permute(2, 0, 1)[None].float().contiguous() / 255
