"""Bicubic resizing as MATLAB's `imresize`: the way every LR image of the super-resolution literature is made.

What is notable about it, against Pillow's or `torch.nn.functional.interpolate`'s:
- Keys' cubic with a = -0.5 (torch uses -0.75);
- when shrinking, the kernel is widened by the scale (antialiasing), so 4 x scale pixels meet in one output pixel;
- borders are symmetric: the edge pixel is repeated once, then its neighbour, and so on;
- height first, then width; for uint8 images the result of the first pass is itself rounded to uint8. Without that
  rounding 10-14 % of the pixels of the published Set5 LR files differ by one level; with it, none does.

An axis of length n becomes one of length m by two small matrices, `indices` and `weights`, both (taps, m), exact
in float64; the sum over taps runs on any device and is differentiable.
"""

import torch

from safmn_bench.models.keeping import kept


def cubic(x: torch.Tensor) -> torch.Tensor:
    """Keys' cubic convolution kernel, a = -0.5 (Keys 1981, eq. 15; MATLAB's `cubic`)."""
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1.0
    far = ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    return torch.where(x <= 1, near, torch.where(x <= 2, far, torch.zeros_like(x)))


def contributions(in_length: int, out_length: int, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices and weights of every tap that an output pixel can have, some of them zero everywhere; see `taps`.

    Source: MATLAB's `imresize`, function `contributions`. The lengths may be symbols of an export.
    """
    stretch = max(1.0, 1.0 / scale)  # the kernel widens only when shrinking
    width = 4.0 * stretch  # the cubic is zero from 2 on, to either side
    n_taps = int(-(-width // 1)) + 2  # as in MATLAB: more than can be needed, and what is over weighs nothing
    # the outer edges of both images coincide, not the centres of their corner pixels
    centre = (torch.arange(out_length, dtype=torch.float64) + 0.5) / scale - 0.5
    left = torch.floor(centre - width / 2)
    position = left + torch.arange(n_taps, dtype=torch.float64).unsqueeze(1)  # (taps, out_length)
    weights = cubic((centre - position) / stretch)
    weights = weights / weights.sum(dim=0, keepdim=True)
    period = torch.full((), 2 * in_length)  # of a symmetric extension; as a tensor, since ONNX takes no other symbol
    mirrored = torch.remainder(position.long(), period)
    return torch.minimum(mirrored, period - 1 - mirrored), weights


@kept(256)
def taps(in_length: int, out_length: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Indices (taps, out_length), int64, and weights of the same shape, float64, each column summing to 1.

    Taps that are zero everywhere are left out.
    """
    indices, weights = contributions(in_length, out_length, out_length / in_length)
    used = (weights != 0).any(dim=1)
    return indices[used], weights[used]


def _weighted_sum(x: torch.Tensor, axis: int, indices: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    indices, weights = indices.to(x.device), weights.to(x.device, x.dtype)
    shape = [1] * x.ndim
    shape[axis] = weights.shape[1]
    total = x.index_select(axis, indices[0]) * weights[0].view(shape)
    for index, weight in zip(indices[1:], weights[1:], strict=True):
        total = total + x.index_select(axis, index) * weight.view(shape)
    return total


def _resize_axis(x: torch.Tensor, axis: int, out_length: int) -> torch.Tensor:
    return _weighted_sum(x, axis, *taps(x.shape[axis], out_length))


def bicubic(x: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resize (..., H, W), floating point, to (..., height, width); nothing is rounded or clamped."""
    return _resize_axis(_resize_axis(x, x.ndim - 2, height), x.ndim - 1, width)


def bicubic_up(x: torch.Tensor, scale: int) -> torch.Tensor:
    """Enlarge (..., H, W) to (..., scale H, scale W); in an export that leaves H and W open, for any of them."""
    if any(isinstance(side, torch.SymInt) for side in x.shape[-2:]):
        for axis in (x.ndim - 2, x.ndim - 1):  # what depends on the size is part of the graph, not kept
            x = _weighted_sum(x, axis, *contributions(x.shape[axis], x.shape[axis] * scale, float(scale)))
        return x
    return bicubic(x, x.shape[-2] * scale, x.shape[-1] * scale)


_AT_ONCE = 2**24  # numbers in float64, 128 MiB; a few such tensors are alive together


def to_uint8(x: torch.Tensor) -> torch.Tensor:
    """Round [0, 255] floating point half up, as MATLAB's uint8(), and clamp."""
    return torch.floor(x + 0.5).clamp(0, 255).to(torch.uint8)


def bicubic_uint8(image: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resize a uint8 image (..., H, W) as `imresize(image, [height width])` does: float64, rounded after each axis."""
    tall = _resize_axis_uint8(image, image.ndim - 2, image.ndim - 1, height)
    return _resize_axis_uint8(tall, image.ndim - 1, image.ndim - 2, width)


def _resize_axis_uint8(image: torch.Tensor, axis: int, across: int, out_length: int) -> torch.Tensor:
    """One axis, a few lines `across` it at a time: they do not meet, and float64 takes eight times the memory."""
    line = image.numel() // image.shape[across] // image.shape[axis] * max(image.shape[axis], out_length)
    parts = image.split(max(1, _AT_ONCE // line), across)
    return torch.cat([to_uint8(_resize_axis(part.to(torch.float64), axis, out_length)) for part in parts], across)


def lr_from_hr(hr: torch.Tensor, scale: int) -> torch.Tensor:
    """LR (..., H / scale, W / scale) of a uint8 HR image (..., H, W), as `imresize(hr, 1/scale)` does.

    Raises ValueError when H or W is not a multiple of `scale`: crop the HR image first.
    """
    height, width = hr.shape[-2:]
    if height % scale or width % scale:
        raise ValueError(f"HR of {height}x{width} is not a multiple of scale {scale}; crop it first.")
    return bicubic_uint8(hr, height // scale, width // scale)
