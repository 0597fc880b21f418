"""Figure 6: the HR image with a box, and that box from every method, its scores under each."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from safmn_bench.ablations.data.benchmarks import Pair, read_pair
from safmn_bench.ablations.data.layouts import ImageFiles
from safmn_bench.ablations.metrics import metrics_in
from safmn_bench.ablations.scoring.score import ImageScore, Protocol, evaluating, image_score, super_resolved
from safmn_bench.ablations.scoring.tiling import tiling_for
from safmn_bench.analysis.plots.style import PAGE_INCHES, label, lines_within
from safmn_bench.models.errors import UserError
from safmn_bench.models.peers.bicubic import Bicubic
from safmn_bench.profiling.common.images import image_size


@dataclass(frozen=True)
class CropBox:
    """A part of the HR image, in pixels from its upper left corner."""

    x: int
    y: int
    width: int
    height: int

    def of(self, rgb: torch.Tensor) -> torch.Tensor:
        """That part of uint8 (3, H, W)."""
        return rgb[:, self.y : self.y + self.height, self.x : self.x + self.width]


@dataclass(frozen=True)
class Crop:
    """One method's part of the image, uint8 (3, height, width), and its score on the whole image."""

    label: str
    rgb: torch.Tensor
    score: ImageScore | None
    """None for HR itself."""


def require_box(box: CropBox, image: Path, scale: int) -> None:
    """Raise UserError unless the box has some size and lies within the image, cropped to a multiple of `scale`."""
    height, width = (side // scale * scale for side in image_size(image))
    if min(box.width, box.height) < 8 or box.x < 0 or box.y < 0:
        raise UserError(
            f"--box {box.x} {box.y} {box.width} {box.height}: give X and Y from 0 up, and 8 pixels or more."
        )
    if box.x + box.width > width or box.y + box.height > height:
        raise UserError(
            f"--box {box.x} {box.y} {box.width} {box.height} reaches beyond {image}, which is {width}x{height} pixels. "
            "X Y WIDTH HEIGHT are HR pixels from the upper left corner."
        )


def crops_of(
    image: Path, box: CropBox, networks: Sequence[tuple[str, nn.Module]], scale: int, device: torch.device
) -> tuple[Pair, list[Crop]]:
    """The pair that was made of `image`, and the crops: HR, bicubic, then each (label, network on `device`).

    LR is made from HR by MATLAB-style bicubic; scores are of the whole image by the usual protocol.
    """
    pair = read_pair(ImageFiles(image.stem, image), scale)
    protocol = Protocol(scale=scale)
    crops = [Crop("HR", box.of(pair.hr), None)]
    for name, network in [("bicubic", Bicubic(scale=scale)), *networks]:
        sr = _enlarged(network, pair, device)
        crops.append(Crop(name, box.of(sr).cpu(), image_score(pair, sr, protocol)))
    return pair, crops


def _enlarged(network: nn.Module, pair: Pair, device: torch.device) -> torch.Tensor:
    if isinstance(network, Bicubic):
        return super_resolved(network, pair, device)
    with evaluating(network):
        _, height, width = pair.lr.shape
        return super_resolved(network, pair, device, tiling_for(network, height, width, device, None))


_BOX_COLOUR = "#D55E00"
_NARROWEST_INCHES = 0.87  # a crop: the scores under it stand on one line
_MOST_LINES = 2  # of a name
_GAP_INCHES = 0.07
_WIDEST_SHARE = 0.45  # of the page, for the whole image
_TEXT_POINTS, _LINE_INCHES = 6.5, 0.11


@dataclass(frozen=True)
class Layout:
    """Places in inches from the upper left corner: (left, top, width, height) of the whole image and of each crop."""

    height: float
    """Of the figure; its width is a page's."""
    whole: tuple[float, float, float, float]
    crops: tuple[tuple[float, float, float, float], ...]


def layout(whole: float, crop: float, count: int, caption: float) -> Layout:
    """The whole image on the left, as high as the rows of crops beside it where the page is wide enough for that.

    `whole` and `crop` are width over height, `caption` the inches under a crop. Up to six crops stand in two rows,
    more in three; where they would be too narrow for their scores, the others go on below the whole image.
    """
    beside = _beside(whole, crop, count, caption)
    return beside if beside.crops[0][2] >= _NARROWEST_INCHES else _around(whole, crop, count, caption)


def _beside(whole: float, crop: float, count: int, caption: float) -> Layout:
    rows = 2 if count <= 6 else 3
    columns = math.ceil(count / rows)
    between = (rows - 1) * (caption + _GAP_INCHES)
    room = PAGE_INCHES - columns * _GAP_INCHES
    crop_height = (room - whole * between) / (rows * whole + columns * crop)
    whole_width = whole * (rows * crop_height + between)
    if not 0 < whole_width <= _WIDEST_SHARE * PAGE_INCHES:
        whole_width = _WIDEST_SHARE * PAGE_INCHES
        crop_height = (room - whole_width) / columns / crop
    step = crop_height + caption + _GAP_INCHES
    places = tuple(
        (whole_width + _GAP_INCHES + i % columns * (crop_height * crop + _GAP_INCHES), i // columns * step,
         crop_height * crop, crop_height)
        for i in range(count)
    )  # fmt: skip
    height = max(rows * step, whole_width / whole + caption)
    return Layout(height, (0.0, 0.0, whole_width, whole_width / whole), places)


_ACROSS, _LEFT = 7, 3  # crops side by side on a page, and how many of them the whole image takes the place of


def _around(whole: float, crop: float, count: int, caption: float) -> Layout:
    across = (PAGE_INCHES + _GAP_INCHES) / _ACROSS
    width, step = across - _GAP_INCHES, (across - _GAP_INCHES) / crop + caption + _GAP_INCHES
    whole_width = _LEFT * across - _GAP_INCHES
    rows_beside = math.ceil((whole_width / whole + caption) / step)
    free = [(row, column) for row in range(rows_beside) for column in range(_LEFT, _ACROSS)]
    below = ((rows_beside + i // _ACROSS, i % _ACROSS) for i in range(count))
    places = [*free, *below][:count]
    height = (max(rows_beside - 1, places[-1][0]) + 1) * step
    crops = tuple((column * across, row * step, width, width / crop) for row, column in places)
    return Layout(height, (0.0, 0.0, whole_width, whole_width / whole), crops)


def draw(hr: torch.Tensor, box: CropBox, crops: Sequence[Crop], *, title: str) -> Figure:
    """The figure, a page wide: `hr`, uint8 (3, H, W), with the box in it, and the crops."""
    lines = max(len(_name_lines(crop, _NARROWEST_INCHES)) for crop in crops)
    below = _GAP_INCHES + (lines + 1) * _LINE_INCHES
    places = layout(hr.shape[2] / hr.shape[1], box.width / box.height, len(crops), below)
    figure = Figure(figsize=(PAGE_INCHES, places.height))
    whole = _show(figure, places.whole, hr, label(title, 60))
    whole.add_patch(
        Rectangle((box.x - 0.5, box.y - 0.5), box.width, box.height, fill=False, edgecolor=_BOX_COLOUR, linewidth=1.2)
    )
    for place, crop in zip(places.crops, crops, strict=True):
        _show(figure, place, crop.rgb, caption(crop, place[2]))
    return figure


def caption(crop: Crop, inches: float) -> str:
    """The method in lines of a width, and its scores: PSNR [dB] / SSIM."""
    metrics, score = metrics_in([]), crop.score
    shown = [m.heading(m.title) if score is None else f"{score[m.name]:.{m.digits.paper}f}" for m in metrics]
    return "\n".join([*_name_lines(crop, inches), " / ".join(shown)])


def _name_lines(crop: Crop, inches: float) -> list[str]:
    return lines_within(label(crop.label), 72 * inches, _TEXT_POINTS, _MOST_LINES)


def _show(figure: Figure, place: tuple[float, float, float, float], rgb: torch.Tensor, text: str) -> Axes:
    left, top, width, height = place
    page_width, page_height = figure.get_size_inches()
    bottom = page_height - top - height
    axes = figure.add_axes((left / page_width, bottom / page_height, width / page_width, height / page_height))
    axes.imshow(rgb.permute(1, 2, 0).numpy(), interpolation="nearest")
    axes.set_axis_off()
    axes.text(0.5, -0.04 / height, text, transform=axes.transAxes, ha="center", va="top", fontsize=_TEXT_POINTS)
    return axes
