"""Networks that compute the same function of the same weights: one question, whatever they are called.

`fbn` is `w_o_LN` up to the epsilon of a frozen normalisation; comparing both with the baseline asks one thing twice.
"""

from collections.abc import Hashable, Mapping
from dataclasses import replace
from functools import lru_cache

import torch

from safmn_bench.models.named_init import build_seeded
from safmn_bench.models.safmn import SAFMN, SAFMNConfig

_SEED = 20230713
_SIDE = 16  # LR pixels: four levels of pooling still differ
TOLERANCE = 1e-4
"""Of the largest output. One block of `fbn` and `w_o_LN` differs by below 1e-5 of it (an epsilon of 1e-5 beside a
variance of 1), the two next alike variants of Table 3 by more than 100 tolerances (tests/models/test_twins.py)."""


def twins(networks: Mapping[str, tuple[SAFMNConfig, Hashable]]) -> dict[str, str]:
    """Network -> the one before it, in the mapping's order, that computes the same; empty where all differ.

    `networks`: name -> configuration, and what else must be equal (how it is trained). One block of each is compared,
    on weights drawn by name and then moved, norms' scales and biases too, in training mode: a batch normalisation at
    its start would otherwise be the identity.
    """
    twin_of: dict[str, str] = {}
    for name, (config, training) in networks.items():
        for first, (other, other_training) in networks.items():
            if first == name:
                break
            if first not in twin_of and training == other_training and same_function(config, other):
                twin_of[name] = first
                break
    return twin_of


def same_function(first: SAFMNConfig, second: SAFMNConfig) -> bool:
    """Whether two configurations compute the same of the same weights, to rounding."""
    if first.n_blocks != second.n_blocks or first.dim != second.dim:
        return False
    return distance(first, second) <= TOLERANCE


@lru_cache(maxsize=4096)
def distance(first: SAFMNConfig, second: SAFMNConfig) -> float:
    """The largest difference of one block's outputs, as a share of the largest output."""
    output, other = (_output(replace(config, n_blocks=1)) for config in (first, second))
    return float((output - other).abs().max() / output.abs().max())


@lru_cache(maxsize=256)
def _output(config: SAFMNConfig) -> torch.Tensor:
    """Of two images; torch's random state is left alone."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        network = build_seeded(lambda: SAFMN(config, scale=2), _SEED, "name").train()
        for parameter in network.parameters():
            # by its size: what one network has and the other lacks does not change how the rest is moved
            noise = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
            parameter.mul_(1 + 0.2 * noise).add_(0.01 * noise)  # added too: a bias of 0 would stay 0 when scaled
        return network(torch.rand(2, 3, _SIDE, _SIDE, generator=torch.Generator().manual_seed(_SEED)))
