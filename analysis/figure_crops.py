"""Figure 6: the HR image with a box, and that box from every method, PSNR and SSIM under each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from safmn_bench.analysis.crops import Crop, CropBox
from safmn_bench.analysis.figure_style import PAGE_INCHES, label

_BOX_COLOUR = "#D55E00"
_CAPTION_INCHES = 0.32
_GAP_INCHES = 0.07
_WIDEST_SHARE = 0.45  # of the page, for the whole image
_TEXT_POINTS = 6.5


@dataclass(frozen=True)
class Layout:
    """Places in inches from the upper left corner: (left, top, width, height) of the whole image and of each crop."""

    height: float
    """Of the figure; its width is a page's."""
    whole: tuple[float, float, float, float]
    crops: tuple[tuple[float, float, float, float], ...]


def layout(whole: float, crop: float, count: int) -> Layout:
    """The whole image on the left, as high as the rows of crops beside it where the page is wide enough for that.

    `whole` and `crop` are width over height. Up to six crops stand in two rows, more of them in three.
    """
    rows = 2 if count <= 6 else 3
    columns = math.ceil(count / rows)
    between = (rows - 1) * (_CAPTION_INCHES + _GAP_INCHES)
    room = PAGE_INCHES - columns * _GAP_INCHES
    crop_height = (room - whole * between) / (rows * whole + columns * crop)
    whole_width = whole * (rows * crop_height + between)
    if not 0 < whole_width <= _WIDEST_SHARE * PAGE_INCHES:
        whole_width = _WIDEST_SHARE * PAGE_INCHES
        crop_height = (room - whole_width) / columns / crop
    step = crop_height + _CAPTION_INCHES + _GAP_INCHES
    places = tuple(
        (whole_width + _GAP_INCHES + i % columns * (crop_height * crop + _GAP_INCHES), i // columns * step,
         crop_height * crop, crop_height)
        for i in range(count)
    )  # fmt: skip
    height = max(rows * step, whole_width / whole + _CAPTION_INCHES)
    return Layout(height, (0.0, 0.0, whole_width, whole_width / whole), places)


def draw(hr: torch.Tensor, box: CropBox, crops: Sequence[Crop], *, title: str) -> Figure:
    """The figure, 7 inches wide: `hr`, uint8 (3, H, W), with the box in it, and the crops."""
    places = layout(hr.shape[2] / hr.shape[1], box.width / box.height, len(crops))
    figure = Figure(figsize=(PAGE_INCHES, places.height))
    whole = _show(figure, places.whole, hr, label(title, 60))
    whole.add_patch(
        Rectangle((box.x - 0.5, box.y - 0.5), box.width, box.height, fill=False, edgecolor=_BOX_COLOUR, linewidth=1.2)
    )
    for place, one in zip(places.crops, crops, strict=True):
        _show(figure, place, one.rgb, caption(one))
    return figure


def caption(crop: Crop) -> str:
    """The method, and its PSNR [dB] / SSIM."""
    if crop.psnr_y_db is None or crop.ssim_y is None:
        return f"{label(crop.label, 24)}\nPSNR [dB] / SSIM"
    return f"{label(crop.label, 24)}\n{crop.psnr_y_db:.2f} / {crop.ssim_y:.4f}"


def _show(figure: Figure, place: tuple[float, float, float, float], rgb: torch.Tensor, text: str) -> Axes:
    left, top, width, height = place
    page_width, page_height = figure.get_size_inches()
    bottom = page_height - top - height
    axes = figure.add_axes((left / page_width, bottom / page_height, width / page_width, height / page_height))
    axes.imshow(rgb.permute(1, 2, 0).numpy(), interpolation="nearest")
    axes.set_axis_off()
    axes.text(0.5, -0.04 / height, text, transform=axes.transAxes, ha="center", va="top", fontsize=_TEXT_POINTS)
    return axes
