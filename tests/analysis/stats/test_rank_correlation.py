"""Spearman's coefficient against scipy, its interval against the formula worked by hand and against simulation."""

import numpy as np
import pytest
from scipy import stats

from safmn_bench.analysis.stats.rank_correlation import interval_of, largest_change, spearman

OURS = {"a": 4.0, "b": 3.0, "c": 2.5, "d": 2.0, "e": 1.0}
THEIRS = {"e": 10.0, "a": 30.0, "b": 40.0, "c": 40.0, "d": 11.0, "elsewhere": 99.0}


def test_coefficient_is_scipys_over_the_networks_in_both():
    found = spearman({**OURS, "only_here": 7.0}, THEIRS)
    expected = stats.spearmanr([4.0, 3.0, 2.5, 2.0, 1.0], [30.0, 40.0, 40.0, 11.0, 10.0])
    assert found.n == 5
    assert found.r == pytest.approx(expected.statistic)  # pyright: ignore[reportAttributeAccessIssue]
    assert found.p == pytest.approx(expected.pvalue)  # pyright: ignore[reportAttributeAccessIssue]


def test_coefficient_and_p_are_scipys_with_ties_and_few_networks():
    rng = np.random.default_rng(0)
    for n in [n for n in range(3, 25) for _ in range(10)]:
        ours = np.round(rng.normal(size=n), rng.integers(0, 3))
        theirs = np.round(ours * rng.integers(-1, 2) + rng.normal(size=n), rng.integers(0, 3))
        names = [f"network{i}" for i in range(n)]
        found = spearman(dict(zip(names, ours, strict=True)), dict(zip(names, theirs, strict=True)))
        if len(set(ours)) < 2 or len(set(theirs)) < 2:
            assert found.r is None
        else:
            expected = stats.spearmanr(ours, theirs)
            assert found.r == pytest.approx(expected.statistic, abs=1e-12)  # pyright: ignore[reportAttributeAccessIssue]
            assert found.p == pytest.approx(expected.pvalue, abs=1e-7)  # pyright: ignore[reportAttributeAccessIssue]


def test_interval_of_one_half_over_ten_networks_by_hand():
    """The atanh of 0.5 is 0.549306, sqrt(1.125 / 7) 0.400892; 1.959964 times that is 0.785734."""
    assert interval_of(0.5, 10) == pytest.approx((-0.232119, 0.870476), abs=1e-6)


def test_exact_agreement_and_too_few_networks_have_no_interval():
    assert interval_of(1.0, 10) is None
    assert interval_of(0.5, 3) is None
    assert spearman({"a": 1.0, "b": 1.0}, {"a": 1.0, "b": 2.0}).r is None
    same = spearman(OURS, OURS)
    assert (same.r, same.low, same.n) == (pytest.approx(1.0), None, 5)


def test_interval_holds_the_true_coefficient_in_about_95_percent_of_draws():
    """Nine networks from a bivariate normal of correlation 0.6, whose Spearman coefficient is 6/pi asin(0.3)."""
    rng, true, held = np.random.default_rng(0), 6 / np.pi * np.arcsin(0.3), 0
    draws = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], size=(4000, 9))
    ranks = draws.argsort(axis=1).argsort(axis=1)  # (draws, networks, 2)
    squares = ((ranks[..., 0] - ranks[..., 1]) ** 2).sum(axis=1)
    for r in 1 - 6 * squares / (9 * (81 - 1)):
        low, high = interval_of(float(r), 9) or (r, r)
        held += low <= true <= high
    assert 0.93 < held / len(draws) < 0.98


def test_largest_change_of_place_names_who_moved():
    before = {"a": 4.0, "b": 3.0, "c": 2.0, "d": 1.0}
    assert largest_change(before, {"d": 1.0, "b": 3.0, "c": 2.0, "a": 0.0, "x": 9.0}) == ("a", 3.0)
    assert largest_change(before, before)[1] == 0
