"""Re-parameterised networks: trained with parallel branches, deployed as the plain network that computes the same.

A part of a network that can be merged has one method more, and the rest of the network need not know:

- `deployed() -> nn.Module`: a new module that computes the same, or
- `switch_to_deploy()`, `reparameterize()` or `fuse()`, which change the part in place: the words of RepVGG's and
  MobileOne's authors, which many networks took over.

What is counted, timed, exported and scored is the deployed form; what is trained is the other one.
"""

import copy
import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

Kernel = tuple[torch.Tensor, torch.Tensor]
"""Weight (outputs, inputs, side, side) and bias (outputs) of one convolution."""
IN_PLACE = ("switch_to_deploy", "reparameterize", "fuse")


def merges(module: nn.Module) -> bool:
    """Whether this module itself says how it is merged."""
    return any(_method(module, name) for name in ("deployed", *IN_PLACE))


def _method(module: nn.Module, name: str) -> Callable[[], Any] | None:
    """The module's own method of that name that can be called as it is.

    A layer may be called `fuse` too (LAPAR and EFDN have such convolutions), and a method that joins the features that
    it is given may be: neither merges anything.
    """
    method = getattr(module, name, None)
    if not inspect.ismethod(method):
        return None
    parameters = inspect.signature(method).parameters.values()
    given = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return None if any(p.default is p.empty and p.kind not in given for p in parameters) else method


def has_parts_to_merge(network: nn.Module) -> bool:
    """Whether its deployed form is another than the one that is trained."""
    return any(merges(module) for module in network.modules())


@torch.no_grad()
def deployed(network: nn.Module) -> nn.Module:
    """The deployed form of a network, in the mode (training or not) that it is in.

    A network without parts to merge is returned itself; of any other a copy, and the network stays as it is.
    """
    if not has_parts_to_merge(network):
        return network
    return _merged(copy.deepcopy(network), {}).train(network.training)


def inference_form(network: nn.Module) -> nn.Module:
    """The deployed form: the merged one where there is one, in evaluation mode."""
    return deployed(network.eval())


def convolution(kernel: Kernel) -> nn.Conv2d:
    """The "same" convolution with this kernel; draws no random numbers."""
    weight, bias = kernel
    outputs, inputs, side, _ = weight.shape
    made = nn.Conv2d(inputs, outputs, side, padding=side // 2, device="meta")
    made.weight, made.bias = nn.Parameter(weight.detach()), nn.Parameter(bias.detach())
    return made


def _merged(module: nn.Module, done: dict[nn.Module, nn.Module]) -> nn.Module:
    """`module` with all its parts merged; one that stands in several places is merged once and stands there again."""
    if module not in done:
        done[module] = _merged_anew(module, done)
    return done[module]


def _merged_anew(module: nn.Module, done: dict[nn.Module, nn.Module]) -> nn.Module:
    if (make := _method(module, "deployed")) is not None:
        return make()
    for name in IN_PLACE:
        if (merge := _method(module, name)) is not None:
            merge()
            return module
    for name, child in list(module._modules.items()):
        if child is not None:
            setattr(module, name, _merged(child, done))
    return module
