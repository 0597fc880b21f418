"""Commands that train for a few iterations, and what they leave, read back."""

import csv
import json
import sys
from pathlib import Path

import torch
import yaml

from safmn_bench.ablations.recipe import load_recipe

FAST = ["train.iterations=12", "train.patch=8", "train.batch=2", "train.log_every=4", "train.validate_every=6"]

RUN = [sys.executable, "-m", "safmn_bench.ablations.run"]

TINY = "model: {n_blocks: 1, dim: 8}\n"


def arguments(photographs: Path, variant: object, out: Path, *overrides: str) -> list[str]:
    data = ["--train-data", str(photographs / "train"), "--benchmarks", str(photographs / "score")]
    return ["--variant", str(variant), "--device", "cpu", *data, "--out", str(out), "--set", *FAST, *overrides]


def folder_of(out: Path, variant: str) -> Path:
    return out / variant / "x4" / "seed0"


def weights_and_losses(folder: Path) -> tuple[dict[str, torch.Tensor], list[list[str]]]:
    state = torch.load(folder / "weights.pt", weights_only=True)["params"]
    with (folder / "losses.csv").open() as handle:
        return state, [row[:3] for row in csv.reader(handle)]  # all but the seconds


def assert_same(first: Path, second: Path) -> None:
    (weights, losses), (other_weights, other_losses) = weights_and_losses(first), weights_and_losses(second)
    assert losses == other_losses
    assert weights.keys() == other_weights.keys()
    assert all(torch.equal(weights[key], other_weights[key]) for key in weights)


def variants(folder: Path, **recipes: str) -> list[str]:
    """Variant files of one block, each with its own changes of the recipe; their paths."""
    for name, recipe in recipes.items():
        (folder / f"{name}.yaml").write_text(f"{TINY}recipe: {{{recipe}}}\n")
    return [str(folder / f"{name}.yaml") for name in recipes]


def sweep_arguments(photographs: Path, out: Path, names: list[str], *options: str) -> list[str]:
    """The call; the recipe is a file, so that a variant may change its keys."""
    recipe = load_recipe("quick", overrides=FAST).to_dict()
    path = out.parent / "short.yaml"
    path.write_text(yaml.safe_dump(recipe))
    data = ["--train-data", str(photographs / "train"), "--benchmarks", str(photographs / "score")]
    return ["--variants", *names, "--device", "cpu", "--recipe", str(path), *data, "--out", str(out), *options]


def lines_of(out: Path) -> dict[str, dict[str, str]]:
    with (out / "sweep.csv").open(newline="") as handle:
        return {f"{row['variant']}/{row['seed']}": row for row in csv.DictReader(handle)}


def record(out: Path, variant: str, seed: int = 0) -> dict:
    return json.loads((out / variant / "x4" / f"seed{seed}" / "record.json").read_text())
