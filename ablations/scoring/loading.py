"""A network with its weights, for every command that uses them: which need a file, have none, or bring them."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.models.fast import has_fast_form, optimise
from safmn_bench.models.reparameterisation import inference_form
from safmn_bench.models.variants import Candidate
from safmn_bench.models.weights import load_weights
from safmn_bench.profiling.common.memory import keep_freed_memory


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


FAST, PLAIN, NATIVE = "fast form", "as written", "native form"


def for_scoring(network: nn.Module, device: torch.device, form: str = "auto") -> tuple[nn.Module, str]:
    """The network deployed, on the device, in one of options.FORMS; and that form in words, for provenance.

    Raises UserError for a form that the network, the device or this machine does not have.
    """
    network = inference_form(network).to(device)
    if form == "auto":
        return fast_where_known(network, device)
    if device.type == "cpu":
        keep_freed_memory()
    if form == "eager":
        return network, PLAIN
    if form == "native":
        if device.type != "cpu":
            raise UserError(f"The native form is for a CPU, not {device}: choose --implementation fast.")
        from safmn_bench.models.native.form import native_form  # brings torch._dynamo, whose import takes a second

        return native_form(network), NATIVE
    if not has_fast_form(network):
        raise UserError(f"{type(network).__name__} has no fast form: choose --implementation eager.")
    return optimise(network), FAST


def fast_where_known(network: nn.Module, device: torch.device) -> tuple[nn.Module, str]:
    """On a CPU the network's fast form, in place, where it has one (models/fast.py); and the form in words.

    SAFMN x2 on Set5 and Set14 takes 1.8 times less processor time so, and its means stay within 1e-5 dB. A GPU has no
    such measurement yet: as written there. On a CPU this process keeps freed memory from here on, as it is on a GPU.
    """
    if device.type != "cpu":
        return network, PLAIN
    keep_freed_memory()
    return (optimise(network), FAST) if has_fast_form(network) else (network, PLAIN)


def _has_parameters(network: nn.Module) -> bool:
    return any(True for _ in network.parameters())
