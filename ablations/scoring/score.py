"""Scores of networks and of plain bicubic on benchmarks, all by one protocol whose text is printed with them.

What enters a network is the uint8 LR image / 255; what leaves it is rounded half up to uint8 and clamped, as a saved
file would be, and compared with the uint8 HR image. Bicubic is MATLAB's `imresize` of the uint8 LR image.
"""

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from safmn_bench.ablations.data.benchmarks import Benchmark, Pair
from safmn_bench.ablations.data.pairs import MADE
from safmn_bench.ablations.metrics import Compared, Metric, finite_mean, metrics_in
from safmn_bench.ablations.scoring.options import GREY_CONVENTIONS
from safmn_bench.ablations.scoring.tiling import Tiling, enlarge_in_tiles, tiling_for
from safmn_bench.models.errors import UserError, match_name
from safmn_bench.models.peers.bicubic import Bicubic
from safmn_bench.models.resize import to_uint8
from safmn_bench.profiling.common.devices import full_precision


class NotFinite(UserError):
    """A network's output holds NaN or infinity: its weights are broken."""


LR = "LR by MATLAB-style bicubic"
_READ = re.compile(r" \(read from files: [^()]*\)")  # what `protocol_of` appends where that changes no pixel


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """Everything that decides a score but network and images."""

    scale: int
    grey: str = "luma"
    """A key of GREY_CONVENTIONS."""
    further: tuple[str, ...] = ()
    """Names of METRICS that are scored beside the standard ones."""
    lr: str = LR
    """Where LR comes from, in words: see `protocol_of`."""
    self_ensemble: bool = False
    """Whether SR is the mean over the eight orientations of LR: what papers mark with a "+"."""
    crop_multiple: int | None = None
    """HR is cropped to a multiple of it; None: of the scale."""

    def __post_init__(self) -> None:
        match_name("greyscale convention", self.grey, GREY_CONVENTIONS, "Choose one with --grey.")

    @property
    def border_px(self) -> int:
        """HR pixels cropped from each side before scoring."""
        return self.scale

    @property
    def metrics(self) -> list[Metric]:
        """The metrics of every image."""
        return metrics_in(self.further)

    @property
    def conventions(self) -> str:
        """Departures from the usual protocol, in words; such scores do not compare with others."""
        said = []
        if self.self_ensemble:
            said.append("self-ensemble")
        if self.crop_multiple not in (None, self.scale):
            said.append(f"HR cropped to a multiple of {self.crop_multiple}")
        return "; ".join(said)

    @property
    def text(self) -> str:
        """The protocol in one paragraph, for under a table."""
        further = "; ".join(metric.definition for metric in self.metrics if not metric.standard)
        ensemble = _ENSEMBLE if self.self_ensemble else ""
        return (
            f"Protocol x{self.scale}: PSNR (dB) and SSIM of luma (BT.601, 16-235, not rounded) of uint8 images, "
            f"{self.border_px} pixels cropped from each side, float64, mean over images; SSIM with an 11x11 Gaussian "
            f"of sigma 1.5, valid region; HR cropped to a multiple of {self.crop_multiple or self.scale}, {self.lr}; "
            f"{GREY_CONVENTIONS[self.grey]}{ensemble}." + (f"{_FURTHER}{further}." if further else "")
        )


_FURTHER = " Further: "
_ENSEMBLE = "; SR is the mean over the eight flips and rotations of LR (self-ensemble)"


class SelfEnsemble(nn.Module):
    """The mean of a network's outputs over the eight orientations of the image, each turned back.

    RGB (B, 3, H, W) to (B, 3, scale H, scale W), averaged before rounding (EDSR, Lim et al. 2017, Section 3.4).
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.train(network.training)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        outputs = []
        for turned in (rgb, rgb.flip(-1)):
            for quarters in range(4):
                sr = self.network(torch.rot90(turned, quarters, (-2, -1)).contiguous())
                sr = torch.rot90(sr, -quarters, (-2, -1))
                outputs.append(sr if turned is rgb else sr.flip(-1))
        return torch.stack(outputs).mean(dim=0)


def protocol_of(
    benchmarks: Sequence[Benchmark], scale: int, grey: str = "luma", further: tuple[str, ...] = ()
) -> Protocol:
    """The protocol of these benchmarks: its text says whose LR is read from files, and whose is not bicubic."""
    read = [benchmark.name for benchmark in benchmarks if benchmark.lr_origin != MADE]
    other = [benchmark.name for benchmark in benchmarks if any(not item.lr_is_bicubic for item in benchmark.items)]
    lr = f"LR of {', '.join(other)} as given (not bicubic), else by MATLAB-style bicubic" if other else LR
    lr += f" (read from files: {', '.join(read)})" if read else ""
    return Protocol(scale=scale, grey=grey, further=further, lr=lr)


def comparable(text: str) -> str:
    """A protocol's text without what changes no score that two runs share.

    That is the further metrics, and whether bicubic LR was read from files or made here.
    """
    return _READ.sub("", text.partition(_FURTHER)[0])


@dataclass(frozen=True)
class ImageScore:
    """One image; an image equal to its reference has an infinite PSNR. `score[metric]` is one of its values."""

    name: str
    values: Mapping[str, float]
    """Metric -> score, in the table's order."""

    def __getitem__(self, metric: str) -> float:
        return self.values[metric]


@dataclass(frozen=True)
class Scores:
    """One network on one benchmark; `scores[metric]` is the mean over images, the finite ones (metrics.finite_mean)."""

    dataset: str
    images: tuple[ImageScore, ...]
    notes: tuple[str, ...] = ()
    """Notes on these images, for under a table."""

    def __getitem__(self, metric: str) -> float:
        return finite_mean(image[metric] for image in self.images)

    @property
    def identical(self) -> int:
        """How many images are equal to their references, and have no finite PSNR."""
        return sum(not all(map(math.isfinite, image.values.values())) for image in self.images)

    @property
    def mean_of(self) -> str:
        """The images that the mean is of, in words."""
        if not self.identical:
            return f"mean of {len(self.images)}"
        return f"mean of {len(self.images) - self.identical} finite images; {self.identical} identical"

    @property
    def means(self) -> dict[str, float]:
        """Metric -> mean over images."""
        return {metric: self[metric] for metric in self.images[0].values}

    def to_dict(self) -> dict[str, Any]:
        """For record.json: means, and each image; an infinite one is null, since JSON has no infinity."""
        images = {image.name: _finite(image.values) for image in self.images}
        return {**_finite(self.means), "images": images}


Watch = Callable[[ImageScore, torch.Tensor], None]
"""Called with each image's scores as they come, and its SR, uint8 (3, H, W)."""


def score(
    network: nn.Module,
    benchmark: Benchmark,
    protocol: Protocol,
    device: torch.device,
    *,
    tile: int | None = None,
    watch: Watch | None = None,
) -> Scores:
    """Score a network, which is on `device`, in evaluation mode and in full float32 precision.

    `tile`: LR pixels per tile; None tiles only what does not fit in memory. Raises UserError where the network's
    output is not finite.
    """
    tiled: dict[str, Tiling] = {}
    if protocol.self_ensemble and not _is_8_bit(network):  # bicubic is the same in every orientation
        network = SelfEnsemble(network)

    def enlarge(pair: Pair) -> torch.Tensor:
        _, height, width = pair.lr.shape
        tiling = None if _is_8_bit(network) else tiling_for(network, height, width, device, tile)
        if tiling is not None:
            tiled[pair.name] = tiling
        return super_resolved(network, pair, device, tiling)

    with evaluating(network):
        images = _scored(benchmark, protocol, enlarge, watch)
    notes = tuple(f"{benchmark.name}/{name} was scored {tiling.text}." for name, tiling in tiled.items())
    return Scores(benchmark.name, images, notes)


def score_bicubic(benchmark: Benchmark, protocol: Protocol) -> Scores:
    """Score plain bicubic enlargement."""
    return score(Bicubic(scale=protocol.scale), benchmark, protocol, torch.device("cpu"))


def super_resolved(network: nn.Module, pair: Pair, device: torch.device, tiling: Tiling | None = None) -> torch.Tensor:
    """The network's SR of a pair's LR, uint8 (3, H, W), on `device`. Raises UserError where it is not finite."""
    return enlarged(network, pair.lr, pair.hr.shape[-1] // pair.lr.shape[-1], device, tiling, pair.name)


def enlarged(
    network: nn.Module, rgb: torch.Tensor, scale: int, device: torch.device, tiling: Tiling | None, name: str
) -> torch.Tensor:
    """SR uint8 (3, scale H, scale W), on `device`, of uint8 RGB (3, H, W). Raises UserError where it is not finite.

    A method that is defined on 8-bit images (`enlarge_uint8`) is asked for just that; `name` is the image's in errors.
    """
    if _is_8_bit(network):
        return network.enlarge_uint8(rgb).to(device)  # type: ignore[operator]
    lr = rgb.to(device).unsqueeze(0).float() / 255.0
    sr = enlarge_in_tiles(network, lr, scale, tiling) if tiling else network(lr)
    if not torch.isfinite(sr).all():
        raise NotFinite(
            f"The network's output for {name} is not finite: its weights are broken, as after a collapse. "
            "Score other weights."
        )
    return to_uint8(sr[0].float() * 255.0)


def _is_8_bit(network: nn.Module) -> bool:
    return hasattr(network, "enlarge_uint8")


@contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Evaluation mode, no gradients, float32 products without TF32; the network's mode is put back afterwards."""
    training = network.training
    network.eval()
    try:
        with torch.inference_mode(), full_precision():
            yield
    finally:
        network.train(training)


def _scored(
    benchmark: Benchmark, protocol: Protocol, enlarge: Callable[[Pair], torch.Tensor], watch: Watch | None
) -> tuple[ImageScore, ...]:
    if benchmark.scale != protocol.scale:
        raise ValueError(f"benchmark {benchmark.name} is at x{benchmark.scale}, the protocol at x{protocol.scale}")
    if (benchmark.crop_multiple or benchmark.scale) != (protocol.crop_multiple or protocol.scale):
        raise ValueError(f"benchmark {benchmark.name} is cropped to {benchmark.crop_multiple}, as the protocol is not")
    scored = []
    for pair in benchmark.pairs():
        sr = enlarge(pair)
        scored.append(image_score(pair, sr, protocol))
        if watch is not None:
            watch(scored[-1], sr)
    return tuple(scored)


def image_score(pair: Pair, sr: torch.Tensor, protocol: Protocol) -> ImageScore:
    """Score one SR image, uint8 (3, H, W), on the device that it is on."""
    grey_plane = pair.grey and protocol.grey == "plane"
    both = Compared(sr=sr, hr=pair.hr.to(sr.device), border_px=protocol.border_px, grey_plane=grey_plane)
    return ImageScore(pair.name, {metric.name: metric.function(both) for metric in protocol.metrics})


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    return {metric: value if math.isfinite(value) else None for metric, value in values.items()}
