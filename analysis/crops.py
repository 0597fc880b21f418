"""What Figure 6 shows: one image, enlarged by several networks, and a box of it from each."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from safmn_bench.ablations.benchmarks import Pair, read_pair
from safmn_bench.ablations.images import image_size
from safmn_bench.ablations.layouts import ImageFiles
from safmn_bench.ablations.scoring import Protocol, evaluating, image_score, super_resolved
from safmn_bench.ablations.tiling import tiling_for
from safmn_bench.models.bicubic import Bicubic
from safmn_bench.models.errors import UserError


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
    """One method's part of the image, uint8 (3, height, width), and its scores on the whole image."""

    label: str
    rgb: torch.Tensor
    psnr_y_db: float | None
    """None for HR itself."""
    ssim_y: float | None


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
    crops = [Crop("HR", box.of(pair.hr), None, None)]
    for label, network in [("bicubic", Bicubic(scale=scale)), *networks]:
        sr = _enlarged(network, pair, device)
        score = image_score(pair, sr, protocol)
        crops.append(Crop(label, box.of(sr).cpu(), score.psnr_y_db, score.ssim_y))
    return pair, crops


def _enlarged(network: nn.Module, pair: Pair, device: torch.device) -> torch.Tensor:
    if isinstance(network, Bicubic):
        return super_resolved(network, pair, device)
    with evaluating(network):
        _, height, width = pair.lr.shape
        return super_resolved(network, pair, device, tiling_for(network, height, width, device, None))
