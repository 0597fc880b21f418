"""Standard deviations, their intervals, and the ratio of two of the same runs."""

import numpy as np
import pytest

from safmn_bench.ablations.judging.deviation import Deviation, contrasts, deviation, ratio, within_networks


def test_interval_of_a_deviation_is_the_chi_square_one():
    """Tables of the chi-square distribution at 9 degrees of freedom: 2.700 and 19.023."""
    low, high = Deviation(sd=0.022, freedom=9).interval()
    assert (low, high) == pytest.approx((0.022 * np.sqrt(9 / 19.023), 0.022 * np.sqrt(9 / 2.700)), rel=1e-3)


def test_without_freedom_nothing_is_known():
    assert Deviation(sd=0.0, freedom=0).interval() == (0.0, np.inf)


def test_contrasts_hold_the_residual_of_networks_and_seeds():
    rng = np.random.default_rng(0)
    table = rng.normal(size=(3, 8)) + 5 * rng.normal(size=(3, 1)) + 5 * rng.normal(size=(1, 8))
    residual = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    assert contrasts(table).size == 14
    assert (contrasts(table) ** 2).sum() == pytest.approx((residual**2).sum())
    assert deviation(within_networks(table)).sd == pytest.approx(np.sqrt(table.var(axis=1, ddof=1).mean()))


def coverage(correlation: float, true: float, draws: int = 1500) -> float:
    """How often the interval of the ratio holds the true one, over pairs of 14 values."""
    rng, hits = np.random.default_rng(1), 0
    for _ in range(draws):
        one, other = rng.normal(size=(2, 14))
        found = ratio(true * one, correlation * one + np.sqrt(1 - correlation**2) * other)
        hits += found.low <= true <= found.high
    return hits / draws


@pytest.mark.parametrize(("correlation", "true"), [(0.0, 1.0), (0.8, 0.7), (0.97, 0.8)])
def test_the_interval_of_a_ratio_holds_the_true_one_in_95_of_100(correlation: float, true: float):
    assert coverage(correlation, true) == pytest.approx(0.95, abs=0.017)  # three standard errors of 1,500 draws


def test_scores_that_move_together_tell_their_ratio_better():
    rng = np.random.default_rng(2)
    one, other = rng.normal(size=(2, 14))
    close, far = ratio(0.8 * one, one + 0.1 * other), ratio(0.8 * one, other)
    assert close.high / close.low < 1.3 < 2 < far.high / far.low


def test_too_few_pairs_are_refused():
    with pytest.raises(ValueError, match="at least 3 pairs"):
        ratio([1.0, 2.0], [1.0, 2.0])
