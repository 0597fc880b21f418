"""Published weight files as people have them: read safely, found in any wrapping, and loaded strictly.

A state dict may lie at the top of a file or in containers of any name and depth (`params`, `state_dict`, `model`,
lists), and its keys may have any prefix (`module.`, `_orig_mod.`, `net_g.`, nested). What is an average of the weights
by its name (`params_ema`, `ema`, `model_ema`, `state_dict_ema`, `swa`) comes first: it is what papers score. The first
state dict that fits the network is taken; what was picked, dropped and passed over is told with the scores.

Entries that only count something (`epoch`, `n_averaged`, thop's `total_ops`) are passed over; every other key must be
the network's. Files are opened with `weights_only=True`, or as safetensors: nothing in them can run.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.models.stored.weight_files import converted, is_plain, read_content, require_numbers, told

CONTAINERS = ("params", "state_dict", "model")
PREFIXES = (
    "module.",
    "_orig_mod.",
    "model.",
    "net_g.",
    "netG.",
    "net.",
    "network.",
    "generator.",
    "ema_model.",
    "ema.",
)
"""Prefixes that every key may have. For networks that adapt the keys of others; elsewhere any prefix is found."""
_AVERAGE = re.compile(r"(?:^|[_.\-])(?:ema|swa|avg|average|averaged)(?:$|[_.\-])", re.IGNORECASE)
_COUNTERS = ("total_ops", "total_params", "n_averaged", "num_updates", "decay", "initted", "step", "epoch", "iter")
_NO_WEIGHTS = re.compile(r"optim|sched|scaler|discriminator|net_?d$|params_d$|loss", re.IGNORECASE)
_DEEPEST = 6  # containers in each other that are looked into
State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Weights:
    """Weights read from a file."""

    state: State
    path: Path
    picked: str
    """Which part of the file this is, in words, to be printed with the scores."""


@dataclass(frozen=True)
class _Candidate:
    """A state dict in a file: where it lies, and what else lies beside it and around it."""

    state: State
    trail: tuple[str, ...]
    beside: tuple[str, ...]
    passed: tuple[str, ...] = ()
    prefix: str = ""

    @property
    def words(self) -> str:
        """For a Weights' `picked`."""
        also = f" (also there: {', '.join(self.beside[:6])})" if self.beside else ""
        picked = f"key `{told('.'.join(self.trail))}`{also}" if self.trail else "the whole file"
        picked += f", prefix `{told(self.prefix)}` dropped" if self.prefix else ""
        if self.passed:
            many = f"{len(self.passed)} entries" if len(self.passed) > 1 else "an entry"
            picked += f", {many} passed over ({', '.join(self.passed[:3])}{', ...' if len(self.passed) > 3 else ''})"
        return picked

    def without(self, prefix: str) -> "_Candidate":
        """The entries under a prefix, without it; the others are passed over."""
        state = {key.removeprefix(prefix): value for key, value in self.state.items() if key.startswith(prefix)}
        others = tuple(key for key in self.state if not key.startswith(prefix))
        return _Candidate(state, self.trail, self.beside, self.passed + others, self.prefix + prefix)

    def counted_out(self, expected: Mapping[str, Any]) -> "_Candidate":
        """Without entries that only count something and that the network does not know."""
        out = [key for key in self.state if key not in expected and key.rsplit(".", 1)[-1] in _COUNTERS]
        state = {key: value for key, value in self.state.items() if key not in out}
        return _Candidate(state, self.trail, self.beside, (*self.passed, *out), self.prefix)


def read_weights(path: Path) -> Weights:
    """The state dict in a file, on the CPU, the likeliest of several. Raises UserError: unreadable, or none in it."""
    candidate = _common_prefixes_dropped(_states(path)[0]).counted_out({})
    return Weights(candidate.state, path, candidate.words)


def load_weights(network: nn.Module, path: Path) -> Weights:
    """Load a file into a network, every key and shape equal; returns what was picked, and from what it was converted.

    A network that knows other key layouts says so in `adapt_state_dict` (models/catalog.py). Raises UserError naming
    the key that does not fit, its shape there and here, and the likely cause; the network is then unchanged.
    """
    expected = network.state_dict()
    states = _states(path)
    for candidate in (peeled for whole in states for peeled in _peeled(whole, network, expected)):
        state = _adapted(network, candidate.state)
        if not _problems(state, expected):
            require_numbers(state, expected, path)
            network.load_state_dict(state)
            return Weights(state, path, candidate.words + converted(state, expected))
    candidates = [
        peeled
        for whole in states
        for peeled in _peeled(whole, network, expected)
        if 2 * len(peeled.state) >= len(whole.state)
    ]
    nearest = max(candidates, key=lambda candidate: len(expected.keys() & candidate.state.keys()))
    require_fit(network, _adapted(network, nearest.state), path)
    raise AssertionError("a state without a problem was not loaded")


def _adapted(network: nn.Module, state: State) -> State:
    adapt = getattr(network, "adapt_state_dict", None)
    if adapt is None or not all(map(is_plain, state.values())):
        return state  # as it is: it does not fit, or require_numbers says why
    return adapt(state)


def _states(path: Path) -> list[_Candidate]:
    """Every state dict in a file, averages first, then the usual containers. Raises UserError where there is none."""
    content = read_content(path)
    candidates = list(_walk(content, (), (), set()))
    if not candidates:
        raise UserError(
            f"{path} holds {_described(content)}, no state dict. Allowed: named tensors, at the top or in containers "
            f"such as {', '.join(CONTAINERS)}."
        )
    return sorted(candidates, key=lambda candidate: _rank(candidate.trail))


def _described(content: Any) -> str:
    if isinstance(content, dict) and content:
        return f"a dict of {', '.join(told(str(key)) for key in list(content)[:6])}"
    empty = isinstance(content, dict | list | tuple | str) and not content
    return f"an empty {type(content).__name__}" if empty else type(content).__name__


def _rank(trail: tuple[str, ...]) -> tuple[bool, int, int]:
    """Averages, then what lies under a usual name, in its order, then the shallower."""
    usual = next((i for i, name in enumerate(CONTAINERS) if name in trail), len(CONTAINERS) if trail else -1)
    return not any(_AVERAGE.search(part) for part in trail), usual, len(trail)


def _walk(content: Any, trail: tuple[str, ...], beside: tuple[str, ...], seen: set[int]) -> Iterator[_Candidate]:
    """Every dict with named tensors below `content`, each once; an optimizer's and a discriminator's are left out."""
    if id(content) in seen:  # containers may hold themselves
        return
    seen.add(id(content))
    if isinstance(content, list | tuple):
        content = {str(i): value for i, value in enumerate(content)}
    if not isinstance(content, dict) or len(trail) > _DEEPEST or (trail and _NO_WEIGHTS.search(trail[-1])):
        return
    tensors = {
        key: value
        for key, value in content.items()
        if isinstance(key, str) and isinstance(value, torch.Tensor) and not value.is_nested  # which has no shape
    }
    if any(value.ndim for value in tensors.values()):
        yield _Candidate(tensors, trail, beside, tuple(told(str(key)) for key in content if key not in tensors))
    averages_first = sorted(content.items(), key=lambda item: not _AVERAGE.search(str(item[0])))  # one dict, two names
    for key, value in averages_first:
        if isinstance(key, str):
            others = tuple(told(str(k)) + ", empty" * (isinstance(v, dict) and not v) for k, v in content.items())
            beside = tuple(other for other, k in zip(others, content, strict=True) if k != key)
            yield from _walk(value, (*trail, key), beside, seen)


def _peeled(candidate: _Candidate, network: nn.Module, expected: Mapping[str, torch.Tensor]) -> Iterator[_Candidate]:
    """The state with whatever stands before the network's keys dropped, an average's prefix first; then as it is."""
    if hasattr(network, "adapt_state_dict"):  # the file's keys may be others: only known prefixes can be told
        yield candidate.counted_out(expected)
        while prefix := _prefix_of_all(candidate):
            candidate = candidate.without(prefix)
            yield candidate.counted_out(expected)
        return
    first = next(iter(expected), "")
    prefixes = {key.removesuffix(first) for key in candidate.state if key == first or key.endswith(f".{first}")}
    whole = [p for p in prefixes if all(f"{p}{key}" in candidate.state for key in expected)]
    for prefix in sorted(whole, key=lambda p: (not _AVERAGE.search(p), len(p), p)):
        yield candidate.without(prefix).counted_out(expected)
    yield _common_prefixes_dropped(candidate).counted_out(expected)


def _common_prefixes_dropped(candidate: _Candidate) -> _Candidate:
    """Without the usual prefixes that all keys have, in any nesting; counters do not have them."""
    while prefix := _prefix_of_all(candidate):
        candidate = candidate.without(prefix)
    return candidate


def _prefix_of_all(candidate: _Candidate) -> str:
    keys = [key for key in candidate.state if key.rsplit(".", 1)[-1] not in _COUNTERS]
    return next((prefix for prefix in PREFIXES if keys and all(key.startswith(prefix) for key in keys)), "")


def _problems(state: State, expected: Mapping[str, torch.Tensor]) -> bool:
    return state.keys() != expected.keys() or any(state[key].shape != expected[key].shape for key in expected)


def require_fit(network: nn.Module, state: State, path: Path) -> None:
    """Raise UserError unless `state` has exactly the network's keys and shapes."""
    expected = network.state_dict()
    missing = [key for key in expected if key not in state]
    extra = [key for key in state if key not in expected]
    wrong = [key for key in expected if key in state and state[key].shape != expected[key].shape]
    problems = []
    if wrong:
        key = wrong[0]
        problems.append(f"{told(key)} has shape {tuple(state[key].shape)}, expected {tuple(expected[key].shape)}")
    if missing:
        problems.append(
            f"{len(missing)} keys are missing, such as {told(missing[0])} {tuple(expected[missing[0]].shape)}"
        )
    if extra:
        problems.append(f"{len(extra)} keys are unexpected, such as {told(extra[0])} {tuple(state[extra[0]].shape)}")
    if problems:
        name = type(network).__name__
        raise UserError(
            f"{path} does not fit {name} x{getattr(network, 'scale', '?')}: {'; '.join(problems)}. "
            f"Likely cause: {_likely_cause(network, state, wrong, missing, extra)}."
        )


def _likely_cause(network: nn.Module, state: State, wrong: list[str], missing: list[str], extra: list[str]) -> str:
    """The likeliest mix-up, in words."""
    expected = network.state_dict()
    if not missing and not extra:
        return _of_shapes(network, {state[key].shape[0] / expected[key].shape[0] for key in wrong if state[key].ndim})
    if len(missing) == len(expected):
        return "weights of another architecture; give the model that they were trained for"
    if not wrong and bool(missing) != bool(extra) and _same_but_for_blocks(missing or extra, expected | state):
        return "another number of blocks; build the network with as many as the weights have"
    return "weights of another variant, scale or architecture; give the model that they were trained for"


def _of_shapes(network: nn.Module, ratios: set[float]) -> str:
    """The cause where all keys are the same; `ratios`: output channels there over here, of what differs."""
    scale = getattr(network, "scale", 0)
    other = next((n for n in range(1, 17) if scale and n != scale and ratios == {n**2 / scale**2}), None)
    if other in (2, 3, 4):
        return f"weights of scale {other}, where the network is of scale {scale}; give --scale {other}"
    if other is not None:
        return f"weights of scale {other}, which this suite does not have; give weights of scale {scale}"
    return "a network of another width, or another variant; build it with the configuration of the weights"


def _same_but_for_blocks(keys: list[str], known: dict[str, Any]) -> bool:
    """Whether every key is that of a known one but for its numbers (feats.9.norm1.weight, feats.0.norm1.weight)."""
    others = {_without_numbers(key) for key in known if key not in set(keys)}
    return all(_without_numbers(key) in others for key in keys)


def _without_numbers(key: str) -> str:
    return ".".join("#" if part.isdigit() else part for part in key.split("."))
