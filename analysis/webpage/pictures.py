"""Pictures of the report: SR beside bicubic and HR, and attribution maps; where they are kept, `keep` says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from safmn_bench.ablations.data.layouts import ImageFiles
from safmn_bench.ablations.metrics import HEADLINE, METRICS, metrics_in
from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.ablations.scoring.score import ImageScore
from safmn_bench.analysis.attribution.attribute import (
    LAM_WINDOW,
    Look,
    busiest_window,
    look,
    middle_of,
)
from safmn_bench.analysis.attribution.figure import around, blended, density_view, map_view
from safmn_bench.analysis.attribution.objective import Window
from safmn_bench.analysis.networks import Subject, first_seeds, subject_of, why_unused
from safmn_bench.analysis.plots.visual_comparison import Crop, CropBox, crops_of
from safmn_bench.analysis.stats.groups import BASELINE
from safmn_bench.analysis.webpage.keeping import Keep, inside
from safmn_bench.models.errors import UserError, printable
from safmn_bench.models.variants import paper_order
from safmn_bench.profiling.common.images import image_size

MOST_NETWORKS = 8
WIDE, HIGH = 480, 360  # HR pixels of a compared picture at most: shown one to one, since scaling hides what differs
_RED = (227, 0, 15)


@dataclass(frozen=True)
class Layer:
    """One version of a picture."""

    name: str
    uri: str
    caption: str


@dataclass(frozen=True)
class Comparison:
    """One picture in several versions, all of width x height."""

    name: str
    width: int
    height: int
    layers: Sequence[Layer]
    left: int
    right: int
    """Which layers are shown at first."""


@dataclass(frozen=True)
class Attributed:
    """One network's column of Figure 2."""

    name: str
    index: str
    gap: str
    undefined: int
    map_uri: str
    density_uri: str
    crop_uri: str


@dataclass(frozen=True)
class LamPanels:
    """Attribution maps of networks in one window of one picture."""

    picture: str
    size: str
    window: str
    steps: int
    hr_uri: str
    lr_uri: str
    crop_uri: str
    networks: Sequence[Attributed]


def networks_of(runs: Sequence[tuple[RunFolder, Record]]) -> tuple[list[Subject], list[str]]:
    """The networks of a report, at most MOST_NETWORKS, in the paper's order; and who is left out, with the reason."""
    first = first_seeds(runs)
    shown: list[Subject] = []
    left_out: list[str] = []
    for name in sorted({record.variant for _, record in runs}, key=paper_order):
        mine = [run for run in runs if run[1].variant == name]
        if name not in first:
            if any(folder.weights.exists() for folder, _ in mine):
                left_out.append(printable(f"{name}: {why_unused(mine)}"))
        elif len(shown) == MOST_NETWORKS:
            left_out.append(f"{printable(name)}: only the first {MOST_NETWORKS} networks are shown.")
        else:
            try:
                shown.append(subject_of(*first[name]))
            except (UserError, TypeError) as error:
                left_out.append(printable(f"{name}: {error}"))
    return shown, left_out


def comparison(
    subjects: Sequence[Subject], item: ImageFiles, scale: int, device: torch.device, keep: Keep = inside
) -> Comparison:
    """The middle of one picture by bicubic, every network and HR; the whole picture is enlarged and scored."""
    height, width = (side // scale * scale for side in image_size(item.hr))
    h, w = min(height, HIGH), min(width, WIDE)
    box = CropBox((width - w) // 2, (height - h) // 2, w, h)
    networks = [(subject.title, subject.network.to(device)) for subject in subjects]
    _, (hr, *others) = crops_of(item.hr, box, networks, scale, device)
    layers = [Layer(crop.label, keep(_hwc(crop.rgb)), _scores(crop)) for crop in others]
    layers.append(Layer("HR", keep(_hwc(hr.rgb)), "the original"))
    return Comparison(printable(item.name), w, h, layers, *_first_sides(subjects, others))


def _first_sides(subjects: Sequence[Subject], crops: Sequence[Crop]) -> tuple[int, int]:
    """The baseline against the best variant; without a baseline bicubic, without a variant HR, which stands last."""
    names = ["bicubic", *(subject.name for subject in subjects)]
    left = names.index(BASELINE) if BASELINE in names else 0
    others = [i for i in range(1, len(names)) if i != left]
    best = max(others, key=lambda i: METRICS[HEADLINE].better * _score(crops[i])[HEADLINE], default=len(crops))
    return left, best


def _score(crop: Crop) -> ImageScore:
    assert crop.score is not None, "HR has none"
    return crop.score


def _scores(crop: Crop) -> str:
    score = _score(crop)
    shown = (f"{score[m.name]:.{m.digits.paper}f} {m.unit}".strip() + f" {m.label}" for m in metrics_in([]))
    return f"{', '.join(shown)} on the whole picture"


def lam_panels(
    subjects: Sequence[Subject],
    image: Path,
    scale: int,
    *,
    window: Window | None,
    steps: int,
    device: torch.device,
    step_batch: int | None = None,
    advance: Callable[[int], object] = lambda steps: None,
    keep: Keep = inside,
) -> LamPanels:
    """Figure 2 for the report's networks, on the middle of a picture; the window with most detail unless one is given.

    Raises UserError where the window leaves the picture or weights are broken.
    """
    picture = middle_of(image, scale)
    height, width = picture.hr.shape[:2]
    place = window or busiest_window(picture, LAM_WINDOW)
    place.require_inside(height, width, f"the middle of {picture.name}")
    looks = [
        look(
            Subject(subject.name, subject.title, subject.network.to(device), subject.weights), picture, place,
            method="lam", steps=steps, device=device, step_batch=step_batch, advance=advance,
        )
        for subject in subjects
    ]  # fmt: skip
    return LamPanels(
        picture=picture.name, size=f"{width}x{height}", window=str(place), steps=steps,
        hr_uri=keep(framed(picture.hr, place)), lr_uri=keep(picture.lr),
        crop_uri=keep(around(picture.hr, place)), networks=[_attributed(attributed, keep) for attributed in looks],
    )  # fmt: skip


def _attributed(attributed: Look, keep: Keep) -> Attributed:
    gap = attributed.attribution.completeness_gap
    return Attributed(
        name=attributed.subject.title,
        index="no attribution" if attributed.di is None else f"DI {attributed.di:.2f}",
        gap="–" if gap is None else f"{100 * gap:.1f} %",
        undefined=attributed.attribution.undefined_gradients,
        map_uri=keep(blended(map_view(attributed), attributed.picture)),
        density_uri=keep(blended(density_view(attributed), attributed.picture)),
        crop_uri=keep(around(attributed.sr, attributed.window)),
    )


def framed(rgb: np.ndarray, window: Window) -> np.ndarray:
    """A copy of uint8 (H, W, 3) with the window's frame in red, two pixels wide, just outside it."""
    marked = rgb.copy()
    top, left = max(0, window.y - 2), max(0, window.x - 2)
    bottom, right = window.y + window.size + 2, window.x + window.size + 2
    marked[top:bottom, left:right] = _RED
    inside = np.s_[window.y : window.y + window.size, window.x : window.x + window.size]
    marked[inside] = rgb[inside]
    return marked


def _hwc(rgb: torch.Tensor) -> np.ndarray:
    """Uint8 (3, H, W) to (H, W, 3)."""
    return rgb.permute(1, 2, 0).contiguous().numpy()
