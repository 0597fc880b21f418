"""From an attribution to what is shown: the map, its density, and the diffusion index (DI).

The DI is 100 (1 - Gini) over the whole LR map: 100 where every pixel counts the same, near 0 where few count for
all. It depends on the size of the image as well as on window and picture, so it compares networks on the same pixels
only.
"""

import numpy as np
from numpy.typing import NDArray

_LIFT = 1e-7  # added to every pixel before the Gini, as the authors' demo does
_PIXEL_VARIANCE = 1 / 12  # px^2, of a uniform distribution over one pixel

Map = NDArray[np.float64]


def magnitude_map(attribution: NDArray[np.floating]) -> Map:
    """M (h, w) in [0, 1] of a signed attribution (3, h, w): |sum over channels| / max; zero where all is zero."""
    total = np.abs(attribution.astype(np.float64).sum(axis=0))
    return total / top if (top := total.max()) > 0 else total


def diffusion_index(magnitude: Map) -> float | None:
    """DI in (0, 100] of a map M (h, w) in [0, 1]; None for a map of zeros, which attributes nothing."""
    if not magnitude.any():
        return None
    values = np.sort(magnitude.ravel() + _LIFT)
    n = values.size
    gini = ((2 * np.arange(1, n + 1) - n - 1) * values).sum() / (n * values.sum())
    return float(100 * (1 - gini))


def density(magnitude: Map) -> Map:
    """Gaussian kernel density of the pixel positions weighted by M (Scott's bandwidth), (h, w), divided by its maximum.

    On a grid the sum over all pairs of pixels is a convolution: seconds, where the sum takes hours at 256x256.
    """
    height, width = magnitude.shape
    from scipy.signal import fftconvolve  # brings scipy.stats: 0.3 s, that a study or a report without maps would pay

    if not magnitude.any():
        return magnitude
    inverse = np.linalg.inv(_bandwidth(magnitude))
    dy, dx = np.mgrid[1 - height : height, 1 - width : width]
    distance = inverse[0, 0] * dy**2 + 2 * inverse[0, 1] * dy * dx + inverse[1, 1] * dx**2
    spread = np.asarray(fftconvolve(magnitude, np.exp(-distance / 2)))
    grid = spread[height - 1 : 2 * height - 1, width - 1 : 2 * width - 1].clip(min=0)
    return (grid / grid.max()).astype(np.float64)


def _bandwidth(magnitude: Map) -> Map:
    """The kernel's covariance (2, 2) over (y, x) in px^2: that of the map, by Scott's rule for its effective number
    of pixels; a map on one line or point gets the width of a pixel.
    """
    positions = np.indices(magnitude.shape, dtype=np.float64).reshape(2, -1)
    weights = magnitude.ravel() / magnitude.sum()
    away = positions - (positions * weights).sum(axis=1, keepdims=True)
    concentration = (weights**2).sum()  # 1 / effective number of pixels
    covariance = (away * weights) @ away.T / max(1 - concentration, np.finfo(np.float64).eps)
    if np.linalg.det(covariance) < _PIXEL_VARIANCE**2 / 100:
        covariance += _PIXEL_VARIANCE * np.eye(2)
    return covariance * concentration ** (2 / 6)  # Scott: (number ** (-1 / (dimensions + 4))) ** 2
