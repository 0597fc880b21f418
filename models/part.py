"""What is counted of a network, where that is not its `forward`."""

import torch
from torch import nn


class Part(nn.Module):
    """One method of a network as a module: `Part(network, 'refine')(x)` is `network.refine(x)`."""

    def __init__(self, network: nn.Module, method: str) -> None:
        super().__init__()
        self.network = network
        self.method = method

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return getattr(self.network, self.method)(x)

    def uncounted_parameters(self) -> set[str]:
        """The network's own, under the names that they have here."""
        own = getattr(self.network, "uncounted_parameters", set)()
        return {f"network.{name}" for name in own}
