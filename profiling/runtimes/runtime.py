"""What a runtime outside PyTorch is here: it converts a network for LR of one size, and opens what it converted.

A runtime is a file of this folder and its row in `catalog.py`. Its packages are optional: they are imported where they
are used, and `Runtime.require` says how to install what is missing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.util import find_spec

import numpy as np
import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.sample_images import photograph
from safmn_bench.profiling.runtimes.recipe import Recipe

Shape = tuple[int, int, int, int]
"""Of LR: (1, 3, height, width)."""
Files = Mapping[str, bytes]
"""A converted network: name of a file -> its content."""
Run = Callable[[np.ndarray], np.ndarray]
"""One pass: LR float32 (1, 3, H, W) in [0, 1] -> SR float32 (1, 3, scale H, scale W)."""
INT8 = "int8"
TOLERANCE = 1e-4
"""Largest difference of a float32 output from PyTorch's that rounding explains, of a range of 1."""
KEPT_OPEN = 4  # LR sizes: a benchmark of many sizes must not fill the memory with opened networks


@dataclass(frozen=True, kw_only=True)
class Setting:
    """How a converted network is opened."""

    threads: int
    dtype: str = "fp32"
    device: str = "cpu"
    recipe: Recipe | None = None
    """How to quantise, where `dtype` is int8."""
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
    quantise: Callable[[nn.Module, Shape, Recipe], Files] | None = None
    """`convert` for int8, where the runtime has it: dtypes names it then."""
    quantise_packages: tuple[str, ...] = ()

    def require(self, dtype: str = "fp32") -> None:
        """Raise UserError where one of its packages is missing."""
        extra, packages = self.extra, self.packages
        if dtype == INT8:
            extra, packages = "int8", (*packages, *self.quantise_packages)
        if missing := [package for package in packages if find_spec(package) is None]:
            raise UserError(
                f"{self.title} {dtype} is not installed (missing: {', '.join(missing)}): "
                f"pip install 'safmn-bench[{extra}]'."
            )

    def converted(self, network: nn.Module, shape: Shape, setting: Setting) -> Files:
        """The network's files in the type of the setting."""
        if setting.dtype != INT8:
            return self.convert(network, shape)
        assert self.quantise is not None  # both by `forms.check`
        assert setting.recipe is not None
        return self.quantise(network, shape, setting.recipe)


def file_mib(files: Files) -> float:
    """Size of a converted network in MiB."""
    return sum(map(len, files.values())) / 2**20


def _require_same(network: nn.Module, run: Run, shape: Shape, title: str) -> None:
    lr = photograph(*shape[-2:])
    with torch.inference_mode():
        difference = float((torch.from_numpy(run(lr.numpy())) - network(lr)).abs().max())
    if not difference <= TOLERANCE:
        raise UserError(
            f"{title} differs from PyTorch by {difference:.1e} in float32 at LR {shape[-1]}x{shape[-2]}, more than "
            f"{TOLERANCE:g}: {type(network).__name__} is not the same network there."
        )


class InRuntime(nn.Module):
    """A network as a runtime computes it, for LR float32 (1, 3, H, W) of any size: converted anew for each.

    On the CPU, without gradients. At each size the float32 conversion is compared with the network first: runtimes
    round otherwise at some sizes (`exportable.nearest_by_index`). Raises UserError where it differs.
    """

    def __init__(self, network: nn.Module, runtime: Runtime, setting: Setting) -> None:
        super().__init__()

        def opened(shape: Shape) -> Run:
            files = runtime.converted(network, shape, setting)
            in_float = runtime.convert(network, shape) if setting.dtype == INT8 else files
            exact = runtime.start(in_float, replace(setting, dtype="fp32"))
            _require_same(network, exact, shape, runtime.title)
            return runtime.start(files, setting)

        self._opened = lru_cache(KEPT_OPEN)(opened)

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        """SR of LR."""
        _, channels, height, width = lr.shape
        return torch.from_numpy(self._opened((1, channels, height, width))(lr.contiguous().numpy()))
