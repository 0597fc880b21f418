"""Published weight files: read safely, whatever keys they use, and load strictly.

A file is a plain state dict, or holds one under `params_ema`, `params`, `state_dict` or `model` (the first of these
that is there; the average of the weights is what papers score). A prefix `module.` on every key (left by data-parallel
training) is dropped. Files are opened with `weights_only=True`: nothing in them can run.
"""

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from safmn_bench.models.errors import UserError

CONTAINERS = ("params_ema", "params", "state_dict", "model")
_PREFIX = "module."
State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Weights:
    """What was read from a file."""

    state: State
    path: Path
    picked: str
    """Which part of the file this is, in words, to be printed with the scores."""


def read_weights(path: Path) -> Weights:
    """The state dict in a file, on the CPU. Raises UserError: unreadable, more than tensors, or no state dict."""
    content = _load(path)
    picked = "the whole file"
    if isinstance(content, dict) and (found := [key for key in CONTAINERS if isinstance(content.get(key), dict)]):
        others = [key for key in content if key != found[0]]
        picked = f"key `{found[0]}`" + (f" (also there: {', '.join(map(str, others[:6]))})" if others else "")
        content = content[found[0]]
    state = _require_state(content, path)
    if all(key.startswith(_PREFIX) for key in state):
        state = {key.removeprefix(_PREFIX): value for key, value in state.items()}
        picked += f", prefix `{_PREFIX}` dropped"
    return Weights(state, path, picked)


def load_weights(network: nn.Module, path: Path) -> Weights:
    """Load a file into a network, every key and shape equal; returns what was picked.

    A network that knows other key layouts says so in `adapt_state_dict` (models/catalog.py). Raises UserError naming
    the key that does not fit, its shape there and here, and the likely cause; the network is then unchanged.
    """
    weights = read_weights(path)
    adapt = getattr(network, "adapt_state_dict", None)
    state = adapt(weights.state) if adapt else weights.state
    require_fit(network, state, path)
    network.load_state_dict(state)
    return Weights(state, path, weights.picked)


def require_fit(network: nn.Module, state: State, path: Path) -> None:
    """Raise UserError unless `state` has exactly the network's keys and shapes."""
    expected = network.state_dict()
    missing = [key for key in expected if key not in state]
    extra = [key for key in state if key not in expected]
    wrong = [key for key in expected if key in state and state[key].shape != expected[key].shape]
    problems = []
    if wrong:
        key = wrong[0]
        problems.append(f"{key} has shape {tuple(state[key].shape)}, expected {tuple(expected[key].shape)}")
    if missing:
        problems.append(f"{len(missing)} keys are missing, such as {missing[0]} {tuple(expected[missing[0]].shape)}")
    if extra:
        problems.append(f"{len(extra)} keys are unexpected, such as {extra[0]} {tuple(state[extra[0]].shape)}")
    if problems:
        name = type(network).__name__
        raise UserError(
            f"{path} does not fit {name} x{getattr(network, 'scale', '?')}: {'; '.join(problems)}. "
            f"Likely cause: {_likely_cause(network, state, wrong, missing, extra)}."
        )


def _likely_cause(network: nn.Module, state: State, wrong: list[str], missing: list[str], extra: list[str]) -> str:
    """What a user most probably mixed up."""
    expected = network.state_dict()
    if not missing and not extra:
        ratios = {state[key].shape[0] / expected[key].shape[0] for key in wrong if state[key].ndim}
        scale = getattr(network, "scale", 0)
        for other in (2, 3, 4, 8):
            if scale and ratios == {other**2 / scale**2}:
                return f"weights of scale {other}, where the network is of scale {scale}; give --scale {other}"
        return "a network of another width, or another variant; build it with the configuration of the weights"
    if len(missing) == len(expected):
        return "weights of another architecture; give the model that they were trained for"
    if not wrong and bool(missing) != bool(extra) and _same_but_for_blocks(missing or extra, expected | state):
        return "another number of blocks; build the network with as many as the weights have"
    return "weights of another variant, scale or architecture; give the model that they were trained for"


def _same_but_for_blocks(keys: list[str], known: dict[str, Any]) -> bool:
    """Whether every key is that of a known one but for its numbers (feats.9.norm1.weight, feats.0.norm1.weight)."""
    others = {_without_numbers(key) for key in known if key not in set(keys)}
    return all(_without_numbers(key) in others for key in keys)


def _without_numbers(key: str) -> str:
    return ".".join("#" if part.isdigit() else part for part in key.split("."))


def _load(path: Path) -> Any:
    """What torch finds in the file, tensors and plain containers only."""
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Give the path of a weight file.") from error
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is not loaded: it is no weight file, or it holds Python objects besides tensors (a whole pickled "
            "module), which could run code. Get the state dict from its author, saved as "
            "torch.save({'params': network.state_dict()}, path), or convert it once as models/peers/vdsr.py describes."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} is damaged, cut short, or no weight file (a TorchScript program is none). Allowed: what "
            "torch.save writes of a state dict. Copy or download it again."
        ) from error


def _require_state(content: Any, path: Path) -> State:
    """`content` as a state dict: text keys, tensors only."""
    if not isinstance(content, dict) or not content:
        raise UserError(f"{path} holds {type(content).__name__}, no state dict. Give a file of named tensors.")
    for key, value in content.items():
        if not isinstance(key, str) or not isinstance(value, torch.Tensor):
            raise UserError(
                f"{path} is no state dict: its entry {key!r} is {type(value).__name__}, not a tensor. Allowed: named "
                f"tensors, at the top or under one of {', '.join(CONTAINERS)}."
            )
    return dict(content)
