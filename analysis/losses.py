"""Loss curves of runs: read, smoothed, and the seeds of one network brought together."""

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.models.errors import UserError


@dataclass(frozen=True)
class Curve:
    """The losses of one run: `iterations` and `loss` are (n,), float64; a loss that is not finite is NaN."""

    seed: int
    iterations: np.ndarray
    loss: np.ndarray
    collapsed_at: int | None
    """The first bad iteration, where training collapsed."""


@dataclass(frozen=True)
class Band:
    """Smoothed curves of several seeds at common iterations: mean, lowest and highest, all (n,)."""

    iterations: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


def read_curve(folder: RunFolder, record: Record) -> Curve:
    """The losses of a run. Raises UserError where losses.csv is missing or not one."""
    collapse = record.collapse or {}
    iterations, loss = _read(folder.losses)
    return Curve(record.seed, iterations, loss, collapse.get("iteration") if record.status == "collapsed" else None)


def smoothed(curve: Curve, window: int) -> np.ndarray:
    """Mean loss within `window` iterations around each point, (n,); one-sided at both ends, NaN left out."""
    means = np.full(len(curve.loss), math.nan)
    for index, at in enumerate(curve.iterations):
        near = curve.loss[np.abs(curve.iterations - at) <= window / 2]
        finite = near[np.isfinite(near)]
        means[index] = finite.mean() if len(finite) else math.nan
    return means


def band(curves: Sequence[Curve], window: int) -> Band:
    """The smoothed curves of one network's seeds together; where a run has ended, the others go on."""
    iterations = np.unique(np.concatenate([curve.iterations for curve in curves]))
    rows = np.full((len(curves), len(iterations)), math.nan)
    for row, curve in zip(rows, curves, strict=True):
        row[np.searchsorted(iterations, curve.iterations)] = smoothed(curve, window)
    kept = np.isfinite(rows).any(axis=0)
    rows = rows[:, kept]
    return Band(iterations[kept], np.nanmean(rows, axis=0), np.nanmin(rows, axis=0), np.nanmax(rows, axis=0))


def _read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    try:
        with path.open(newline="", encoding="utf-8") as handle:
            rows = [(float(row["iteration"]), float(row["loss"])) for row in csv.DictReader(handle)]
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Run that seed again.") from error
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is no losses.csv of a run ({error}). Delete its folder and run that seed again."
        ) from error
    if not rows:
        raise UserError(f"{path} holds no losses. Delete its folder and run that seed again.")
    columns = np.array(rows).T
    return columns[0], np.where(np.isfinite(columns[1]), columns[1], math.nan)
