"""What a runtime outside PyTorch is here: it converts a network for LR of one size, and opens what it converted.

A runtime is a file of this folder and its row in `catalog.py`. Its packages are optional: they are imported where they
are used, and `Runtime.require` says how to install what is missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec

import numpy as np
import torch
from torch import nn

from safmn_bench.models.errors import UserError

Shape = tuple[int, int, int, int]
"""Of LR: (1, 3, height, width)."""
Files = Mapping[str, bytes]
"""A converted network: name of a file -> its content."""
Run = Callable[[np.ndarray], np.ndarray]
"""One pass: LR float32 (1, 3, H, W) in [0, 1] -> SR float32 (1, 3, scale H, scale W)."""
KEPT_OPEN = 4  # LR sizes: a benchmark of many sizes must not fill the memory with opened networks


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a converted network is opened."""

    threads: int
    dtype: str = "fp32"
    device: str = "cpu"
    sparing: bool = False
    """Whether memory is given back after each pass where the runtime can: to measure what a pass needs."""


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """A runtime and its two verbs."""

    title: str
    packages: tuple[str, ...]
    """What is imported."""
    extra: str
    """The extra of this suite that installs them."""
    dtypes: tuple[str, ...] = ("fp32",)
    devices: tuple[str, ...] = ("cpu",)
    convert: Callable[[nn.Module, Shape], Files]
    """Raises UserError for a network that the runtime cannot take."""
    start: Callable[[Files, Setting], Run]

    def require(self) -> None:
        """Raise UserError where one of its packages is missing."""
        missing = [package for package in self.packages if find_spec(package) is None]
        if missing:
            raise UserError(
                f"{self.title} is not installed (missing: {', '.join(missing)}): "
                f"pip install 'safmn-bench[{self.extra}]'."
            )


def file_mib(files: Files) -> float:
    """Size of a converted network in MiB."""
    return sum(map(len, files.values())) / 2**20


class InRuntime(nn.Module):
    """A network as a runtime computes it, for LR float32 (1, 3, H, W) of any size: converted anew for each.

    On the CPU, without gradients.
    """

    def __init__(self, network: nn.Module, runtime: Runtime, setting: Setting) -> None:
        super().__init__()

        def opened(shape: Shape) -> Run:
            return runtime.start(runtime.convert(network, shape), setting)

        self._opened = lru_cache(KEPT_OPEN)(opened)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """SR of LR."""
        _, channels, height, width = lr.shape
        return torch.from_numpy(self._opened((1, channels, height, width))(lr.contiguous().numpy()))
