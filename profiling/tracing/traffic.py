"""Work of each operation of a forward pass, computed and moved: operations, and bytes of its operands and results."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from safmn_bench.profiling.tracing.operation_names import operation_name

_MOVES = ("cat", "clone", "copy_", "upsample_nearest2d", "pixel_shuffle", "index_select", "constant_pad_nd", "_to_copy")


@dataclass(frozen=True, kw_only=True)
class Work:
    """By operation, per forward pass: arithmetic operations (a multiply-add is two), and bytes read and written."""

    flop: Mapping[str, int]
    traffic_bytes: Mapping[str, int]


@dataclass
class _Counting(TorchDispatchMode):
    """Counts every operator that reaches a kernel; views and metadata cost nothing."""

    modules: dict[str, nn.Module]
    running: list[str] = field(default_factory=list)
    flop: Counter[str] = field(default_factory=Counter)
    traffic: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if self.running:
            name = func.overloadpacket.__name__
            read = list(_tensors((args, kwargs)))
            operation = operation_name(self.modules, self.running[-1], (name,))
            storages = {t.untyped_storage().data_ptr() for t in read}
            written = [t for t in _tensors(output) if t.untyped_storage().data_ptr() not in storages]
            if written or name.endswith("_"):
                moved = [*read, *written] if written else [*read, read[0]]
                self.traffic[operation] += sum(t.numel() * t.element_size() for t in moved)
                self.flop[operation] += _flop(name, read, [*written, *read[:1]][0])
        return output


def work(network: nn.Module, lr: torch.Tensor) -> Work:
    """Count one forward pass of `network` on `lr` (1, 3, H, W).

    Convolutions: two operations per multiply-add. Everything else that computes: one per element of its largest
    operand. What only moves data (concatenation, interpolation, copies): none. Traffic is what a kernel must read and
    write once; the caches may save some of it, and a poor kernel may do more.
    """
    counting = _Counting(dict(network.named_modules()))
    hooks = []
    for path, module in network.named_modules():
        hooks.append(module.register_forward_pre_hook(lambda *_, path=path: counting.running.append(path)))
        hooks.append(module.register_forward_hook(lambda *_: void(counting.running.pop())))
    try:
        with torch.no_grad(), counting:
            network(lr)
    finally:
        for hook in hooks:
            hook.remove()
    return Work(flop=counting.flop, traffic_bytes=counting.traffic)


def void(_: object) -> None:
    """Nothing: the result of a hook that must not replace the module's output."""


def _tensors(tree: Any) -> Iterator[torch.Tensor]:
    return (leaf for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor))


def _flop(name: str, read: list[torch.Tensor], output: torch.Tensor) -> int:
    if name in ("convolution", "_convolution", "conv2d"):
        weight = read[1]
        return 2 * output.numel() * weight.numel() // weight.shape[0]
    if name in _MOVES:
        return 0
    return max(t.numel() for t in [*read, output])
