"""Convolutions at marked pixels only: the test-time form of SMSR's masked layers, for one image.

What is notable about it:
- a layer's channels are ordered dense first; dense channels are images, sparse ones are columns (channels, points),
  one column per marked pixel: what is not marked is neither stored nor computed;
- a 3x3 convolution at the points is nine matrix products, one per tap, over columns gathered from the padded image;
- dense from dense is an ordinary convolution; whatever else there is, is computed at the points.
"""

import torch
import torch.nn.functional as F
from torch import nn


def everywhere(image: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """A zero-padded convolution of the whole image (C, H, W) by (outputs, C, k, k); C and outputs may be 0."""
    if 0 in weight.shape[:2]:
        return image.new_zeros(len(weight), *image.shape[1:])
    return F.conv2d(image[None], weight, padding=weight.shape[-1] // 2)[0]


class Points:
    """The marked pixels of a mask (H, W), and where their neighbours are in an image padded by one pixel."""

    def __init__(self, mask: torch.Tensor) -> None:
        self.height, self.width = mask.shape
        self.rows, self.columns = mask.nonzero(as_tuple=True)

    def at(self, image: torch.Tensor) -> torch.Tensor:
        """The values of (C, H, W) at the points, (C, N)."""
        return image[:, self.rows, self.columns]

    def spread(self, values: torch.Tensor) -> torch.Tensor:
        """The image (C, H, W) that has `values` (C, N) at the points and zero elsewhere."""
        image = values.new_zeros(len(values), self.height, self.width)
        image[:, self.rows, self.columns] = values
        return image

    def add(self, image: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """`image` (C, H, W) plus `values` (C, N) at the points."""
        image = image.clone()
        image[:, self.rows, self.columns] = self.at(image) + values
        return image

    def convolve(self, image: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """A 3x3 zero-padded convolution of (C, H, W) by (outputs, C, 3, 3) at the points: (outputs, N)."""
        padded = F.pad(image, (1, 1, 1, 1))
        total = weight.new_zeros(len(weight), len(self.rows))
        for y in range(3):
            for x in range(3):
                total = total + weight[:, :, y, x] @ padded[:, self.rows + y, self.columns + x]
        return total


class SparseLayers:
    """3x3 convolutions in series whose channels are dense or sparse, and a 1x1 that collects their outputs.

    `weights`: (outputs, inputs, 3, 3) by layer, no biases, ReLU after each; `dense`: bool (channels, layers).
    """

    def __init__(self, weights: list[torch.Tensor], collect: nn.Conv2d, dense: torch.Tensor) -> None:
        self.weights, self.collect = weights, collect
        self.dense = [layer.nonzero()[:, 0] for layer in dense.T]
        self.sparse = [(~layer).nonzero()[:, 0] for layer in dense.T]

    def __call__(self, image: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """An image (C, H, W) and its mask, bool (H, W) to the collected (outputs, H, W)."""
        points = Points(mask)
        dense_before = image
        sparse_before: torch.Tensor | None = None  # the input is dense in all channels
        inputs = torch.arange(len(image), device=image.device)
        total = self._bias(image)
        for i, weight in enumerate(self.weights):
            from_dense = weight[:, inputs]
            dense_out = everywhere(dense_before, from_dense[self.dense[i]])
            sparse_out = points.convolve(dense_before, from_dense[self.sparse[i]])
            if sparse_before is not None:
                from_sparse = weight[:, self.sparse[i - 1]]
                both = points.convolve(sparse_before, from_sparse)
                dense_out = points.add(dense_out, both[self.dense[i]])
                sparse_out = sparse_out + both[self.sparse[i]]
            dense_out, sparse_out = torch.relu(dense_out), torch.relu(sparse_out)
            total = self._collected(total, i, points, dense_out, sparse_out)
            dense_before, sparse_before, inputs = dense_out, points.spread(sparse_out), self.dense[i]
        return total

    def _bias(self, image: torch.Tensor) -> torch.Tensor:
        """The collecting convolution of nothing: its bias, (outputs, H, W)."""
        bias = self.collect.bias
        assert bias is not None
        return bias[:, None, None].to(image.dtype).expand(-1, *image.shape[1:])

    def _collected(
        self, total: torch.Tensor, i: int, points: Points, dense_out: torch.Tensor, sparse_out: torch.Tensor
    ) -> torch.Tensor:
        """`total` plus what layer i's outputs, images and columns, add to it."""
        channels = len(self.dense[i]) + len(self.sparse[i])
        weight = self.collect.weight[:, i * channels : (i + 1) * channels]  # (outputs, channels, 1, 1)
        total = total + everywhere(dense_out, weight[:, self.dense[i]])
        return points.add(total, weight[:, self.sparse[i], 0, 0] @ sparse_out)
