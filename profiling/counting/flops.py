"""Parameters, FLOPs and activations, as the super-resolution literature counts them.

"FLOPs" are fvcore's: multiply-adds, one each, for the operators that it knows; the operators that it saw and could
not count stand beside the number. "Activations" are the elements of all convolution outputs. Both come from one
trace. A result is remembered under its configuration, input, library versions and the source code of `models/`, so
a table is slow only once and an edited network is never answered from memory.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from fvcore.nn import FlopCountAnalysis
from fvcore.nn.activation_count import _DEFAULT_SUPPORTED_OPS as ACTIVATION_HANDLES
from torch import nn

from safmn_bench.models.keeping import cache_folder, package_folder
from safmn_bench.models.own.adaptation import padding_of
from safmn_bench.models.reparameterisation import deployed, has_parts_to_merge
from safmn_bench.models.variants import Candidate
from safmn_bench.profiling.common.sealed import recalled, remember

LR_SIZES = {2: (640, 360), 3: (427, 240), 4: (320, 180)}
"""LR size by scale for an HR image of 1280x720; the longer side first, as the authors' script has it."""


@dataclass(frozen=True, kw_only=True)
class Complexity:
    """The cost of one forward pass, in exact counts; `input_shape` is the counted input, batch 1."""

    params: int
    flops: int
    acts: int
    input_shape: tuple[int, ...]
    flops_by_operator: dict[str, int]
    uncounted_ops: dict[str, int]
    """Operators that fvcore saw and has no rule for: name -> number of calls."""
    remarks: tuple[str, ...] = ()
    """Further caveats: padding that was counted, and the form that was trained where that is another."""


def count(network: nn.Module, input_shape: tuple[int, ...]) -> Complexity:
    """Count one forward pass of `network` on zeros of `input_shape`, as `count_on` does."""
    return count_on(network, torch.zeros(input_shape))


def count_on(network: nn.Module, x: torch.Tensor) -> Complexity:
    """Count one forward pass of `network` on `x`, on the CPU, by one trace.

    Batch normalisation is counted in training mode (5 operations per element), as the paper's figure shows; the
    network's own running statistics are changed by that, so pass one that is not used further.
    """
    network = network.cpu().eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    analysis = FlopCountAnalysis(network, (x,))
    analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).tracer_warnings("none")
    for operator, activations in ACTIVATION_HANDLES.items():
        analysis.set_op_handle(operator, _both(operator, analysis._op_handles[operator], activations))
    with torch.no_grad():
        by_operator = analysis.by_operator()
        uncounted = analysis.unsupported_ops()
    flops = {name: int(n) for name, n in by_operator.items() if not name.startswith(_ACTS)}
    free = getattr(network, "uncounted_parameters", set)()
    return Complexity(
        params=sum(p.numel() for name, p in network.named_parameters() if name not in free),
        flops=sum(flops.values()),
        acts=sum(int(n) for name, n in by_operator.items() if name.startswith(_ACTS)),
        input_shape=tuple(x.shape),
        flops_by_operator=dict(sorted(flops.items())),
        uncounted_ops={name.removeprefix("aten::"): n for name, n in sorted(uncounted.items())},
    )


_ACTS = "acts/"


def _both(operator: str, flops: Callable, activations: Callable) -> Callable:
    """A handle that counts FLOPs under the operator's name and activations under 'acts/' + name."""
    name = operator.removeprefix("aten::")

    def handle(inputs: list[Any], outputs: list[Any]) -> Counter[str]:
        counted = flops(inputs, outputs)
        acts = activations(inputs, outputs)
        flops_total = sum(counted.values()) if isinstance(counted, Counter) else counted
        acts_total = sum(acts.values()) if isinstance(acts, Counter) else acts
        return Counter({name: int(flops_total), _ACTS + name: int(acts_total)})

    return handle


def complexity(candidate: Candidate, scale: int) -> Complexity:
    """Count a candidate at the literature's LR size for `scale`, or recall the count.

    Raises UserError for a scale that the candidate does not support.
    """
    memory = cache_folder() / "complexity" / f"{_digest(candidate, scale)}.json"
    if (known := recalled(memory, _counted)) is not None:
        return known
    with torch.random.fork_rng(devices=[]):  # the fresh weights must not move the caller's random state
        network = candidate.build(scale)
    module, input_shape = counted_form(network, scale)
    counted = replace(count(module, input_shape), remarks=_remarks(network, *LR_SIZES[scale]))
    remember(memory, asdict(counted))
    return counted


def _remarks(network: nn.Module, lr_height: int, lr_width: int) -> tuple[str, ...]:
    remarks = [padding_of(network, lr_width, lr_height)]  # the sides in the order in which people say them
    if has_parts_to_merge(network):
        trained = count(*counted_at(network, lr_height, lr_width, merged=False))
        remarks.append(
            f"its parts are merged; as it is trained it has {trained.params:,} parameters, {trained.flops:,} FLOPs "
            f"and {trained.acts:,} activations"
        )
    return tuple(filter(None, remarks))


def counted_form(network: nn.Module, scale: int) -> tuple[nn.Module, tuple[int, ...]]:
    """The part of a network that the literature counts: itself on an RGB image, unless it says otherwise (`counted`).

    Of a re-parameterised network that is the deployed form.
    """
    return counted_at(network, *LR_SIZES[scale])


def counted_at(
    network: nn.Module, lr_height: int, lr_width: int, *, merged: bool = True
) -> tuple[nn.Module, tuple[int, ...]]:
    """`counted_form` at another LR size, or (`merged` False) of the form that is trained."""
    network = deployed(network) if merged else network
    if hasattr(network, "counted"):
        return network.counted(lr_height, lr_width)  # type: ignore[operator]
    return network, (1, 3, lr_height, lr_width)


def _counted(known: dict[str, Any]) -> Complexity:
    return Complexity(**{**known, "input_shape": tuple(known["input_shape"]), "remarks": tuple(known["remarks"])})


def _digest(candidate: Candidate, scale: int) -> str:
    """A key for everything that a count depends on."""
    described = {
        "model": candidate.model,
        "config": candidate.description(),
        "scale": scale,
        "size": LR_SIZES[scale],
        "versions": [metadata.version(package) for package in ("torch", "fvcore")],
        "source": _source_digest(),
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()[:32]


def _source_digest() -> str:
    """Hash of the code that decides a count: everything in models/, and this file."""
    total = hashlib.sha256(Path(__file__).read_bytes())
    for file in sorted(package_folder("safmn_bench.models").rglob("*.py")):
        total.update(file.read_bytes())
    return total.hexdigest()
