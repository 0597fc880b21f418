"""The usual way of feeding a network, kept as a measured reference: a DataLoader that decodes PNG files.

As the published training code does: every sample decodes a whole HR and LR file, cuts an aligned patch, flips and
rotates it, and becomes a float tensor; two worker processes, collated into batches.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from torch.utils.data import DataLoader, Dataset

from safmn_bench.ablations.data.pack import PackedSet
from safmn_bench.ablations.data.sampling import Batch
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.images import write_png


class PngPairs(Dataset[Batch]):
    """HR and LR PNG files in a folder; `length` samples, drawn anew each time."""

    def __init__(self, folder: Path, images: int, patch: int, scale: int, length: int) -> None:
        self.folder, self.images, self.patch, self.scale, self.length = folder, images, patch, scale, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Batch:
        rng = np.random.default_rng(index)
        image = index % self.images
        lr, hr = (np.asarray(PIL.Image.open(self.folder / f"{kind}{image}.png")) for kind in ("lr", "hr"))
        top, left = (int(rng.integers(side - self.patch + 1)) for side in lr.shape[:2])
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        return self._cut(lr, top, left, 1, turns, flip), self._cut(hr, top, left, self.scale, turns, flip)

    def _cut(self, image: np.ndarray, top: int, left: int, scale: int, turns: int, flip: bool) -> torch.Tensor:
        size = self.patch * scale
        patch = image[top * scale : top * scale + size, left * scale : left * scale + size]
        patch = np.rot90(patch[:, ::-1] if flip else patch, turns)
        return torch.from_numpy(patch.transpose(2, 0, 1).astype(np.float32) / 255.0)


def write_pngs(images: PackedSet, folder: Path) -> None:
    """Write every image of a pack as PNG files for `PngPairs`."""
    for i in range(len(images)):
        for kind, pixels in zip(("lr", "hr"), images.image(i), strict=True):
            write_png(folder / f"{kind}{i}.png", pixels)


def png_batches(images: PackedSet, folder: Path, *, patch: int, batch: int, batches: int) -> Iterator[Batch]:
    """`batches` batches through two worker processes. Raises UserError where they have no room to hand them over."""
    _require_shared_memory(_IN_FLIGHT * batch * (1 + images.scale**2) * 3 * 4 * patch**2)
    pairs = PngPairs(folder, len(images), patch, images.scale, batch * batches)
    loader = DataLoader(pairs, batch_size=batch, num_workers=2, shuffle=True, drop_last=True)
    return iter(loader)


_IN_FLIGHT = 6  # batches: two of each worker are ready, one is made
_SHM = Path("/dev/shm")


def _require_shared_memory(needed: int) -> None:
    free = shutil.disk_usage(_SHM).free if _SHM.is_dir() else needed
    if free < needed:
        raise UserError(
            f"{_SHM} has {free / 2**20:.1f} MiB free; the PNG loader hands over {needed / 2**20:.1f} MiB there. Give "
            "the container more (docker run --shm-size=1g), or choose a smaller train.batch or train.patch."
        )
