"""Looks at growing numbers of seeds: published boundaries, the level over all looks, and null families."""

import numpy as np
import pytest
from scipy import stats

from safmn_bench.ablations.judging.family import Family, Scores
from safmn_bench.ablations.judging.sequential import Looks, compare_at_looks, critical_values, overall, spent
from safmn_bench.ablations.judging.significance import compare_in, holm

FIVE = (0.2, 0.4, 0.6, 0.8, 1.0)
LOOKS = Looks(first=2, most=10)


def scores_of(y: np.ndarray, seeds: list[int]) -> Scores:
    """Of y (networks, seeds, images), the first so many seeds of each network."""
    return {
        f"n{v}": {s: {str(i): x for i, x in enumerate(y[v, s].tolist())} for s in range(n)} for v, n in enumerate(seeds)
    }


def test_critical_values_of_five_looks_are_the_published_ones():
    """Of R's package gsDesign: sfLDOF, 0.025 on either side, five equal looks."""
    assert critical_values(0.05, FIVE) == pytest.approx([4.877, 3.357, 2.680, 2.290, 2.031], abs=0.0006)


def test_the_whole_level_is_spent_at_the_last_look_and_next_to_nothing_early():
    assert spent(0.05, 1.0) == pytest.approx(0.05)
    assert spent(0.05, 0.2) == pytest.approx(2 * stats.norm.sf(4.877), rel=0.01)


def test_paths_of_no_difference_leave_at_some_look_in_five_percent():
    """Looks at each of 2 to 10 seeds; at 1.96 each time it would be 17 %."""
    z = np.random.default_rng(0).normal(size=(60000, 10)).cumsum(1)[:, 1:] / np.sqrt(np.arange(2, 11))
    assert (abs(z) > critical_values(0.05, LOOKS.shares)).any(axis=1).mean() == pytest.approx(0.05, abs=0.003)
    assert (abs(z) > 1.96).any(axis=1).mean() == pytest.approx(0.168, abs=0.005)


@pytest.mark.parametrize("level", [0.05, 0.05 / 9, 0.3])
def test_a_p_value_at_a_looks_critical_value_has_that_level_overall(level: float):
    values = critical_values(level, LOOKS.shares)
    found = [overall(float(2 * stats.norm.sf(z)), look, LOOKS.shares) for look, z in enumerate(values)]
    assert found == pytest.approx([level] * 9, rel=0.02)


def test_an_early_find_is_kept_when_its_network_gets_no_more_seeds():
    rng = np.random.default_rng(1)
    y = 26 + 0.02 * rng.normal(size=(4, 10, 1)) + 0.02 * rng.normal(size=(4, 10, 20))
    y[1] -= 0.5
    early = compare_at_looks(scores_of(y, [3, 3, 3, 3]), "n0", LOOKS)
    late = compare_at_looks(scores_of(y, [10, 3, 10, 10]), "n0", LOOKS)
    assert early["n1"].verdict == ""
    assert (late["n1"].p, late["n1"].difference) == (early["n1"].p, early["n1"].difference)
    assert (late["n1"].seeds, late["n2"].seeds) == (3, 10)


def test_a_network_with_fewer_seeds_than_the_first_look_is_untested():
    y = np.random.default_rng(2).normal(size=(3, 4, 5))
    found = compare_at_looks(scores_of(y, [4, 1, 4]), "n0", LOOKS)
    assert (found["n1"].verdict, found["n1"].p) == ("untested", None)


def any_find(rng: np.random.Generator, networks: int, looks: Looks) -> bool:
    """A null family with the measured variances, with seeds added to what is undecided: whether anything is found."""
    shape = (networks, looks.most, 100)
    y = 26 + 3 * rng.normal(size=shape[2]) + 0.02 * rng.normal(size=(1, shape[1], 1))
    y = y + 0.0235 * rng.normal(size=(*shape[:2], 1)) + 0.01 * rng.normal(size=(networks, 1, shape[2]))
    y = y + 0.026 * rng.normal(size=shape)
    have, chances, open_ones = [looks.first] * networks, [1.0] * (networks - 1), list(range(1, networks))
    for look, seeds in enumerate(range(looks.first, looks.most + 1)):
        rows = [(v, s) for v in range(networks) for s in range(have[v])]
        values = np.array([y[v, s] for v, s in rows])
        found = compare_in(Family([f"n{v}" for v, _ in rows], [s for _, s in rows], values), "n0")
        for v in (v for v in range(1, networks) if have[v] == seeds):
            chances[v - 1] = min(chances[v - 1], overall(found[f"n{v}"].p or 0.0, look, looks.shares))
        open_ones = [v for v, p in enumerate(holm(chances), start=1) if p >= 0.05]
        for v in [0, *open_ones] if open_ones and seeds < looks.most else []:
            have[v] = seeds + 1
    return len(open_ones) < networks - 1


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("networks", [3, 10, 23])
def test_of_a_thousand_null_families_at_most_one_in_twenty_has_a_find_at_any_look(networks: int, seeds: int):
    """With 1,000 families the standard error is 0.7 points."""
    rng = np.random.default_rng(networks * 100 + seeds)
    found = [any_find(rng, networks, Looks(first=seeds, most=10)) for _ in range(1000)]
    assert np.mean(found) <= 0.05 + 2 * 0.007
