"""Enlarging images that have no HR: transparency is kept, and what a file loses on the way is said."""

from pathlib import Path

import numpy as np
import PIL.Image
import torch
from torch import nn

from safmn_bench.ablations.scoring.score import enlarged, evaluating
from safmn_bench.ablations.scoring.tiling import tiling_for
from safmn_bench.models.errors import UserError
from safmn_bench.models.peers.bicubic import Bicubic
from safmn_bench.profiling.common.files import write_atomically
from safmn_bench.profiling.common.images import alpha_of, list_images, read_image


def upscale(
    network: nn.Module, rgb: torch.Tensor, scale: int, device: torch.device, tile: int | None = None
) -> torch.Tensor:
    """SR uint8 (3, scale H, scale W) on the CPU, of uint8 RGB (3, H, W); in tiles as asked, or where memory asks.

    Raises UserError where the network's output is not finite.
    """
    with evaluating(network):
        own_way = hasattr(network, "enlarge_uint8")
        tiling = None if own_way else tiling_for(network, rgb.shape[-2], rgb.shape[-1], device, tile)
        return enlarged(network, rgb, scale, device, tiling, "the image").cpu()


def upscale_file(
    network: nn.Module, source: Path, target: Path, scale: int, device: torch.device, tile: int | None = None
) -> list[str]:
    """Enlarge an image file into a PNG; returns what a user should know of it. Raises UserError naming a bad file."""
    if target.suffix.lower() != ".png":
        raise UserError(f"{target}: results are written as PNG; give a name that ends in .png.")
    image, alpha = read_image(source), alpha_of(source)
    sr = upscale(network, image.rgb, scale, device, tile)
    notes = [image.treatment] if image.treatment and alpha is None else []
    array = sr.permute(1, 2, 0).numpy()
    if alpha is not None:
        notes = ["transparency is enlarged by bicubic, colours over white by the network"]
        plane = upscale(Bicubic(scale=scale), alpha.expand(3, -1, -1), scale, torch.device("cpu"))[:1]
        array = np.concatenate([array, plane.permute(1, 2, 0).numpy()], axis=2)
    picture = PIL.Image.fromarray(np.ascontiguousarray(array))
    write_atomically(target, lambda handle: picture.save(handle, format="PNG"))
    return notes


def pairs_of(given: Path, output: Path) -> list[tuple[Path, Path]]:
    """Every image and where it goes. Raises UserError for a folder without images, and for files that would collide."""
    if not given.is_dir():
        return [(given, output / f"{given.stem}.png" if output.is_dir() else output)]
    images = list_images(given)
    if not images:
        raise UserError(f"{given} holds no images. Give an image file, or a folder of them.")
    if output.is_file():
        raise UserError(f"{output} is a file; for a folder of images give a folder.")
    targets: dict[Path, Path] = {}
    for image in images:
        target = output / f"{image.stem}.png"
        if (other := targets.get(target)) is not None:
            raise UserError(f"{other.name} and {image.name} would both become {target}. Rename one of them.")
        targets[target] = image
    return [(image, target) for target, image in targets.items()]
