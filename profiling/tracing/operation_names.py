"""Table 5's names of the operators inside a network: by the module that called it, and by its own name."""

import re
from collections.abc import Mapping

from torch import nn

from safmn_bench.models.blocks import NORMS
from safmn_bench.models.safmn import FMM, SAFM, SAFMN, SAFMNConfig
from safmn_bench.profiling.common.paper import read_table

NORM = "LayerNorm"
PRODUCT_AND_SUM = "Element-wise Product and Addition in one"
VIEWS = "Other views"
COPIES = "Copies of split channels"
_NORM_TYPES = tuple({type(make(4)) for make in NORMS.values()} - {nn.Identity})
_IN_SAFM = {
    "Channel Splitting": ("chunk", "split", "narrow", "slice", "split_with_sizes"),
    "Adaptive MaxPool": (
        "adaptive_max_pool2d",
        "adaptive_avg_pool2d",
        "maximum",
        "max_pool2d",
        "max_pool2d_with_indices",
        "mkldnn_max_pool2d",
    ),
    "Nearest Interpolation": ("upsample_nearest2d", "repeat_interleave", "expand"),
    "Element-wise Product": ("mul", "mul_"),
    PRODUCT_AND_SUM: ("addcmul",),
}
_VIEWS = ("unflatten", "flatten", "unsqueeze", "permute", "alias", "view", "expand", "as_strided", "_reshape_alias")
_COPYING = ("clone", "contiguous")
_SAME = {"convolution": "conv2d", "_convolution": "conv2d", "mkldnn_convolution": "conv2d", "add_": "add"}


def meta_operations() -> dict[str, str]:
    """The six operations of Table 5 and the paper's times in microseconds, as printed."""
    return {row["meta_operation"]: row["runtime_us"] for row in read_table("table5.csv")}


def operation_name(modules: Mapping[str, nn.Module], path: str, operators: tuple[str, ...]) -> str:
    """The row that an operator belongs to.

    `path` names the innermost module that was running, `operators` the chain from the operator that the module called
    down to the one that is meant (aten names without their namespace).
    """
    module, top = modules[path], operators[0]
    if any(is_norm(modules[outer]) for outer in _outer(path)):
        return NORM
    if any(isinstance(modules[outer], SAFM) for outer in _outer(path)):
        takes_a_part = top in _IN_SAFM["Adaptive MaxPool"] or ".mfr." in path
        if takes_a_part and any(name in _COPYING for name in operators):
            return COPIES
        for operation, names in _IN_SAFM.items():
            if top in names:
                return operation
    if isinstance(module, FMM | SAFMN) and top in ("add", "add_"):
        return "Element-wise Addition"
    if operators[-1] in _VIEWS:
        return VIEWS
    return f"{_SAME.get(top, top)} {_place(path, module)}".strip()


def is_norm(module: nn.Module) -> bool:
    """Whether the module is one of the normalisations that SAFMN's variants exchange."""
    return isinstance(module, _NORM_TYPES)


def _outer(path: str) -> list[str]:
    """A module's path and those of all modules around it: 'a.b' -> ['a.b', 'a', '']."""
    parts = path.split(".") if path else []
    return [".".join(parts[:n]) for n in range(len(parts), -1, -1)]


def _place(path: str, module: nn.Module) -> str:
    """Where in the network, the same for every block; the kernel of a convolution beside it."""
    place = re.sub(r"(^|\.)(feats|body|blocks|layers)\.\d+(\.|$)", r"\1", path)
    if isinstance(module, nn.Conv2d):
        kind = "depthwise, " if module.groups == module.in_channels > 1 else ""
        size = "x".join(map(str, module.kernel_size))
        return f"{place} ({kind}{size}, {module.in_channels} to {module.out_channels})"
    return place


def blocks_of(network: nn.Module) -> int:
    """How many layers share the work, to state times per layer: the blocks of a SAFMN, else 1."""
    config = getattr(network, "config", None)
    return config.n_blocks if isinstance(config, SAFMNConfig) else 1
