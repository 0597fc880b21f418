"""Networks of other conventions under ours, RGB in [0, 1] to RGB in [0, 1], without a change of their code or keys.

The network keeps its class's name and its state-dict keys: it becomes an instance of a subclass whose `forward` turns
the input, calls the original, picks the super-resolved image of what comes back, and turns it back.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from safmn_bench.models.color import rgb_to_ycbcr, ycbcr_to_rgb
from safmn_bench.models.errors import UserError, match_name
from safmn_bench.models.resize import bicubic_up

INPUTS = ("rgb", "y")


@dataclass(frozen=True, kw_only=True)
class Adaptation:
    """Conventions of a network, what it expects and gives; the defaults are this suite's own convention."""

    input_range: float = 1.0
    """White of input and output: 1, or 255."""
    mean: tuple[float, ...] = ()
    """RGB mean in [0, 1] that the caller subtracts before and adds after; none where the network does it itself."""
    input: str = "rgb"
    """rgb, or y: luma alone (BT.601, 16 to 235), colour enlarged by bicubic."""
    size_multiple: int = 1
    """LR sides are padded by reflection to a multiple of this, and the result cropped."""
    output: int | str | None = None
    """Which of several outputs is the image: its place or its key; by default the one of the right size."""

    def __post_init__(self) -> None:
        if not isinstance(self.input_range, int | float) or self.input_range <= 0:
            raise UserError(f"network.input_range={self.input_range!r} is no positive number. Allowed: 1 or 255, say.")
        if self.mean and len(self.mean) != 3:
            raise UserError(f"network.mean={self.mean!r} is no list of three numbers in [0, 1], of R, G and B.")
        if not isinstance(self.size_multiple, int) or not 1 <= self.size_multiple <= 256:
            raise UserError(f"network.size_multiple={self.size_multiple!r} is not a whole number from 1 to 256.")
        object.__setattr__(self, "input", match_name("network.input", str(self.input), INPUTS))

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Adaptation":
        """From options by name. Raises UserError for an unknown or unusable one."""
        known = [option.name for option in fields(cls)]
        named = {match_name("option of a network", name, known): value for name, value in options.items()}
        if "mean" in named:
            named["mean"] = tuple(named["mean"] or ())
        return cls(**named)

    def changes(self) -> dict[str, Any]:
        """The options that are not the defaults, as plain values."""
        usual = asdict(Adaptation())
        changed = {name: value for name, value in asdict(self).items() if value != usual[name]}
        return changed | ({"mean": list(self.mean)} if self.mean else {})

    def sentences(self) -> list[str]:
        """Caveats, in sentences, for a reader of results."""
        told = []
        if self.size_multiple > 1:
            told.append(f"LR sides are padded by reflection to a multiple of {self.size_multiple}; SR is cropped.")
        if self.input == "y":
            told.append("The network enlarges luma; colour is enlarged by bicubic.")
        return told


def padding_of(network: nn.Module, lr_height: int, lr_width: int) -> str:
    """The effect of its padding on an LR image of this size, in a sentence; empty where it pads nothing."""
    multiple = getattr(network, "pads_to", 1)
    height, width = (-(-side // multiple) * multiple for side in (lr_height, lr_width))
    if (height, width) == (lr_height, lr_width):
        return ""
    return (
        f"LR {lr_width}x{lr_height} is padded to {width}x{height}, sides a multiple of {multiple}; figures include it"
    )


def adapted(network: nn.Module, how: Adaptation, scale: int) -> nn.Module:
    """The same object, under our convention; its `scale` is set where the network has nothing of that name."""
    kind = type(network)
    original: Callable[..., Any] = kind.forward

    def forward(self: nn.Module, rgb: torch.Tensor) -> torch.Tensor:
        return _enlarged(lambda x: original(self, x), rgb, how, scale)

    caveats = getattr(kind, "caveats", lambda self: [])
    members: dict[str, Any] = {
        "forward": forward, "__module__": kind.__module__, "__doc__": kind.__doc__,
        "caveats": lambda self: [*caveats(self), *how.sentences()],
    }  # fmt: skip
    if how.size_multiple > 1:
        members["pads_to"] = how.size_multiple
    if how.input == "y":
        members["counted"] = lambda self, height, width: (_Luma(self, original), (1, 1, height, width))
    network.__class__ = type(kind.__name__, (kind,), members)
    if not hasattr(network, "scale"):
        network.scale = scale  # type: ignore[assignment]
    return network


class _Luma(nn.Module):
    """The part of a network on luma that the literature counts: the network alone, on one channel."""

    def __init__(self, network: nn.Module, original: Callable[..., Any]) -> None:
        super().__init__()
        self.network, self.original = network, original

    def forward(self, y: torch.Tensor) -> Any:
        return self.original(self.network, y)


def _enlarged(network: Callable[[torch.Tensor], Any], rgb: torch.Tensor, how: Adaptation, scale: int) -> torch.Tensor:
    height, width = rgb.shape[-2:]
    x, ycbcr = rgb, None
    if how.input == "y":
        ycbcr = rgb_to_ycbcr(rgb)
        x = ycbcr[:, :1]
    if how.size_multiple > 1:
        x = _padded(x, how.size_multiple)
    mean = x.new_tensor(how.mean).view(1, 3, 1, 1) if how.mean else 0.0
    size = (x.shape[-2] * scale, x.shape[-1] * scale)
    sr = _image(network((x - mean) * how.input_range if how.mean or how.input_range != 1 else x), how.output, size)
    if how.mean or how.input_range != 1:
        sr = sr / how.input_range + mean
    if how.size_multiple > 1:
        sr = sr[..., : height * scale, : width * scale]
    if ycbcr is not None:
        colour = bicubic_up(ycbcr[:, 1:], scale)
        sr = ycbcr_to_rgb(torch.cat([sr.to(colour.dtype), colour], dim=1))
    return sr


def _padded(x: torch.Tensor, multiple: int) -> torch.Tensor:
    """Right and bottom, by reflection; by repetition of the edge where an image is too small to reflect."""
    bottom, right = -x.shape[-2] % multiple, -x.shape[-1] % multiple
    fits = bottom < x.shape[-2] and right < x.shape[-1]
    return F.pad(x, (0, right, 0, bottom), mode="reflect" if fits else "replicate")


def _image(output: Any, wanted: int | str | None, size: tuple[int, int]) -> torch.Tensor:
    """The image among what a network gave. Raises UserError where there is none of the right size."""
    if wanted is not None:
        try:
            output = output[wanted]
        except (KeyError, IndexError, TypeError) as error:
            raise UserError(f"The network's output has no {wanted!r}: it is {_told(output)}.") from error
    elif isinstance(output, list | tuple | dict):
        values = list(output.values()) if isinstance(output, dict) else list(output)
        right = [value for value in values if isinstance(value, torch.Tensor) and _fits(value, size)]
        if not right:
            raise UserError(f"None of the network's outputs has {size[0]}x{size[1]} pixels: they are {_told(output)}.")
        return right[-1]  # of stages that all have the size, the last is the result
    if not isinstance(output, torch.Tensor) or not _fits(output, size):
        raise UserError(
            f"The network's output is {_told(output)}, where {size[0]}x{size[1]} pixels, scale times the input, are "
            "expected. Is its scale another, or does it need a size_multiple? `safmn-bench check` finds out."
        )
    return output


def _fits(tensor: torch.Tensor, size: tuple[int, int]) -> bool:
    if (
        torch._C._get_tracing_state() is not None
    ):  # sizes are tensors there, and a comparison would be frozen into the trace
        return tensor.ndim == 4
    return tensor.ndim == 4 and tensor.shape[-2:] == size


def _told(output: Any) -> str:
    if isinstance(output, torch.Tensor):
        return "x".join(map(str, output.shape))
    if isinstance(output, list | tuple):
        return f"{len(output)} outputs ({', '.join(_told(item) for item in output)})"
    if isinstance(output, dict):
        return f"a mapping of {', '.join(map(str, output))}"
    return type(output).__name__
