"""A runs folder without training: records, losses and weights made up here, for tests of what reads them."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import torch

from safmn_bench.ablations.record import Record, RunFolder
from safmn_bench.models.safmn import SAFMN, SAFMNConfig

SMALL = {"dim": 8, "n_blocks": 1}


def record(variant: str, seed: int, psnr: float, **changes: Any) -> Record:
    """A finished run at x2 with three images, `psnr` dB on average."""
    rng = np.random.default_rng(seed)
    images = {
        name: {"psnr_y_db": psnr + shift + 0.01 * rng.normal(), "ssim_y": 0.9 + 0.001 * psnr / 30}
        for name, shift in (("a", -1.0), ("b", 0.0), ("c", 1.0))
    }
    mean = float(np.mean([image["psnr_y_db"] for image in images.values()]))
    values: dict[str, Any] = {
        "variant": variant, "model": "safmn", "scale": 2, "seed": seed, "status": "finished", "iterations": 100,
        "recipe": {"name": "quick", "train": {"iterations": 100, "patch": 16, "batch": 8, "sampling": "image"}},
        "config": {**vars_of(SAFMNConfig()), **SMALL},
        "scores": {"Set3": {"psnr_y_db": mean, "ssim_y": 0.9, "images": images}},
        "bicubic": {"Set3": {"psnr_y_db": 28.0, "ssim_y": 0.85, "images": {}}},
        "params": 12345, "flops": 1_234_567_890, "acts": 23_456_789, "uncounted_ops": {"aten::gelu": 16},
        "train_seconds": 12.5, "images_per_second": 64.0, "protocol": "Protocol x2: made up.",
        "data": {"train": {"sets": [{"name": "T"}], "images": 3, "content": "c0ffee"}, "placement": "kept in memory"},
        "machine": {"device": "cpu", "name": "Processor", "threads": 2}, "versions": {"torch": "2.13.0"},
        "commit": "0123456789abcdef", "date": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    return Record(**{**values, **changes})


def vars_of(config: SAFMNConfig) -> dict[str, Any]:
    """A configuration as a record holds it."""
    return {name: getattr(config, name) for name in config.__dataclass_fields__}


def write_run(folder: Path, one: Record, *, points: int = 20, weights: bool = True) -> RunFolder:
    """Write record.json, losses.csv and weights.pt of one run."""
    run = RunFolder(folder / f"x{one.scale}" / f"seed{one.seed}")
    one.write(run)
    rng = np.random.default_rng(one.seed)
    with run.losses.open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["iteration", "loss", "lr", "seconds"])
        for step in range(1, points + 1):
            loss = 0.05 + 0.3 * np.exp(-5 * step / points) + 0.003 * rng.random()
            writer.writerow([step * one.iterations // points, f"{loss:.6f}", "0.001", f"{step:.1f}"])
    if weights:
        torch.manual_seed(one.seed)
        torch.save({"params": SAFMN(SAFMNConfig(**one.config), scale=one.scale).state_dict()}, run.weights)
    return run
