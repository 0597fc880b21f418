"""How a network is quantised to 8-bit integers: the images that its ranges are of, and each layer's place in it.

A recipe is a file (.npz) that `safmn-bench quantise` writes and `safmn-bench runtimes --int8` takes. It belongs to one
network at one scale with one set of weights.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import write_atomically

_MADE_BY = "Make one with safmn-bench quantise."


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One convolution: the ranges of its input and output on the calibration images, and what quantising it costs."""

    name: str
    """As `network.named_modules()` has it."""
    input_range: tuple[float, float]
    output_range: tuple[float, float]
    error: float
    """Mean squared change of SR, of a range of 1, where this layer alone is quantised."""
    quantised: bool


@dataclass(frozen=True, kw_only=True, eq=False)
class Recipe:
    """The layers of a network, and the LR images, uint8 (N, 3, height, width), that their ranges are of."""

    network: str
    scale: int
    layers: tuple[Layer, ...]
    images: np.ndarray

    @cached_property
    def quantised(self) -> tuple[str, ...]:
        """Names of the layers in 8-bit integers."""
        return tuple(layer.name for layer in self.layers if layer.quantised)

    @cached_property
    def in_float(self) -> tuple[str, ...]:
        """Names of the layers that stay in float32."""
        return tuple(layer.name for layer in self.layers if not layer.quantised)

    def require_for(self, network: nn.Module) -> None:
        """Raise UserError where its layers are not the convolutions of `network`."""
        there = convolutions(network)
        if {layer.name for layer in self.layers} != set(there):
            raise UserError(
                f"The recipe is of {self.network} x{self.scale}, with {len(self.layers)} convolutions; this network "
                f"has others ({len(there)}). {_MADE_BY}"
            )


def convolutions(network: nn.Module) -> dict[str, nn.Conv2d]:
    """The layers that are quantised, by name."""
    return {name: module for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}


def save(recipe: Recipe, path: Path) -> None:
    """Write a recipe, whole or not at all."""
    head = {"network": recipe.network, "scale": recipe.scale, "layers": [asdict(layer) for layer in recipe.layers]}
    content = io.BytesIO()
    np.savez_compressed(content, head=np.array(json.dumps(head)), images=recipe.images)
    write_atomically(path, lambda handle: handle.write(content.getvalue()))


def read(path: Path) -> Recipe:
    """The recipe in a file. Raises UserError where there is none."""
    try:
        with np.load(path, allow_pickle=False) as content:
            head, images = json.loads(str(content["head"])), content["images"]
        layers = tuple(_layer(**fields) for fields in head["layers"])
        return Recipe(network=head["network"], scale=head["scale"], layers=layers, images=images)
    except FileNotFoundError as error:
        raise UserError(f"There is no file {path}. {_MADE_BY}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no recipe of quantisation. {_MADE_BY}") from error


def _layer(*, input_range: Sequence[float], output_range: Sequence[float], **fields: object) -> Layer:
    ranges = {"input_range": tuple(input_range), "output_range": tuple(output_range)}
    return Layer(**fields, **ranges)  # type: ignore[arg-type]
