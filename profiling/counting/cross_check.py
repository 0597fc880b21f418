"""Two independent counters on one network: fvcore (multiply-adds) and torch.utils.flop_counter (two per multiply-add).

torch's counter knows convolutions and matrix products only; fvcore also counts interpolation, pooling and
normalisation. They agree when fvcore's share of convolutions and matrix products is half of torch's count. Both are
blind to custom operators, so a count is also held against the least that its parameters suggest.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from safmn_bench.models.variants import Candidate
from safmn_bench.profiling.counting.flops import Complexity, count, counted_form

PRODUCTS = ("_convolution", "conv", "addmm", "mm", "bmm", "baddbmm", "matmul", "linear", "einsum")
"""fvcore's names of the operators that torch's counter counts too."""


@dataclass(frozen=True, kw_only=True)
class CrossCheck:
    """Multiply-adds by both counters; `fvcore_only` are the operators that torch's counter does not know."""

    fvcore: int
    torch: int
    fvcore_only: dict[str, int]

    @property
    def agree(self) -> bool:
        """Whether both count the same convolutions and matrix products."""
        return self.fvcore - sum(self.fvcore_only.values()) == self.torch

    def sentence(self) -> str:
        """The outcome and what explains it."""
        known = ", ".join(f"{name} {macs}" for name, macs in self.fvcore_only.items())
        counts = f"fvcore {self.fvcore}, torch {self.torch} multiply-adds"
        if self.agree:
            return f"{counts}: they agree" + (f"; fvcore alone counts {known}." if known else ".")
        lacking = self.fvcore - sum(self.fvcore_only.values()) - self.torch
        return f"{counts}: THEY DIFFER by {lacking} in convolutions and products; one of them misses an operator."


def cross_check(network: nn.Module, input_shape: tuple[int, ...], counted: Complexity | None = None) -> CrossCheck:
    """Count `network` on `input_shape` by both; `counted` is fvcore's count where it is known already."""
    counted = counted or count(network, input_shape)
    macs, odd = divmod(_torch_flops(network.eval(), input_shape), 2)
    assert odd == 0
    only = {name: n for name, n in counted.flops_by_operator.items() if name not in PRODUCTS and n}
    return CrossCheck(fvcore=counted.flops, torch=macs, fvcore_only=only)


def compare_with_torch(wanted: Sequence[tuple[Candidate, int]], costs: Sequence[Complexity]) -> bool:
    """Print how each count compares with torch's; whether all agree."""
    agreed = True
    for (candidate, scale), cost in zip(wanted, costs, strict=True):
        module, shape = counted_form(candidate.build(scale), scale)
        counted = cross_check(module, shape, cost)
        print(f"{candidate.name} x{scale}: {counted.sentence()}")
        agreed &= counted.agree
    return agreed


def suspicion(counted: Complexity) -> str | None:
    """Why a count is too small to be all: below parameters x LR pixels / 2, an operator was probably not seen.

    Convolutions at the size of the image cost a multiply-add per weight and pixel; only networks that work at smaller
    sizes cost less.
    """
    height, width = counted.input_shape[-2:]
    least = counted.params * height * width // 2
    if counted.flops >= least:
        return None
    unseen = ", ".join(counted.uncounted_ops) or "none reported"
    return (
        f"{counted.flops / 1e9:.3f} G FLOPs are fewer than parameters x pixels / 2 ({least / 1e9:.3f} G): the sign of "
        f"an operator that the counter missed, or of work at smaller sizes. Operators not counted: {unseen}."
    )


@torch.no_grad()
def _torch_flops(network: nn.Module, input_shape: tuple[int, ...]) -> int:
    """Torch's count, on tensors without data where the network allows it, else on zeros."""
    state = {name: tensor.to("meta") for name, tensor in network.state_dict(keep_vars=True).items()}
    with contextlib.suppress(RuntimeError, NotImplementedError), FlopCounterMode(display=False) as counter:
        torch.func.functional_call(network, state, (torch.zeros(input_shape, device="meta"),))
        return counter.get_total_flops()
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(input_shape))
    return counter.get_total_flops()
