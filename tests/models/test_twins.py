"""Variants of one function: found among those of the paper, and no other pair is taken for one."""

from dataclasses import replace
from itertools import combinations

from safmn_bench.models.safmn import SAFMNConfig
from safmn_bench.models.twins import TOLERANCE, distance, same_function, twins
from safmn_bench.models.variants import TABLE3, TABLE4


def networks() -> dict[str, tuple[SAFMNConfig, object]]:
    return {one.name: (one.config, tuple(one.recipe.items())) for one in (*TABLE3, *TABLE4) if one.config is not None}


def test_of_the_papers_variants_only_fbn_is_another_ones_twin():
    """A frozen normalisation that stays at mean 0 and variance 1 is none; w_o_LN_lr1e-4 is trained otherwise."""
    assert twins(networks()) == {"fbn": "w_o_LN"}


def test_other_pairs_are_further_apart_than_a_hundred_tolerances():
    configs = {one.name: replace(one.config, n_blocks=1) for one in TABLE3 if one.config is not None}
    apart = {
        (a, b): distance(configs[a], configs[b])
        for a, b in combinations(configs, 2)
        if configs[a] != configs[b] and {a, b} not in ({"fbn", "w_o_LN"}, {"fbn", "w_o_LN_lr1e-4"})
    }
    assert min(apart.values()) > 100 * TOLERANCE
    assert distance(configs["fbn"], configs["w_o_LN"]) < TOLERANCE / 10


def test_depth_and_width_are_never_the_same_function():
    small = SAFMNConfig(dim=8, n_blocks=1)
    assert same_function(small, small)
    assert not same_function(small, replace(small, n_blocks=2))
    assert not same_function(small, replace(small, dim=12))
