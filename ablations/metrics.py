"""What an SR image is scored by: one table, `METRICS`, that records, tables, report and statistics walk over.

The papers compare on the luma of uint8 images (BT.601 in the 16-235 range, not rounded), with `scale` pixels cropped
from each side because networks and bicubic differ there, in float64. RGB PSNR is about 1.5 dB lower and does not
compare; luma in the full 0-255 range is lower by exactly 20 log10(255 / 219) = 1.32 dB. That full range is what `plane`
gives: for a greyscale image it is the file's plane as it is.

To add a metric, add its row. An image equal to its reference has an infinite PSNR (`math.inf`); the mean of a set is
that of its finite images (`finite_mean`), and how many were left out is told with it.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch

from safmn_bench.models.constants import kept
from safmn_bench.models.errors import match_name

WINDOW = 11
SIGMA = 1.5
PEAK = 255.0
_C1, _C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2
_LUMA = (65481, 128553, 24966)  # of R, G, B in [0, 1000]; they sum to 219,000
_BLOCK = 24  # rows filtered at a time
_WHOLE_PX = 4 * 2**20  # pixels beyond which SSIM is computed in strips: whole, it takes over 150 bytes for each


def luma_plane(rgb: torch.Tensor) -> torch.Tensor:
    """Y of a uint8 image (3, H, W): float64 (H, W) in [16, 235], not rounded."""
    return _weighted(rgb).div_(255_000).add_(16.0)


def full_plane(rgb: torch.Tensor) -> torch.Tensor:
    """The grey plane of a uint8 image (3, H, W): float64 (H, W) in [0, 255]; of three equal planes, that plane."""
    return _weighted(rgb) / 219_000


def _weighted(rgb: torch.Tensor) -> torch.Tensor:
    """65,481 R + 128,553 G + 24,966 B: float64 (H, W), summed exactly, in integers."""
    plane = rgb.new_empty(rgb.shape[1:], dtype=torch.float64)
    rows = max(1, _WHOLE_PX // rgb.shape[2])
    for part, into in zip(rgb.split(rows, 1), plane.split(rows), strict=True):
        red, green, blue = part.to(torch.int32)
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


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a metric is given: an SR image and its HR, uint8 (3, H, W), on one device."""

    sr: torch.Tensor
    hr: torch.Tensor
    border_px: int
    """Pixels that are left out along each side."""
    grey_plane: bool = False
    """Whether a greyscale image's plane, 0-255, stands for the luma: see scoring's GREY_CONVENTIONS."""

    @cached_property
    def luma(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Both images' luma, float64 (H, W), computed once for all metrics of it."""
        plane = full_plane if self.grey_plane else luma_plane
        return plane(self.sr), plane(self.hr)


class Digits(NamedTuple):
    """Decimals that a score is shown with; files hold all of them."""

    paper: int
    """As papers print it: a run's summary, captions."""
    table: int
    """Means over seeds in Tables 1, 3 and 4."""
    report: int
    image: int
    """evaluate.py: two weight files, or two machines, differ late."""


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One way to score an image; the score of a benchmark is the mean over its images."""

    name: str
    """Its key in records and its column in CSV files, with the unit."""
    label: str
    """What people call it where several stand side by side."""
    title: str
    """The same in the paper's tables, where all figures are of luma."""
    field: str
    """Its name within the fields of Tables 1, 3 and 4."""
    unit: str = ""
    digits: Digits
    better: int
    """1 where more is better, -1 where less is."""
    function: Callable[[Compared], float]
    standard: bool = False
    """Scored without being asked for; its definition is in the first sentence of every protocol."""
    published: str = ""
    """How the paper's columns of it end (`DIV2K_val_psnr`); nothing where the paper has none."""
    definition: str = ""
    """For the protocol's text, unless it is a standard one."""

    def of(self, sr: torch.Tensor, hr: torch.Tensor, border_px: int) -> float:
        """The score of one uint8 image (3, H, W). Raises ValueError where the sizes differ or the border leaves less
        than the metric's window.
        """
        return self.function(Compared(sr=sr, hr=hr, border_px=border_px))

    def heading(self, name: str) -> str:
        """`name`, here the label or the title, with the unit: a column's header."""
        return f"{name} [{self.unit}]" if self.unit else name


def _psnr_y(pair: Compared) -> float:
    return psnr_db(*pair.luma, pair.border_px)


def _ssim_y(pair: Compared) -> float:
    return ssim(*pair.luma, pair.border_px)


def _psnr_rgb(pair: Compared) -> float:
    return psnr_db(pair.sr, pair.hr, pair.border_px)


_ROWS = (
    Metric(
        name="psnr_y_db", label="PSNR-Y", title="PSNR", field="psnr_db", unit="dB", digits=Digits(2, 3, 3, 4),
        better=1, function=_psnr_y, standard=True, published="psnr",
    ),
    Metric(
        name="ssim_y", label="SSIM-Y", title="SSIM", field="ssim", digits=Digits(4, 4, 5, 5),
        better=1, function=_ssim_y, standard=True, published="ssim",
    ),
    Metric(
        name="psnr_rgb_db", label="PSNR-RGB", title="PSNR-RGB", field="psnr_rgb_db", unit="dB",
        digits=Digits(2, 3, 3, 4), better=1, function=_psnr_rgb,
        definition="PSNR-RGB (dB) of the squared error over R, G and B together",
    ),
)  # fmt: skip

METRICS = {metric.name: metric for metric in _ROWS}
"""Every metric by name, in the order in which columns stand."""

HEADLINE = "psnr_y_db"
"""What is shown where there is room for one, and what training keeps its best weights by."""


def finite_mean(values: Iterable[float | None]) -> float:
    """Mean of the finite values; infinite where there is none. None, as records have it, is infinite too."""
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else math.inf


def metrics_in(names: Iterable[str]) -> list[Metric]:
    """The standard metrics, and those that `names` (a record's keys, say) hold, in the table's order."""
    asked = set(names)
    return [metric for metric in METRICS.values() if metric.standard or metric.name in asked]


def further_metrics(names: Iterable[str]) -> tuple[str, ...]:
    """The metrics of `names`, however spelled, beside the standard ones. Raises UserError for an unknown name."""
    found = {match_name("metric", name, METRICS, "Name one or more after --metrics.") for name in names}
    return tuple(metric.name for metric in metrics_in(found) if not metric.standard)
