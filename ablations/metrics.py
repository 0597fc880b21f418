"""Metrics of an SR image: one table, `METRICS`, that records, tables, report and statistics walk over.

The command line lists them, so this module is light: torch is imported by the metric that scores.

To add a metric, add its row. An image equal to its reference has an infinite PSNR (`math.inf`); the mean of a set is
that of its finite images (`finite_mean`), and how many were left out is told with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from safmn_bench.models.errors import match_name

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The input of a metric: an SR image and its HR, uint8 (3, H, W), on one device."""

    sr: torch.Tensor
    hr: torch.Tensor
    border_px: int
    """Pixels that are left out along each side."""
    grey_plane: bool = False
    """Whether a greyscale image's plane, 0-255, stands for the luma: see scoring's GREY_CONVENTIONS."""

    @cached_property
    def luma(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Both images' luma, float64 (H, W), computed once for all metrics of it."""
        from safmn_bench.ablations.image_quality import full_plane, luma_plane

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
    """Its name for people where several stand side by side."""
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
    from safmn_bench.ablations.image_quality import psnr_db

    return psnr_db(*pair.luma, pair.border_px)


def _ssim_y(pair: Compared) -> float:
    from safmn_bench.ablations.image_quality import ssim

    return ssim(*pair.luma, pair.border_px)


def _psnr_rgb(pair: Compared) -> float:
    from safmn_bench.ablations.image_quality import psnr_db

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
"""The metric shown where there is room for one, and by which training keeps its best weights."""


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
    chosen = {match_name("metric", name, METRICS, "Name one or more after --metrics.") for name in names}
    return tuple(metric.name for metric in metrics_in(chosen) if not metric.standard)
