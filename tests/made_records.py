"""Run folders with figures made up for tests: what analysis reads, without training anything."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from safmn_bench.ablations.record import LOSS_COLUMNS, Record, RunFolder
from safmn_bench.ablations.scoring.score import Protocol
from safmn_bench.profiling.common.files import write_csv

IMAGES = tuple(f"photo{index}" for index in range(6))


def scores_of(mean_db: float, ssim: float = 0.8, images: tuple[str, ...] = IMAGES) -> dict[str, Any]:
    """Scores as record.json has them; images differ by 1 dB, their mean is `mean_db`."""
    shifts = np.arange(len(images)) - (len(images) - 1) / 2
    named = {
        name: {"psnr_y_db": mean_db + float(shift), "ssim_y": ssim} for name, shift in zip(images, shifts, strict=True)
    }
    return {"psnr_y_db": mean_db, "ssim_y": ssim, "images": named}


def made_record(
    variant: str = "baseline", seed: int = 0, scores: Mapping[str, Any] | None = None, **changes: Any
) -> Record:
    """A record of 100 iterations on made-up images, at scale 4."""
    recipe = {"name": "quick", "train": {"iterations": 100, "patch": 16, "batch": 8, "sampling": "image"}}
    fields: dict[str, Any] = {
        **{"variant": variant, "model": "safmn", "scale": 4, "seed": seed, "status": "finished", "iterations": 100},
        **{"recipe": recipe, "config": {"dim": 36}, "params": 239520, "flops": 13554915840, "acts": 76700160},
        **{"scores": scores or {"Manga109": scores_of(30.0 + 0.01 * seed)}, "bicubic": {"Manga109": scores_of(24.89)}},
        **{"uncounted_ops": {}, "train_seconds": 1.0, "images_per_second": 800.0, "protocol": Protocol(scale=4).text},
        "data": {"train": {"sets": [{"name": "embedded"}], "images": 11, "content": "b525"}, "benchmarks": []},
        "machine": {"name": "a processor", "threads": 2},
        "versions": {"torch": "2.13.0"},
        "commit": "0123456789abcdef",
        "date": "2026-11-23T16:00:00+00:00",
    }
    return Record(**{**fields, **changes})


def write_run(out: Path, record: Record, losses: Mapping[int, float] | None = None) -> RunFolder:
    """Its folder under `out`, named after the variant, with losses.csv and record.json."""
    folder = RunFolder.of(out, record.variant.replace("/", "_"), record.scale, record.seed)
    rows = [{"iteration": i, "loss": loss, "lr": 0.001, "seconds": 0.1} for i, loss in (losses or {10: 1.0}).items()]
    write_csv(folder.losses, LOSS_COLUMNS, rows)
    record.write(folder)
    return folder
