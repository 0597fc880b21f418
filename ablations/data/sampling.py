"""Training batches cut from packed images: aligned LR and HR patches, flipped and rotated, on the device.

What is notable about it:
- the draws of iteration i are a function of (seed, i) alone (a counter-based generator), so a resumed run goes on
  with the same samples without any state to restore, and processes that share a batch agree without talking;
- images stay uint8; a batch is one gather of whole pixels, with flips and rotations folded into the indices.
"""

from collections.abc import Iterator
from typing import Protocol

import numpy as np
import torch

from safmn_bench.ablations.recipe import TrainKeys
from safmn_bench.models.errors import UserError


class PackedImages(Protocol):
    """A packed set as the sampler reads it: pixels stored row by row, RGB interleaved, one image after another."""

    scale: int
    names: list[str]
    hr: np.ndarray
    """uint8, flat."""
    lr: np.ndarray
    hr_offset: np.ndarray
    """int64: where each image begins in `hr`, in bytes; a multiple of 3."""
    lr_offset: np.ndarray
    lr_height: np.ndarray
    lr_width: np.ndarray


Pixels = tuple[torch.Tensor, torch.Tensor]
"""LR and HR, uint8 (B, size, size, 3)."""
Batch = tuple[torch.Tensor, torch.Tensor]
"""LR and HR, float32 (B, 3, size, size) in [0, 1], channels-last."""

_ORDER, _CROPS = 0, 1  # streams of random numbers


def as_batch(pixels: Pixels) -> Batch:
    """A network's input from uint8 pixels, on the device that they are on."""
    lr, hr = (part.permute(0, 3, 1, 2).float() / 255.0 for part in pixels)
    return lr, hr


def _generator(seed: int, stream: int, position: int) -> np.random.Generator:
    """Random numbers that depend on (seed, stream, position) alone."""
    return np.random.Generator(np.random.Philox(key=[seed, stream], counter=[0, 0, position, 0]))


class PatchSampler:
    """Batches of LR (B, 3, patch, patch) and HR (B, 3, scale patch, scale patch), float32 in [0, 1], channels-last.

    With `world` processes, process `rank` gets its share of each global batch of `keys.batch` samples.
    Raises UserError when an image is smaller than the patch or the batch does not divide among the processes.
    """

    def __init__(
        self, images: PackedImages, keys: TrainKeys, *, seed: int, device: torch.device, rank: int = 0, world: int = 1
    ) -> None:
        if keys.batch % world:
            raise UserError(f"train.batch={keys.batch} does not divide among {world} processes; choose a multiple.")
        _require_room(images, keys.patch)
        self.images, self.keys, self.seed, self.device = images, keys, seed, device
        share = keys.batch // world
        self.share = slice(rank * share, (rank + 1) * share)
        self.lr_pixels = torch.from_numpy(np.asarray(images.lr)).view(-1, 3).to(device)
        self.hr_pixels = torch.from_numpy(np.asarray(images.hr)).view(-1, 3).to(device)
        area = images.lr_height.astype(np.float64) * images.lr_width
        self.area_ends = np.cumsum(area) / area.sum()
        self.epoch, self.order = -1, np.empty(0, np.int64)
        self.lr_places = torch.arange(keys.patch, device=device)
        self.hr_places = torch.arange(keys.patch * images.scale, device=device)

    def draw(self, iteration: int) -> np.ndarray:
        """Samples of one iteration for this process, int64 (B, 4): image, top, left (in LR pixels), orientation 0-7."""
        keys, images = self.keys, self.images
        # of the whole batch: which samples there are does not depend on how many processes share them
        uniform = _generator(self.seed, _CROPS, iteration).random((keys.batch, 4))
        if keys.sampling == "area":
            # clipped: the last end is a quotient of sums, and may round to just below a draw
            image = np.searchsorted(self.area_ends, uniform[:, 0], side="right").clip(max=len(self.area_ends) - 1)
        else:
            image = self._images_at(np.arange(iteration * keys.batch, (iteration + 1) * keys.batch))
        top = (uniform[:, 1] * (images.lr_height[image] - keys.patch + 1)).astype(np.int64)
        left = (uniform[:, 2] * (images.lr_width[image] - keys.patch + 1)).astype(np.int64)
        orientation = (uniform[:, 3] * 8).astype(np.int64) if keys.augment else np.zeros_like(top)
        return np.stack([image, top, left, orientation], axis=1)[self.share]

    def described(self, iteration: int) -> np.ndarray:
        """Where the patches of one iteration lie, int64 (6, B): `_strides` of LR, and of HR."""
        image, top, left, orientation = self.draw(iteration).T
        images, scale, size = self.images, self.images.scale, self.keys.patch
        # offsets are in bytes, and pixels, three of them, are gathered whole
        lr_start = images.lr_offset[image] // 3 + top * images.lr_width[image] + left
        hr_width = images.lr_width[image] * scale
        hr_start = images.hr_offset[image] // 3 + top * scale * hr_width + left * scale
        lr = _strides(lr_start, images.lr_width[image], orientation, size)
        return np.stack([*lr, *_strides(hr_start, hr_width, orientation, size * scale)])

    def gathered(self, described: torch.Tensor) -> Pixels:
        """The patches that `described`, on the device, tells of: LR and HR as uint8 (B, size, size, 3)."""
        lr = _gather(self.lr_pixels, described[:3], self.lr_places)
        return lr, _gather(self.hr_pixels, described[3:], self.hr_places)

    def pixels(self, iteration: int) -> Pixels:
        """LR and HR of one iteration as uint8 (B, size, size, 3)."""
        described = torch.from_numpy(self.described(iteration))
        if self.device.type == "cuda":
            described = described.pin_memory().to(self.device, non_blocking=True)
        return self.gathered(described)

    def batch(self, iteration: int) -> Batch:
        """LR and HR of one iteration, ready for the network."""
        return as_batch(self.pixels(iteration))

    def take(self, first: int, end: int) -> Iterator[Batch]:
        """The batches of iterations `first` to `end`."""
        for iteration in range(first, end):
            yield self.batch(iteration)

    def _images_at(self, positions: np.ndarray) -> np.ndarray:
        """The images of these samples of the run: every image once per epoch, in a new order each time."""
        epochs, places = np.divmod(positions, len(self.images.lr_height))
        image = np.empty_like(positions)
        for epoch in np.unique(epochs):
            image[epochs == epoch] = self._order(int(epoch))[places[epochs == epoch]]
        return image

    def _order(self, epoch: int) -> np.ndarray:
        """The order of all images in an epoch; that of the latest one is kept."""
        if epoch != self.epoch:
            self.epoch = epoch
            self.order = _generator(self.seed, _ORDER, epoch).permutation(len(self.images.lr_height))
        return self.order


def _strides(start: np.ndarray, width: np.ndarray, orientation: np.ndarray, size: int) -> tuple[np.ndarray, ...]:
    """The first pixel of each patch, and how far apart its rows and its columns are, each (B,), in pixels.

    `start` is the crop's upper left pixel, in images of row length `width`. Of an orientation bit 1 exchanges the axes,
    2 and 4 mirror them: together each of the 8 once.
    """
    down, across = np.where(orientation & 2, -width, width), np.where(orientation & 4, -1, 1)
    mirrored = np.where(orientation & 2, width, 0) + np.where(orientation & 4, 1, 0)
    first = start + (size - 1) * mirrored
    exchanged = orientation & 1 == 1
    return first, np.where(exchanged, across, down), np.where(exchanged, down, across)


def _gather(pixels: torch.Tensor, strides: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """Patches uint8 (B, size, size, 3); `strides` (3, B) as of `_strides`, `places` 0 to size - 1."""
    first, row, column = strides.unsqueeze(-1)  # (B, 1) each
    index = (first + row * places).unsqueeze(2) + (column * places).unsqueeze(1)  # (B, size, size)
    return pixels.index_select(0, index.flatten()).view(*index.shape, 3)


def _require_room(images: PackedImages, patch: int) -> None:
    smallest = np.minimum(images.lr_height, images.lr_width)
    if smallest.min() < patch:
        name = images.names[int(smallest.argmin())]
        raise UserError(
            f"Training image {name} has an LR side of {smallest.min()} pixels, smaller than train.patch={patch}. "
            f"Choose a smaller patch (--set train.patch={smallest.min()}) or leave the image out."
        )
