"""The fast form of a network: the same weights and the same results to float rounding, in less time."""

from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def optimise(network: Network) -> Network:
    """Switch a network's blocks to their fused kernels and its weights to channels-last, in place; returns it.

    A block that has an exact faster form carries an attribute `fused`; state-dict keys and values do not change.
    """
    for module in network.modules():
        if hasattr(module, "fused"):
            module.fused = True  # type: ignore[assignment]
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
