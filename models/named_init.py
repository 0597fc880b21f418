"""Initial weights that depend on a parameter's name and not on what was built before it.

torch draws the weights of a network in the order in which its layers are made. Two variants with one seed therefore
start alike only as far as their layers are made in the same order and shape: one convolution less, and everything
behind it starts from other numbers, so that the noise of the initial weights stays in the difference of two variants.
Drawn by name, parameters of one name and shape start equal in every network of a seed.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

INITIALISATIONS = ("order", "name")


def build_seeded(build: Callable[[], nn.Module], seed: int, initialisation: str) -> nn.Module:
    """The network that `build` makes, drawn from `seed` in torch's order, or by the parameters' names.

    By name, `build` is called twice: the first time shows which random draw ends in which parameter, the second draws
    each from a seed of its own, made of `seed`, the parameter's name and its shape. Whatever the network does to its
    weights (scaling, truncation, orthogonal rows) is done as it does it. torch's global random state is that of `seed`
    afterwards: exactly so by name, as construction leaves it by order.
    """
    torch.manual_seed(seed)
    if initialisation == "order":
        return build()
    with _Draws() as draws:
        network = build()
    seeds = [_seed_of(seed, *place) for place in _places(network, draws.targets)]
    with _Draws(seeds):
        network = build()
    torch.manual_seed(seed)
    return network


class _Draws(TorchDispatchMode):
    """Notes the tensor that each random operation fills; with `seeds`, seeds torch before the n-th one with the n-th.

    Operations are told by torch's own tag for those that read a generator, so no list of them is kept here.
    """

    def __init__(self, seeds: Sequence[int] | None = None) -> None:
        super().__init__()
        self.seeds = seeds
        self.targets: list[torch.Tensor] = []  # kept alive: a freed one's memory could become another's

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Not to be hidden from torch.compile: that alone would import it, 2 s for a network drawn by name."""
        return False

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        drawing = torch.Tag.nondeterministic_seeded in func.tags
        if drawing and self.seeds is not None:
            torch.manual_seed(self.seeds[len(self.targets)])
        result = func(*args, **(kwargs or {}))
        if drawing and isinstance(result, torch.Tensor):
            self.targets.append(result)
        return result


def _places(network: nn.Module, targets: Sequence[torch.Tensor]) -> list[tuple[str, tuple[int, ...], int]]:
    """(name, shape, how many draws went there before) of the parameter or buffer that each draw fills.

    A draw that fills none (a value that was copied, or used once) is told by its number among those.
    """
    homes: dict[int, tuple[str, tuple[int, ...]]] = {}
    for name, tensor in network.state_dict(keep_vars=True).items():
        homes.setdefault(tensor.untyped_storage().data_ptr(), (name, tuple(tensor.shape)))
    filled = [homes.get(target.untyped_storage().data_ptr(), ("", ())) for target in targets]
    before: Counter[str] = Counter()
    places = []
    for name, shape in filled:
        places.append((name, shape, before[name]))
        before[name] += 1
    return places


def _seed_of(seed: int, name: str, shape: tuple[int, ...], before: int) -> int:
    """63 bits of the SHA-256 of what decides a draw."""
    digest = hashlib.sha256(f"{seed} {name} {shape} {before}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
