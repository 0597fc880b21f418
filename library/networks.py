"""The library's functions over networks: thin covers of what the commands use, for plain modules.

A network keeps its device, its mode and its weights. What is counted, timed and scored is the form that is deployed,
where its parts can be merged (models/reparameterisation.py).
"""

import copy
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import PIL.Image
import torch
from numpy.typing import NDArray
from torch import nn

from safmn_bench.ablations.data.benchmarks import embedded_validation, open_benchmarks
from safmn_bench.ablations.data.preflight import notes_of
from safmn_bench.ablations.scoring.loading import built, load
from safmn_bench.ablations.scoring.score import evaluating, protocol_of, score
from safmn_bench.ablations.scoring.upscaling import upscale as upscaled
from safmn_bench.analysis.attribution.attribute import LAM_WINDOW, busiest_window, look, picture_of
from safmn_bench.analysis.attribution.objective import Window
from safmn_bench.analysis.networks import Subject, freeze
from safmn_bench.models.catalog import caveats_of
from safmn_bench.models.errors import UserError
from safmn_bench.models.names import find_candidate
from safmn_bench.models.reparameterisation import deployed
from safmn_bench.profiling.common.images import read_image
from safmn_bench.profiling.common.machine import hardware_name
from safmn_bench.profiling.common.options import SCALES, require_at_least
from safmn_bench.profiling.common.sample_images import photograph
from safmn_bench.profiling.counting.flops import count as counted
from safmn_bench.profiling.counting.flops import counted_at
from safmn_bench.profiling.timing.clock import spread, time_ms, warm_up
from safmn_bench.profiling.timing.interleaved import turns
from safmn_bench.results import Attribution, Count, Evaluation, Latency

File = str | PathLike[str]
Picture = File | PIL.Image.Image | NDArray[np.uint8]
"""A file, a PIL image, or uint8 (H, W, 3)."""
_PROBE = 64  # LR pixels a side: a multiple of what any known network needs


def create_model(name: str, scale: int = 4, weights: File | None = None) -> nn.Module:
    """The network that `name` means, in evaluation mode, with the weights of a file or fresh ones.

    `name`: as in every command, a variant, a network of the catalogue, a YAML file, FILE.py:Class, package.module:Class
    or spandrel:WEIGHTS. It takes RGB (B, 3, H, W) in [0, 1] and gives (B, 3, scale H, scale W), whatever the
    conventions of its code. Raises UserError for an unknown name or scale, and for weights that do not fit.
    """
    candidate = find_candidate(name)
    network = built(candidate, scale) if weights is None else load(candidate, scale, Path(weights)).network
    return network.eval()


def upscale(model: nn.Module, image: Picture, *, tile: int | None = None) -> PIL.Image.Image:
    """The image enlarged, RGB; rounded half up to 8 bits as scores are.

    `tile`: LR pixels per tile, a multiple of 8 (None: only what memory does not hold). Raises UserError for a file
    that cannot be read, and where the network's output is not finite.
    """
    rgb = torch.from_numpy(_rgb(image)).permute(2, 0, 1).contiguous()
    sr = upscaled(deployed(model), rgb, _scale_of(model), _device_of(model), tile)
    return PIL.Image.fromarray(sr.permute(1, 2, 0).contiguous().numpy())


def count(model: nn.Module, lr: tuple[int, int] = (320, 180)) -> Count:
    """Parameters, multiply-adds and activations of one pass over an LR image of `lr` pixels.

    Counted by fvcore as the efficient-SR literature does (320x180: HR 1280x720 at x4); networks of luma, and
    parameters that the literature leaves out, as complexity.py counts them. Raises UserError for a size that is none.
    """
    _require_size(lr)
    cost = counted(*counted_at(copy.deepcopy(model).cpu(), *lr))
    return Count(
        parameters=cost.params, macs=cost.flops, activations=cost.acts, lr=(lr[0], lr[1]), uncounted=cost.uncounted_ops
    )


def latency(model: nn.Module, lr: tuple[int, int] = (320, 180), *, runs: int = 50) -> Latency:
    """Time of one pass over a photograph of `lr` pixels (width, height), on the device that the network is on.

    Warm-up until the times are flat, then `runs` passes; float32 without TF32. Two calls one after another do not rank
    two networks, since a machine drifts: `safmn-bench compare` and `latency` time them in turns. Raises UserError for
    a size that is none, or no runs.
    """
    _require_size(lr)
    require_at_least(1, runs=runs)
    network, device = deployed(model), _device_of(model)
    rgb = photograph(lr[1], lr[0]).to(device)
    with evaluating(network):

        def once() -> float:
            return time_ms(lambda: network(rgb), device)

        warm = warm_up(once)
        found = spread([[once() for _ in range(size)] for size in turns(runs)])
    return Latency(
        median_ms=found.median_ms, p10_ms=found.p10_ms, p90_ms=found.p90_ms, runs=found.runs, warm=warm.flat,
        interval_ms=(found.ci_low_ms, found.ci_high_ms), lr=(lr[0], lr[1]), hardware=hardware_name(device),
    )  # fmt: skip


def evaluate(model: nn.Module, benchmarks: File | Sequence[File] = (), *, tile: int | None = None) -> Evaluation:
    """PSNR and SSIM of luma on folders of HR images (and LR_bicubic/X4), as evaluate.py scores them.

    `benchmarks`: one folder or several; none: the photographs inside scikit-image. Raises UserError for folders that
    are no benchmarks, and where the network's output is not finite.
    """
    folders = [benchmarks] if isinstance(benchmarks, str | PathLike) else list(benchmarks)
    scale, device = _scale_of(model), _device_of(model)
    if scale not in SCALES:
        raise UserError(f"The network enlarges by {scale}, and is scored at {', '.join(map(str, SCALES))}.")
    opened = open_benchmarks([Path(folder) for folder in folders], scale) or [embedded_validation(scale)]
    protocol = protocol_of(opened, scale)
    network = deployed(model)
    scores = tuple(score(network, benchmark, protocol, device, tile=tile) for benchmark in opened)
    notes = [*(note for one in scores for note in one.notes), *notes_of(opened), *caveats_of(model)]
    return Evaluation(scores=scores, protocol=protocol.text, notes=tuple(notes))


def attribute(
    model: nn.Module, image: Picture, window: tuple[int, int, int] | None = None, *, steps: int = 50
) -> Attribution:
    """What the network looks at when it makes a window of SR: the local attribution map, and its diffusion index.

    `image` is HR, and LR is made of it by Pillow's bicubic, as the authors of LAM do (Gu and Dong, CVPR 2021).
    `window`: x, y and size in SR pixels; None takes the window of 16 pixels with most detail. Raises UserError for a
    window that leaves the image, and for weights that are broken.
    """
    require_at_least(1, steps=steps)
    network = freeze(copy.deepcopy(model))
    called = Path(image).name if isinstance(image, str | PathLike) else "the image"
    picture = picture_of(called, _rgb(image), _scale_of(model))
    place = Window(window[0], window[1], window[2]) if window else busiest_window(picture, LAM_WINDOW)
    place.require_inside(picture.hr.shape[0], picture.hr.shape[1], picture.name)
    name = type(model).__name__
    found = look(Subject(name, name, network, ""), picture, place, method="lam", steps=steps, device=_device_of(model))
    return Attribution(
        di=found.di, magnitude=found.magnitude, window=(place.x, place.y, place.size),
        completeness_gap=found.attribution.completeness_gap, look=found,
    )  # fmt: skip


def _rgb(image: Picture) -> NDArray[np.uint8]:
    """Uint8 (H, W, 3). Raises UserError for what is no such picture."""
    if isinstance(image, str | PathLike):
        return read_image(Path(image)).rgb.permute(1, 2, 0).numpy()
    array = np.array(image.convert("RGB")) if isinstance(image, PIL.Image.Image) else np.asarray(image)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise UserError(
            f"The image is {array.dtype} of shape {array.shape}. Allowed: a file, a PIL image, or uint8 (H, W, 3)."
        )
    return np.ascontiguousarray(array)


def _device_of(model: nn.Module) -> torch.device:
    tensor = next(iter((*model.parameters(), *model.buffers())), torch.zeros(()))
    return tensor.device


def _scale_of(model: nn.Module) -> int:
    """What it says itself, else what a small image shows. Raises UserError where SR is no multiple of LR."""
    if isinstance(scale := getattr(model, "scale", None), int):
        return scale
    with evaluating(model):
        sr = model(torch.zeros(1, 3, _PROBE, _PROBE, device=_device_of(model)))
    shape = tuple(getattr(sr, "shape", ()))
    if len(shape) != 4 or shape[1] != 3 or shape[2] != shape[3] or shape[3] % _PROBE:
        raise UserError(
            f"The network makes {shape or type(sr).__name__} of 1x3x{_PROBE}x{_PROBE}, where (1, 3, scale H, scale W) "
            "is expected. Other conventions: create_model('FILE.py:Class')."
        )
    return shape[3] // _PROBE


def _require_size(lr: tuple[int, int]) -> None:
    if len(lr) != 2 or not all(isinstance(side, int) and side > 0 for side in lr):
        raise UserError(f"lr={lr!r} is not a size: give LR pixels as (width, height), such as (320, 180).")
