"""Run records as tidy data frames, for questions of one's own: pandas, seaborn and statsmodels take them as they are.

from safmn_bench.analysis.stats.frames import load_runs

runs = load_runs("results/runs")
runs.scores.query("metric == 'psnr_y_db'").pivot_table(index="variant", columns="dataset", values="score")
runs.images.groupby(["variant", "dataset", "image"]).score.std()

Columns and their units: RUN, SCORE and COST below.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from safmn_bench.ablations.metrics import METRICS
from safmn_bench.ablations.record import Record
from safmn_bench.analysis.stats.groups import setting
from safmn_bench.analysis.stats.reading import find_runs

RUN = {
    "variant": "what was trained, as its folder is named",
    "model": "the network that it is a variant of",
    "scale": "2, 3 or 4",
    "seed": "of weights and patches",
    "status": "finished, or collapsed: then scores are of the last weights before",
    "setting": "budget, training images and protocol in words; only equal settings compare",
}
"""Columns that both frames begin with."""
SCORE = {
    "dataset": "the benchmark",
    "metric": "a name of METRICS, with its unit: psnr_y_db in dB, ssim_y without one",
    "score": "the metric's value; NaN where it is not finite, as the PSNR of equal images",
    "bicubic": "the same of plain bicubic on the same images; NaN where the record has none",
}
COST = {
    "iterations": "optimiser steps made",
    "params": "learned numbers",
    "flops": "multiply-adds (MACs) at the paper's LR size",
    "acts": "outputs of all convolutions",
    "train_seconds": "of training alone, in s",
    "images_per_second": "patches that training took in",
    "config_hash": "of the effective configuration",
    "commit": "of the suite",
    "date": "when the record was written, in UTC",
}


class RunFrames(NamedTuple):
    """The content of a folder of runs."""

    scores: pd.DataFrame
    """A row per run, dataset and metric; columns RUN, SCORE and COST. `score` is the mean over images."""
    images: pd.DataFrame
    """A row per run, dataset, metric and image; columns RUN and SCORE, and `image`, the file's name."""


def load_runs(runs: Path | str) -> RunFrames:
    """The scored runs below `runs`, by variant, scale and seed; a run without scores has no row.

    Raises UserError where the folder is missing or holds no finished run, and where a record cannot be read.
    """
    records = [record for _, record in find_runs(Path(runs))]
    scores = [row for record in records for row in _scores(record)]
    images = [row for record in records for row in _images(record)]
    return RunFrames(
        pd.DataFrame(scores, columns=[*RUN, *SCORE, *COST]), pd.DataFrame(images, columns=[*RUN, *SCORE, "image"])
    )


def _scores(record: Record) -> Iterator[dict[str, Any]]:
    run = _run(record) | {name: getattr(record, name) for name in COST}
    for dataset, scores in record.scores.items():
        bicubic = record.bicubic.get(dataset, {})
        for metric in (name for name in METRICS if name in scores):
            figures = {"score": _number(scores, metric), "bicubic": _number(bicubic, metric)}
            yield run | {"dataset": dataset, "metric": metric, **figures}


def _images(record: Record) -> Iterator[dict[str, Any]]:
    run = _run(record)
    for dataset, scores in record.scores.items():
        bicubic = record.bicubic.get(dataset, {}).get("images", {})
        for image, values in scores["images"].items():
            for metric in (name for name in METRICS if name in values):
                figures = {"score": _number(values, metric), "bicubic": _number(bicubic.get(image, {}), metric)}
                yield run | {"dataset": dataset, "metric": metric, **figures, "image": image}


def _run(record: Record) -> dict[str, Any]:
    return {name: getattr(record, name) for name in RUN if name != "setting"} | {"setting": setting(record)}


def _number(scores: Mapping[str, Any], metric: str) -> float:
    value = scores.get(metric)
    return math.nan if value is None else float(value)
