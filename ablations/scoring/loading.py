"""A network with its weights, for every command that uses them: which need a file, have none, or bring them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.models.variants import Candidate
from safmn_bench.models.weights import load_weights


@dataclass(frozen=True)
class Loaded:
    """A network, on the CPU and as it is trained, and whose weights it has: the file as given, what was picked."""

    candidate: Candidate
    network: nn.Module
    weights: str = ""
    picked: str = ""


def built(candidate: Candidate, scale: int) -> nn.Module:
    """With fresh weights that leave the caller's random state alone."""
    with torch.random.fork_rng(devices=[]):
        return candidate.build(scale)


def needs_weights(candidate: Candidate, scale: int) -> bool:
    """Whether a file must be given: bicubic has no parameters, and spandrel:FILE is one that tells its network."""
    return not brings_weights(candidate) and _has_parameters(built(candidate, scale))


def brings_weights(candidate: Candidate) -> bool:
    """Whether it is named by its weight file."""
    return candidate.own is not None and candidate.own.trained


def load(candidate: Candidate, scale: int, weights: Path | None) -> Loaded:
    """The network with these weights, or with those that it brings.

    Raises UserError where weights are missing, given to what has none, or do not fit.
    """
    network = built(candidate, scale)
    if not _has_parameters(network):
        if weights is not None:
            raise UserError(f"{candidate.name} has no weights; leave out --weights {weights}.")
        return Loaded(candidate, network)
    if weights is not None:
        return Loaded(candidate, network, str(weights), load_weights(network, weights).picked)
    if brings_weights(candidate):
        return Loaded(candidate, network, picked="which bring their network")
    raise UserError(f"{candidate.name} needs --weights FILE: with fresh weights its output would mean nothing.")


def _has_parameters(network: nn.Module) -> bool:
    return any(True for _ in network.parameters())
