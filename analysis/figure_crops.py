"""Figure 6: the HR image with a box, and that box from every method, PSNR and SSIM under each."""

import math
from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from safmn_bench.analysis.crops import Crop, CropBox
from safmn_bench.analysis.figure_style import PAGE_INCHES, label

_BOX_COLOUR = "#D55E00"
_CAPTION_INCHES = 0.34


def draw(hr: torch.Tensor, box: CropBox, crops: Sequence[Crop], *, title: str) -> Figure:
    """The figure, 7 inches wide: `hr`, uint8 (3, H, W), on the left, the crops in two rows beside it."""
    columns = math.ceil(len(crops) / 2)
    whole = hr.shape[2] / hr.shape[1]  # width over height
    crop = box.width / box.height
    # Two rows of crops and their captions are as high as the whole image; all widths together fill the page.
    crop_inches = (PAGE_INCHES - whole * _CAPTION_INCHES) / (2 * whole + columns * crop) * 0.96
    height = 2 * (crop_inches + _CAPTION_INCHES) + 0.25
    figure = Figure(figsize=(PAGE_INCHES, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.02, h_pad=0.02, wspace=0.01, hspace=0.01)  # type: ignore[union-attr]
    left = (2 * crop_inches + _CAPTION_INCHES) * whole
    grid = figure.add_gridspec(2, columns + 1, width_ratios=[left, *[crop_inches * crop] * columns])
    whole_axes = figure.add_subplot(grid[:, 0])
    _show(whole_axes, hr, label(title, 60))
    whole_axes.add_patch(
        Rectangle((box.x - 0.5, box.y - 0.5), box.width, box.height, fill=False, edgecolor=_BOX_COLOUR, linewidth=1.2)
    )
    for index, one in enumerate(crops):
        _show(figure.add_subplot(grid[index // columns, index % columns + 1]), one.rgb, caption(one))
    return figure


def caption(crop: Crop) -> str:
    """The method, and its PSNR [dB] / SSIM."""
    if crop.psnr_y_db is None or crop.ssim_y is None:
        return f"{label(crop.label, 24)}\nPSNR [dB] / SSIM"
    return f"{label(crop.label, 24)}\n{crop.psnr_y_db:.2f} / {crop.ssim_y:.4f}"


def _show(axes: Axes, rgb: torch.Tensor, text: str) -> None:
    axes.imshow(rgb.permute(1, 2, 0).numpy(), interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_xlabel(text, fontsize=7)
