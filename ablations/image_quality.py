"""PSNR and SSIM of planes and images, and the planes that the literature compares on.

The papers compare on the luma of uint8 images (BT.601 in the 16-235 range, not rounded), with `scale` pixels cropped
from each side because networks and bicubic differ there, in float64. RGB PSNR is about 1.5 dB lower and does not
compare; luma in the full 0-255 range is lower by exactly 20 log10(255 / 219) = 1.32 dB. That full range is what `plane`
gives: for a greyscale image it is the file's plane as it is.
"""

import math

import torch

from safmn_bench.models.keeping import kept

WINDOW = 11
SIGMA = 1.5
PEAK = 255.0
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
_LUMA = (65481, 128553, 24966)  # of R, G, B in [0, 1000]; they sum to 219,000
_BLOCK = 24  # rows filtered at a time
_WHOLE_PX = 4 * 2**20  # pixels beyond which SSIM is computed in strips: whole, it takes over 150 bytes for each


def luma_plane(rgb: torch.Tensor) -> torch.Tensor:
    """Y of a uint8 image (3, H, W): float64 (H, W) in [16, 235], not rounded."""
    return _weighted(rgb).div_(255_000).add_(16.0)  # 1000: the weights' thousandths; 255: uint8's white


def full_plane(rgb: torch.Tensor) -> torch.Tensor:
    """The grey plane of a uint8 image (3, H, W): float64 (H, W) in [0, 255]; of three equal planes, that plane."""
    return _weighted(rgb) / 219_000  # the weights' sum: of v, v, v it makes v


def _weighted(rgb: torch.Tensor) -> torch.Tensor:
    """65,481 R + 128,553 G + 24,966 B: float64 (H, W), summed exactly, in integers."""
    plane = rgb.new_empty(rgb.shape[1:], dtype=torch.float64)
    rows = max(1, _WHOLE_PX // rgb.shape[2])
    for part, into in zip(rgb.split(rows, 1), plane.split(rows), strict=True):
        red, green, blue = part.to(torch.int32)  # 219,000 x 255 is far below 2^31
        into.copy_(red * _LUMA[0] + green * _LUMA[1] + blue * _LUMA[2])
    return plane


def psnr_db(a: torch.Tensor, b: torch.Tensor, border_px: int) -> float:
    """PSNR of two planes (H, W), or images (3, H, W), on the 0-255 scale: 10 log10(255^2 / mean squared error), in dB.

    Of an image the error is the mean over all three channels, not the mean of three PSNRs.
    """
    a, b = _cropped(a, b, border_px, smallest=1)
    error = (a - b).square_().mean().item()
    return 10.0 * math.log10(PEAK**2 / error) if error else math.inf


def ssim(a: torch.Tensor, b: torch.Tensor, border_px: int) -> float:
    """SSIM of two planes (H, W) on the 0-255 scale (Wang et al. 2004, doi:10.1109/TIP.2003.819861).

    11x11 Gaussian window of sigma 1.5, its valid region only, population moments, K1 = 0.01, K2 = 0.03, as the
    authors' MATLAB code without its downsampling.
    """
    a, b = _cropped(a, b, border_px, smallest=WINDOW)
    height, width = a.shape
    if height * width <= _WHOLE_PX:
        return _ssim_map(a, b).mean().item()
    rows = max(WINDOW, _WHOLE_PX // width)  # strips share WINDOW - 1 rows: their maps lie beside each other
    starts = range(0, height - WINDOW + 1, rows)
    sums = [_ssim_map(a[at : at + rows + WINDOW - 1], b[at : at + rows + WINDOW - 1]).sum().item() for at in starts]
    return math.fsum(sums) / ((height - WINDOW + 1) * (width - WINDOW + 1))


def _ssim_map(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """SSIM in every whole window of two planes (H, W), float64: (H - 10, W - 10)."""
    moments = _windowed(torch.stack([a, b, a * a + b * b, a * b]))
    mean_a, mean_b, square, product = moments
    means = mean_a * mean_b
    mean_squares = mean_a.square_().add_(mean_b.square_())
    luminance = (2 * means + _C1) / (mean_squares + _C1)
    structure = (2 * (product - means) + _C2) / (square - mean_squares + _C2)
    return luminance * structure


def _cropped(a: torch.Tensor, b: torch.Tensor, border_px: int, smallest: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Both planes (H, W), or images (3, H, W), without their borders, in float64."""
    if a.shape != b.shape:
        raise ValueError(f"the images differ in size: {tuple(a.shape)} and {tuple(b.shape)}")
    height, width = a.shape[-2:]
    if min(height, width) - 2 * border_px < smallest:
        raise ValueError(f"{height}x{width} pixels leave less than {smallest} within a border of {border_px}")
    inside = (..., slice(border_px, height - border_px), slice(border_px, width - border_px))
    return a[inside].to(torch.float64), b[inside].to(torch.float64)


def _windowed(planes: torch.Tensor) -> torch.Tensor:
    """Gaussian means of float64 (N, H, W) over every whole window: (N, H - 10, W - 10)."""
    return _filter_rows(_filter_rows(planes).mT).mT


def _filter_rows(planes: torch.Tensor) -> torch.Tensor:
    """The window's mean along H: blocks of rows times a small banded matrix, several times faster than conv2d here."""
    height = planes.shape[-2]
    valid = height - WINDOW + 1
    blocks = -(-valid // _BLOCK)
    padded = torch.nn.functional.pad(planes, (0, 0, 0, blocks * _BLOCK + WINDOW - 1 - height))
    windows = padded.unfold(-2, _BLOCK + WINDOW - 1, _BLOCK)  # (N, blocks, W, _BLOCK + 10)
    return (_band(planes.device) @ windows.mT).flatten(-3, -2)[..., :valid, :]


@kept(8)
def _band(device: torch.device) -> torch.Tensor:
    """(_BLOCK, _BLOCK + 10): row i holds the Gaussian from column i on."""
    position = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    gauss = torch.exp(-position.square() / (2 * SIGMA**2))
    gauss = gauss / gauss.sum()
    band = torch.zeros(_BLOCK, _BLOCK + WINDOW - 1, dtype=torch.float64)
    for k in range(WINDOW):
        band.diagonal(k)[:_BLOCK] = gauss[k]
    return band.to(device)
