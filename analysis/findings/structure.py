"""Does a difference grow where images repeat themselves? Those with most repeated structure against the rest.

Networks that look far are said to gain most on windows, tiles and fences, as Urban100 holds them. How much an image
repeats itself is measured here by the autocorrelation r of its detail (luma minus a Gaussian blur of 4 pixels),
normalised by the overlap at each shift: along a ray from the centre, r falls off, and rises again where the image
repeats. `repetition` is the highest rise, r(d) minus the least r on the way to d (or minus 0, where that is negative),
over all directions and up to 64 pixels: 1 for a sinusoid, near 0 for noise and for a single edge, whose r only falls.
Of the images of Set5, Set14 and B100, 302008 (stripes), ppt3 (letters), foreman, barbara and zebra have most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from safmn_bench.ablations.data.benchmarks import open_benchmarks
from safmn_bench.ablations.image_quality import luma_plane
from safmn_bench.ablations.judging.significance import Comparison, Scores
from safmn_bench.ablations.metrics import HEADLINE
from safmn_bench.analysis.findings.runs import SCALE, Study
from safmn_bench.analysis.stats.groups import BASELINE, judge_of
from safmn_bench.profiling.common.files import csv_rows_of, write_csv
from safmn_bench.profiling.common.provenance import is_of, write_sidecar

FILE = "structure.csv"
COLUMNS = ("dataset", "image", "repetition")
SHARE = 0.25
"""Of the images, those with most repeated structure, that are held against the rest."""
_BLUR, _REACH, _RAYS = 4.0, 64, 60  # pixels, pixels, directions over half a turn: r(-d) is r(d)
_DIGITS = 4  # another processor's sums differ far behind
Rows = list[dict[str, str]]


def repetition(luma: np.ndarray) -> float:
    """How much a plane (H, W) repeats itself: the highest rise of its detail's autocorrelation, 0 to 1."""
    reach = min(_REACH, (min(luma.shape) - 1) // 2)
    r = autocorrelation(luma - ndimage.gaussian_filter(luma, _BLUR), reach)
    angles, radii = np.arange(_RAYS) * np.pi / _RAYS, np.arange(reach + 1)
    rays = np.stack([np.sin(angles)[:, None] * radii, np.cos(angles)[:, None] * radii]) + reach
    along = ndimage.map_coordinates(r, rays, order=1)
    return float((along - np.maximum(np.minimum.accumulate(along, axis=1), 0)).max())


def autocorrelation(x: np.ndarray, reach: int) -> np.ndarray:
    """Of a plane (H, W) at shifts up to `reach` either way, (2 reach + 1, 2 reach + 1): 1 at its centre.

    At each shift over the overlap alone, divided by the root of both parts' energies.
    """
    shape = [-(-(side + reach) // reach) * reach for side in x.shape]  # zeros behind: no shift comes round again
    spectrum, energy, ones = (np.fft.rfft2(plane, shape) for plane in (x, x**2, np.ones_like(x)))
    products, later = (np.fft.irfft2(s, shape) for s in (spectrum * spectrum.conj(), energy * ones.conj()))
    earlier = np.fft.irfft2(ones * energy.conj(), shape)
    shifts = np.ix_(*[np.arange(-reach, reach + 1) % side for side in shape])
    energies = np.maximum(later[shifts], 0) * np.maximum(earlier[shifts], 0)
    return products[shifts] / np.sqrt(np.maximum(energies, np.finfo(float).tiny))


def write_structure(folders: Sequence[Path], out: Path, options: Sequence[str]) -> Path:
    """Measure every HR image of the benchmarks into structure.csv, with how it was made beside it.

    Raises UserError for a folder that is no benchmark.
    """
    rows = [
        {
            "dataset": benchmark.name,
            "image": pair.name,
            "repetition": round(repetition(luma_plane(pair.hr).numpy()), _DIGITS),
        }
        for benchmark in open_benchmarks(folders, SCALE)
        for pair in benchmark.pairs()
    ]
    write_csv(out / FILE, COLUMNS, rows)
    if not is_of(out / FILE):
        write_sidecar(out / FILE, "analysis/study.py", options, "cpu", {})
    return out / FILE


def read_structure(folder: Path) -> Rows:
    """The rows of structure.csv; none where it is not there."""
    return csv_rows_of(folder / FILE)


@dataclass(frozen=True, kw_only=True)
class ByStructure:
    """Differences from the baseline on the images with most repeated structure, and on the rest."""

    repeated: Sequence[str]
    """Those images, as `dataset/image`, the most repeating first."""
    rest: int
    compared: Sequence[tuple[str, Comparison, Comparison]]
    """Network, on the repeating images, on the rest."""


def by_structure(study: Study, measured: Rows) -> ByStructure | None:
    """The study's networks on both groups of the measured images that all their runs have; None where that is none."""
    order = sorted(measured, key=lambda row: -float(row["repetition"]))
    scores = _scores(study, {(row["dataset"], row["image"]) for row in measured})
    runs = [set(images) for seeds in scores.values() for images in seeds.values()]
    everywhere = set.intersection(*runs) if runs else set()
    images = [name for row in order if (name := f"{row['dataset']}/{row['image']}") in everywhere]
    repeated = images[: round(SHARE * len(images))]
    if BASELINE not in scores or len(scores) < 2 or not repeated:
        return None
    judge = judge_of(study.rows, BASELINE, study.unfinished)
    groups = [judge(_only(scores, group)) for group in (repeated, images[len(repeated) :])]
    compared = [(name, groups[0][name], groups[1][name]) for name in scores if name != BASELINE]
    return ByStructure(repeated=repeated, rest=len(images) - len(repeated), compared=compared)


def _scores(study: Study, wanted: set[tuple[str, str]]) -> dict[str, dict[int, dict[str, float]]]:
    """Network -> seed -> `dataset/image` -> headline score, of the benchmarks of the wanted images."""
    scores: dict[str, dict[int, dict[str, float]]] = {}
    for row in study.rows:
        for dataset in {dataset for dataset, _ in wanted}:
            for seed, images in row.by_seed(dataset, HEADLINE).items():
                own = {f"{dataset}/{image}": score for image, score in images.items() if (dataset, image) in wanted}
                scores.setdefault(row.name, {}).setdefault(seed, {}).update(own)
    return scores


def _only(scores: Scores, images: Sequence[str]) -> dict[str, dict[int, Mapping[str, float]]]:
    return {
        name: {seed: {image: run[image] for image in images} for seed, run in seeds.items()}
        for name, seeds in scores.items()
    }
