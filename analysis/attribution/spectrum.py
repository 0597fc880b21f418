"""Radial power spectra: of what a network's layers hold, and of what is missing in its output.

The power at a frequency is the mean of |DFT|^2 over all directions, so that white noise of variance s^2 has the power
s^2 at each. A Hann window keeps the borders, where a picture does not continue periodically, from showing as edges.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from scipy import special
from torch import nn

_CORRELATED = 1.5**2
"""Frequencies that a Hann window joins into one independent value: its noise bandwidth, 1.5 along each axis."""
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Spectrum:
    """Power by frequency; arrays of one length."""

    frequency: np.ndarray
    """Cycles per pixel, the middle of each ring, above 0 and up to 0.5."""
    power: np.ndarray
    values: np.ndarray
    """Independent values that each power is a mean of."""

    def interval(self, confidence: float = CONFIDENCE) -> tuple[np.ndarray, np.ndarray]:
        """Interval of each power for noise: a mean of n exponential values is a chi-squared one of 2 n degrees."""
        tail = (1 - confidence) / 2
        degrees = 2 * self.values
        low, high = (degrees / special.chdtri(degrees, upper) for upper in (tail, 1 - tail))
        return self.power * low, self.power * high


def radial_spectrum(planes: np.ndarray) -> Spectrum:
    """Of planes (C, H, W), each less its mean: the mean over planes and over rings of one frequency step."""
    planes = np.asarray(planes, dtype=np.float64)
    _, height, width = planes.shape
    window = np.hanning(height + 2)[1:-1, None] * np.hanning(width + 2)[None, 1:-1]
    planes = planes - planes.mean(axis=(1, 2), keepdims=True)
    power = np.abs(np.fft.fft2(planes * window)) ** 2 / np.square(window).sum()
    step = 1 / min(height, width)
    radius = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None, :])
    ring = np.round(radius / step).astype(int)
    rings = np.arange(2, int(0.5 / step) + 1)  # the window spreads the mean, which is gone, over the first
    inside = [ring == number for number in rings]
    return Spectrum(
        frequency=rings * step,
        power=np.array([power[:, mask].mean() for mask in inside]),
        # a real plane has each frequency twice
        values=np.array([len(planes) * mask.sum() / 2 / _CORRELATED for mask in inside]),
    )


def mean_spectrum(spectra: Sequence[Spectrum]) -> Spectrum:
    """The mean of spectra of one size. Raises ValueError for others."""
    if any(not np.array_equal(other.frequency, spectra[0].frequency) for other in spectra):
        raise ValueError("spectra of several sizes have no common frequencies")
    return Spectrum(
        frequency=spectra[0].frequency,
        power=np.mean([spectrum.power for spectrum in spectra], axis=0),
        values=np.sum([spectrum.values for spectrum in spectra], axis=0),
    )


def blocks_of(network: nn.Module) -> list[str]:
    """Names of the modules in the network's longest chain of modules alike, which are its blocks; none: no name."""
    chains: list[list[str]] = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Sequential | nn.ModuleList):
            kinds = [type(child) for child in module]
            alike = [
                f"{name}.{i}".lstrip(".") for i, kind in enumerate(kinds) if any(True for _ in module[i].children())
            ]
            if len(set(kinds)) == 1 and len(alike) == len(kinds):
                chains.append(alike)
    return max(chains, key=len, default=[])


@contextmanager
def held_by(network: nn.Module, names: Sequence[str]) -> Iterator[Callable[[], dict[str, np.ndarray]]]:
    """A function that gives what these modules put out in the last pass: name -> (C, H, W)."""
    outputs: dict[str, np.ndarray] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: object, output: object) -> None:
            if isinstance(output, torch.Tensor) and output.dim() == 4:
                outputs[name] = output.detach()[0].cpu().numpy()

        return hook

    hooks = [network.get_submodule(name).register_forward_hook(note(name)) for name in names]
    try:
        yield lambda: outputs
    finally:
        for handle in hooks:
            handle.remove()
