"""Attributions of several networks on several windows of several images: rows, their summary, and panels."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import torch

from safmn_bench.analysis.attribution.diffusion_index import Map, diffusion_index, magnitude_map
from safmn_bench.analysis.attribution.local_attribution import require_size
from safmn_bench.analysis.attribution.objective import Window, WindowDetail
from safmn_bench.analysis.attribution.window_attribution import Attribution, attribute
from safmn_bench.analysis.networks import Subject
from safmn_bench.models.errors import UserError, printable
from safmn_bench.profiling.common.devices import full_precision
from safmn_bench.profiling.common.images import read_image
from safmn_bench.profiling.common.memory import free_bytes
from safmn_bench.profiling.common.sample_images import embedded_paths

COLUMNS = (
    *("model", "scale", "weights", "method", "image", "hr_width", "hr_height", "window_x", "window_y", "window_size"),
    *("steps", "di", "completeness_gap", "objective", "undefined_gradients", "step_batch", "seconds"),
)
SUMMARY_COLUMNS = (
    *("model", "scale", "method", "steps", "maps", "without_di", "images", "di_mean", "di_sd", "di_min", "di_max"),
    *("mean_abs_completeness_gap",),
)


@dataclass(frozen=True)
class Picture:
    """One image: HR uint8 (scale h, scale w, 3), and the LR made of it, uint8 (h, w, 3)."""

    name: str
    hr: np.ndarray
    lr: np.ndarray
    scale: int

    def tensor(self, device: torch.device) -> torch.Tensor:
        """LR float32 (1, 3, h, w) in [0, 1]."""
        return torch.from_numpy(self.lr).to(device).permute(2, 0, 1).unsqueeze(0).float() / 255


@dataclass(frozen=True)
class Look:
    """One network on one window: what figures need and what the CSV says."""

    subject: Subject
    picture: Picture
    window: Window
    method: str
    attribution: Attribution
    magnitude: Map
    """M, (h, w) in [0, 1]."""
    di: float | None
    sr: np.ndarray
    """uint8 (H, W, 3)."""
    step_batch: int
    seconds: float

    def row(self) -> dict[str, Any]:
        """One line of lam.csv; figures are not rounded, `hr_*` are after cropping to a multiple of the scale."""
        height, width = self.picture.hr.shape[:2]
        return {
            "model": self.subject.name, "scale": self.picture.scale, "weights": self.subject.weights,
            "method": self.method, "image": self.picture.name, "hr_width": width, "hr_height": height,
            "window_x": self.window.x, "window_y": self.window.y, "window_size": self.window.size,
            "steps": self.attribution.steps, "di": self.di, "completeness_gap": self.attribution.completeness_gap,
            "objective": self.attribution.objective, "undefined_gradients": self.attribution.undefined_gradients,
            "step_batch": self.step_batch, "seconds": round(self.seconds, 3),
        }  # fmt: skip


def read_picture(path: Path, scale: int) -> Picture:
    """HR cropped right and bottom to a multiple of the scale; LR by Pillow's bicubic on uint8, as the authors do.

    Not MATLAB's bicubic, which scores are made with: an attribution is compared with other attributions. Raises
    UserError where the file cannot be read or is too small.
    """
    return picture_of(path.name, read_image(path).rgb.permute(1, 2, 0).numpy(), scale)


def picture_of(name: str, hr: np.ndarray, scale: int) -> Picture:
    """The picture of HR uint8 (H, W, 3). Raises UserError where it is too small."""
    height, width = hr.shape[0] // scale, hr.shape[1] // scale
    require_size(height, width, name)
    cropped = np.ascontiguousarray(hr[: height * scale, : width * scale])
    lr = PIL.Image.fromarray(cropped).resize((width, height), PIL.Image.Resampling.BICUBIC)
    return Picture(name, cropped, np.array(lr), scale)


def grid_windows(picture: Picture, across: int, size: int) -> list[Window]:
    """Across x across windows, spread evenly. Raises UserError where one does not fit."""
    height, width = picture.hr.shape[:2]
    windows = []
    for row in range(across):
        for column in range(across):
            x, y = ((2 * i + 1) * side // (2 * across) - size // 2 for i, side in ((column, width), (row, height)))
            windows.append(Window(x, y, size))
            windows[-1].require_inside(height, width, picture.name)
    return windows


def look(
    subject: Subject,
    picture: Picture,
    window: Window,
    *,
    method: str,
    steps: int,
    device: torch.device,
    step_batch: int | None = None,
    advance: Callable[[int], object] = lambda steps: None,
) -> Look:
    """Attribute one window; `step_batch` None lets the free memory decide. Raises UserError for broken weights."""
    lr = picture.tensor(device)
    started = time.perf_counter()
    with full_precision():
        with torch.no_grad():
            # NaN has no byte; that the weights are broken is told by `attribute`
            sr = subject.network(lr)[0].mul(255).round().clamp(0, 255).nan_to_num(0).byte().permute(1, 2, 0).cpu()
        batch = step_batch or choose_step_batch(WindowDetail(subject.network), lr, window, steps)
        try:
            attribution = attribute(
                subject.network, lr, window, method=method, steps=steps, batch=batch, advance=advance
            )  # fmt: skip
        except UserError as error:
            raise UserError(f"{subject.title} on {picture.name}, window {window}: {error}") from error
    magnitude = magnitude_map(attribution.values.numpy())
    seconds = time.perf_counter() - started
    return Look(
        subject, picture, window, method, attribution, magnitude, diffusion_index(magnitude), sr.numpy(), batch, seconds
    )


def summary(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """A line per model: mean and spread (sample standard deviation) of the DI over images and windows."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["model"], row["weights"]), []).append(row)
    return [_summary_row(group) for group in groups.values()]


def _summary_row(group: Sequence[dict[str, Any]]) -> dict[str, Any]:
    values = [row["di"] for row in group if row["di"] is not None]
    gaps = [abs(row["completeness_gap"]) for row in group if row["completeness_gap"] is not None]
    return {
        **{key: group[0][key] for key in ("model", "scale", "method", "steps")},
        "maps": len(group),
        "without_di": len(group) - len(values),
        "images": len({row["image"] for row in group}),
        "di_mean": math.fsum(values) / len(values) if values else None,
        "di_sd": statistics.stdev(values) if len(values) > 1 else None,
        "di_min": min(values, default=None),
        "di_max": max(values, default=None),
        "mean_abs_completeness_gap": math.fsum(gaps) / len(gaps) if gaps else None,
    }


LAM_SIDE = 256  # HR pixels of the attributed picture
LAM_WINDOW = 16


def middle_of(image: Path, scale: int) -> Picture:
    """The middle LAM_SIDE x LAM_SIDE HR pixels of an image, where it is as large."""
    hr = read_image(image).rgb.permute(1, 2, 0).numpy()
    top, left = (max(0, side - LAM_SIDE) // 2 for side in hr.shape[:2])
    return picture_of(printable(image.name), hr[top : top + LAM_SIDE, left : left + LAM_SIDE], scale)


def busiest_window(picture: Picture, size: int) -> Window:
    """Of the windows side by side all over the HR image, the one with most detail, by the attribution's own measure."""
    detail, hr = WindowDetail(torch.nn.Identity()), torch.from_numpy(picture.hr).permute(2, 0, 1).unsqueeze(0) / 255
    height, width = picture.hr.shape[:2]
    corners = [(x, y) for y in range(0, height - size, size) for x in range(0, width - size, size)]
    windows = [Window(x, y, size) for x, y in corners] or [Window(0, 0, min(height, width) - 1)]
    with torch.no_grad():
        return max(windows, key=lambda window: float(detail(hr, window)))


PHOTOGRAPHS = ("chelsea.png", "astronaut.png", "coffee.png")
STUDY_GRIDS = (1, 2)
"""Of a study's places: with the busiest, up to six windows of each photograph."""


def embedded_places(scale: int, grids: Sequence[int] = (1,)) -> list[tuple[Picture, Window]]:
    """In the middle of photographs that anybody may show: the window with most detail, and those of grids.

    A grid of 1 is the window at the centre, one of 2 has two by two.
    """
    places = []
    for picture in (middle_of(path, scale) for path in embedded_paths(PHOTOGRAPHS)):
        evenly = [window for across in grids for window in grid_windows(picture, across, LAM_WINDOW)]
        windows = [busiest_window(picture, LAM_WINDOW), *evenly]
        places += [(picture, window) for window in dict.fromkeys(windows)]
    return places


_SHARE = 0.4  # of the free memory: others use the machine too
_WORKSPACE = 2.0  # gradients and scratch beside what is saved
_CPU_BYTES = 2**28  # beyond it a processor gains nothing (measured), and fresh memory costs more than it brings


def step_bytes(detail: WindowDetail, lr: torch.Tensor, window: Window) -> int:
    """Bytes that the gradient of one path step keeps, each storage counted once; LR is (1, 3, h, w)."""
    storages: dict[int, int] = {}
    kept: list[torch.Tensor] = []  # alive until the end, lest an address be used twice

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        detail(lr.detach().clone().requires_grad_(), window)
    weights = {p.untyped_storage().data_ptr() for p in detail.network.parameters()}
    return sum(size for address, size in storages.items() if address not in weights)


def choose_step_batch(detail: WindowDetail, lr: torch.Tensor, window: Window, steps: int) -> int:
    """Between 1 and `steps`, by the memory free on LR's device."""
    room = _SHARE * free_bytes(lr.device) / _WORKSPACE
    if lr.device.type == "cpu":
        room = min(room, _CPU_BYTES)
    return max(1, min(steps, int(room / max(1, step_bytes(detail, lr, window)))))
