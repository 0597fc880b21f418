"""A folder of ablation runs made up for tests: scores, losses, one collapse, shorter runs, tiny weights."""

import dataclasses
from pathlib import Path
from typing import Any

import torch
from made_records import IMAGES, made_record, scores_of, write_run

from safmn_bench.ablations.recipe import load_recipe
from safmn_bench.ablations.record import Record
from safmn_bench.models.safmn import SAFMN, SAFMNConfig

PSNR_DB = {"baseline": 30.0, "w_o_SAFM": 29.8, "w_o_CCM": 29.2, "w_o_FM": 29.998, "channel_mlp": 29.5, "n4": 29.7}
"""On Set5; B100 is 3 dB below. The second seed adds 0.01 dB to each, and 0.002 dB more from network to network."""
SHORT_PSNR_DB = {"baseline": 29.0, "w_o_SAFM": 28.9, "w_o_CCM": 28.95, "w_o_FM": 28.99, "channel_mlp": 28.5}
COLLAPSE = {"iteration": 412, "reason": "loss not finite", "weights_from_iteration": 250}
NAME = "a_processor_2_threads-reduced_cpu"
_SMALL = dataclasses.asdict(SAFMNConfig(dim=8, n_blocks=1))


def make_study(parent: Path, *, weights: bool = False) -> Path:
    """The folder, below `parent`: six networks, two seeds of all but n4, and w_o_LN, whose seed 0 collapsed."""
    folder = parent / NAME
    for index, (name, psnr) in enumerate(PSNR_DB.items()):
        for seed in (0,) if name == "n4" else (0, 1):
            _write(folder, study_record(name, seed, psnr + seed * (0.01 + 0.002 * index)), weights)
    _write(folder, study_record("w_o_LN", 0, 20.0, status="collapsed", collapse=COLLAPSE, iterations=437), weights)
    _write(folder, study_record("w_o_LN", 1, 29.6), weights)
    for name, psnr in SHORT_PSNR_DB.items():
        short = study_record(name, 0, psnr, "train.iterations=375", train_seconds=50.0, iterations=375)
        _write(folder / "budget" / "375", short, weights)
    return folder


def study_record(variant: str, seed: int, psnr_db: float, *overrides: str, **changes: Any) -> Record:
    """A run by the recipe `reduced_cpu` on two benchmarks."""
    recipe = {"name": "reduced_cpu", **load_recipe("reduced_cpu", {}, overrides).to_dict()}
    sets = [{"name": "BSDS400"}, {"name": "T91", "note": "1 smaller than the LR patch of 24 left out"}]
    few = IMAGES[:3]
    known: dict[str, Any] = {
        "scores": {"Set5": scores_of(psnr_db, images=few), "B100": scores_of(psnr_db - 3)},
        "bicubic": {"Set5": scores_of(28.4, images=few), "B100": scores_of(26.1)},
        "data": {"train": {"sets": sets, "images": 491, "content": "c0ffee"}, "benchmarks": ["Set5", "B100"]},
        "recipe": recipe, "config": _SMALL, "config_hash": f"{variant}{seed}" + "".join(overrides),
        "iterations": 3000, "train_seconds": 400.0,
    }  # fmt: skip
    return made_record(variant, seed, **{**known, **changes})


def _write(folder: Path, record: Record, weights: bool) -> None:
    losses = {i: 0.05 + 1 / i + 0.001 * record.seed for i in range(25, record.iterations + 1, 25)}
    run = write_run(folder, record, losses)
    if weights:
        torch.manual_seed(record.seed)
        torch.save({"params": SAFMN(SAFMNConfig(**record.config), scale=4).state_dict()}, run.weights)
