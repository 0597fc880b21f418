"""Recipes: everything that training depends on but the network, the data and the seed, as one flat-to-read value.

A recipe is a YAML file of the package (`quick`, `paper`) or one's own; a variant may change some of its keys, and
`--set section.key=value` changes any of them last. The whole effective recipe is saved with every run.

`version` counts the changes of the packaged recipes that change scores: 1 are those before keys of `LATER` came, 2
those that draw initial weights by name, which lowers the deviation of a difference to a third (results/noise).
"""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml

from safmn_bench.models.errors import UserError, match_name
from safmn_bench.models.keeping import package_folder
from safmn_bench.models.mappings import each_once, flattened, plain_value, read_mapping
from safmn_bench.models.named_init import INITIALISATIONS
from safmn_bench.models.variants import Candidate

PRECISIONS = ("fp32", "tf32", "bf16")
AUTO = "auto"
"""A precision by the device, settled before anything is hashed, written or trained: runs say which it became."""
_BY_DEVICE = {"cpu": "fp32", "cuda": "tf32"}
SAMPLINGS = ("image", "area")
LATER: Mapping[str, Any] = {"version": 1, "train.initialisation": "order", "compute.graph": False}
"""Keys that recipes and runs written before them lack -> what those did."""
UNDECIDING = ("compute.graph",)
"""Keys that change no result: a run goes on, and compares, whatever they are."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainKeys:
    """How long, on what samples, and how often something is written down."""

    iterations: int
    """Optimiser steps."""
    patch: int
    """Side of the LR patch in pixels; the HR patch is `scale` times as large."""
    batch: int
    """Patches per step, over all processes together."""
    sampling: str
    """"image": every image once per epoch, as the usual loaders do; "area": in proportion to its pixels."""
    initialisation: str
    """"order": weights are drawn as layers are made; "name": equal name and shape start equal (`named_init`)."""
    augment: bool
    """Random horizontal flips and 90-degree rotations, all 8 with the same probability."""
    log_every: int
    """Iterations per line of losses.csv, which holds their mean."""
    validate_every: int
    """Iterations between scores on the validation images; the last iteration is always scored."""
    save_every: int
    """Iterations between checkpoints (last.pt)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OptimizerKeys:
    """Adam and its learning rate: one cosine from `lr` to `min_lr` over all iterations, no warm-up."""

    lr: float
    min_lr: float
    betas: tuple[float, float]
    clip_norm: float | None
    """Largest L2 norm of the gradient over all weights; null leaves gradients alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LossKeys:
    """Weights of the loss terms."""

    l1: float
    """Mean absolute error of the RGB image in [0, 1]."""
    fft: float
    """Mean absolute error of the real and imaginary parts of its spectrum (torch.fft.rfft2)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EmaKeys:
    """The exponential moving average of the weights, which is what is scored and saved."""

    decay: float
    """Share of the old average kept at each step; 0 scores the last weights themselves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ComputeKeys:
    """How the same mathematics is computed."""

    precision: str
    """"fp32", "tf32" (convolutions and products by a GPU's matrix units, 10-bit mantissa) or "bf16" (autocast).

    In a file also "auto": fp32 on a CPU, tf32 on a GPU, as PyTorch's own default has it for convolutions; scores are
    in fp32 always.
    """
    fast: bool
    """Fused kernels and channels-last memory; false is the plain, paper-faithful network."""
    compile: bool
    """torch.compile of the step; needs a C++ compiler on a CPU."""
    graph: bool
    """Each step as one CUDA graph; where that cannot be, and on a CPU, it runs as it is. Changes no result."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """A whole recipe. Raises UserError where a value is out of its range."""

    version: int
    """Of the packaged recipes; scores of two versions do not compare."""
    train: TrainKeys
    optimizer: OptimizerKeys
    loss: LossKeys
    ema: EmaKeys
    compute: ComputeKeys

    def __post_init__(self) -> None:
        for key in ("iterations", "patch", "batch", "log_every", "validate_every", "save_every"):
            _require(getattr(self.train, key) >= 1, f"train.{key}", getattr(self.train, key), "at least 1")
        _require(self.version >= 1, "version", self.version, "at least 1")
        starts, allowed = self.train.initialisation, " or ".join(INITIALISATIONS)
        _require(starts in INITIALISATIONS, "train.initialisation", starts, allowed)
        _require(self.train.sampling in SAMPLINGS, "train.sampling", self.train.sampling, " or ".join(SAMPLINGS))
        optimizer = self.optimizer
        _require(optimizer.lr > 0, "optimizer.lr", optimizer.lr, "above 0")
        _require(0 <= optimizer.min_lr <= optimizer.lr, "optimizer.min_lr", optimizer.min_lr, "from 0 to optimizer.lr")
        _require(all(0 <= b < 1 for b in optimizer.betas), "optimizer.betas", optimizer.betas, "two numbers in [0, 1)")
        clip = optimizer.clip_norm
        _require(clip is None or clip > 0, "optimizer.clip_norm", clip, "above 0, or null for no clipping")
        _require(min(self.loss.l1, self.loss.fft) >= 0, "loss", self.loss, "weights of at least 0")
        _require(self.loss.l1 + self.loss.fft > 0, "loss", self.loss, "at least one weight above 0")
        _require(0 <= self.ema.decay < 1, "ema.decay", self.ema.decay, "in [0, 1)")
        _require(
            self.compute.precision in PRECISIONS, _PRECISION, self.compute.precision, ", ".join((*PRECISIONS, AUTO))
        )

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values, ready for YAML and JSON."""
        nested = dataclasses.asdict(self)
        nested["optimizer"]["betas"] = list(self.optimizer.betas)
        return nested

    def deciding(self) -> dict[str, Any]:
        """`to_dict` without the keys that change no result."""
        nested = self.to_dict()
        for section, key in (dotted.split(".") for dotted in UNDECIDING):
            del nested[section][key]
        return nested

    def learning_rate(self, iteration: int) -> float:
        """Learning rate of step `iteration` (0-based): half a cosine, as CosineAnnealing without restarts."""
        top, bottom = self.optimizer.lr, self.optimizer.min_lr
        return bottom + (top - bottom) * (1 + math.cos(math.pi * iteration / self.train.iterations)) / 2


def load_recipe(
    name: str, variant_changes: Mapping[str, Any] | None = None, overrides: Sequence[str] = (), device: str = "cpu"
) -> Recipe:
    """Recipe `name` (of the package, or a YAML file), then the variant's changes, then `--set` overrides.

    `device`: the kind, "cpu" or "cuda", that decides what an automatic precision is.

    Raises UserError: unknown recipe or key (nearest match given), missing key, wrong type or range.
    """
    values = each_once(flattened(_read(name)), f"Recipe {name}")
    keys = recipe_keys()
    values = {match_name("recipe key", key, keys, f"It stands in recipe {name}."): v for key, v in values.items()}
    values = {**LATER, **values}
    if missing := [key for key in keys if key not in values]:
        raise UserError(f"Recipe {name} lacks {', '.join(missing)}. A recipe is whole: copy one and change it.")
    for key, value in (variant_changes or {}).items():
        values[match_name("recipe key", key, keys, "The variant changes it.")] = value
    for override in overrides:
        key, value = _parse_override(override, keys)
        values[key] = value
    if values[_PRECISION] == AUTO:
        values[_PRECISION] = _BY_DEVICE[device]
    return from_flat(values)


_PRECISION = "compute.precision"


def from_flat(values: Mapping[str, Any]) -> Recipe:
    """A recipe from dotted keys -> values, each converted to its type. Raises UserError."""
    parts: dict[str, Any] = {}
    for name, kind in typing.get_type_hints(Recipe).items():
        if kind in _CONVERTERS:
            parts[name] = _convert(name, values[name], kind)
            continue
        hints = typing.get_type_hints(kind)
        parts[name] = kind(**{key: _convert(f"{name}.{key}", values[f"{name}.{key}"], h) for key, h in hints.items()})
    return Recipe(**parts)


def whole_config(nested: Mapping[str, Any]) -> dict[str, Any]:
    """A run's configuration (runs/plan.py) by dotted keys, with keys that came after it was written."""
    later = {f"recipe.{key}": value for key, value in LATER.items() if key not in UNDECIDING}
    return later | flattened(nested)


def recipe_keys() -> list[str]:
    """All dotted keys, in order."""
    keys: list[str] = []
    for name, kind in typing.get_type_hints(Recipe).items():
        keys += [name] if kind in _CONVERTERS else [f"{name}.{key}" for key in typing.get_type_hints(kind)]
    return keys


def packaged_recipes() -> list[str]:
    """Names of the recipes in the package."""
    return sorted(file.stem for file in _packaged_folder().glob("*.yaml"))


def _packaged_folder() -> Path:
    return package_folder("safmn_bench.ablations") / "recipes"


def _read(name: str) -> dict[str, Any]:
    if name.endswith((".yaml", ".yml")):
        return read_mapping(Path(name))
    known = match_name("recipe", name, packaged_recipes(), "Your own is a YAML file: --recipe my_recipe.yaml.")
    return yaml.safe_load((_packaged_folder() / f"{known}.yaml").read_text(encoding="utf-8"))


def _parse_override(override: str, keys: Sequence[str]) -> tuple[str, Any]:
    key, equals, text = override.partition("=")
    if not equals:
        raise UserError(f"--set {override!r} is not section.key=value, such as --set train.iterations=2000.")
    try:
        return match_name("recipe key", key, keys), plain_value(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise UserError(f"--set {override[:60]!r}: the value cannot be read: {reason}.") from error


def _convert(key: str, value: Any, hint: Any) -> Any:
    """`value` as `hint` says; YAML reads 1e-4 as text, so text that is a number is taken as one."""
    if isinstance(hint, types.UnionType):
        return None if value is None else _convert(key, value, typing.get_args(hint)[0])
    if typing.get_origin(hint) is tuple:
        wanted = typing.get_args(hint)
        if not isinstance(value, list | tuple) or len(value) != len(wanted):
            raise UserError(f"{key}={value!r} is not a list of {len(wanted)} numbers.")
        return tuple(_convert(key, part, kind) for part, kind in zip(value, wanted, strict=True))
    try:
        return _CONVERTERS[hint](value)
    except (ValueError, TypeError, OverflowError) as error:
        raise UserError(f"{key}={value!r} is not {_NAMES[hint]}.") from error


def _to_int(value: Any) -> int:
    number = _to_float(value)
    if number != int(number):
        raise ValueError(value)
    return int(number)


def _to_float(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError(value)
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(value)
    return number


def _to_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value


_CONVERTERS: dict[type, Any] = {int: _to_int, float: _to_float, bool: _to_bool, str: str}
_NAMES: dict[type, str] = {int: "a whole number", float: "a finite number", bool: "true or false", str: "text"}


def _require(holds: bool, key: str, value: Any, allowed: str) -> None:
    if not holds:
        raise UserError(f"Recipe key {key}={value!r} is out of range. Allowed: {allowed}.")


def recipe_for(
    candidate: Candidate, name: str | None, device: torch.device, overrides: Sequence[str]
) -> tuple[Recipe, str]:
    """The effective recipe of one candidate, and its name: without one, `quick` on a CPU and `paper` on a GPU."""
    chosen = name or ("paper" if device.type == "cuda" else "quick")
    return load_recipe(chosen, candidate.recipe, overrides, device.type), chosen
