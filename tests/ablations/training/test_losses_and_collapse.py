"""The loss against numpy's transform, and what counts as a collapse."""

import math

import numpy as np
import pytest
import torch

from safmn_bench.ablations.recipe import LossKeys
from safmn_bench.ablations.training.collapse import PATIENCE, CollapseWatch
from safmn_bench.ablations.training.learner import l1_fft_loss


def test_loss_is_l1_plus_weighted_spectrum_error():
    rng = np.random.default_rng(0)
    sr, hr = rng.random((2, 2, 3, 16, 12))
    spectrum = np.fft.rfft2(sr) - np.fft.rfft2(hr)
    expected = np.abs(sr - hr).mean() + 0.05 * np.stack([np.abs(spectrum.real), np.abs(spectrum.imag)]).mean()
    got = l1_fft_loss(torch.tensor(sr).float(), torch.tensor(hr).float(), LossKeys(l1=1.0, fft=0.05))
    assert got.item() == pytest.approx(expected, rel=1e-5)


def test_constant_error_has_the_loss_computed_by_hand():
    """An error of 0.5 everywhere in 4x4: L1 0.5; the spectrum is 8 at one of 12 coefficients, real, so mean 8 / 24."""
    sr, hr = torch.full((1, 3, 4, 4), 0.75), torch.full((1, 3, 4, 4), 0.25)
    assert l1_fft_loss(sr, hr, LossKeys(l1=1.0, fft=0.05)).item() == pytest.approx(0.5 + 0.05 * 8 / 24)
    assert l1_fft_loss(sr, hr, LossKeys(l1=1.0, fft=0.0)).item() == pytest.approx(0.5)


def watched(losses: list[float], norm: float = 1.0) -> CollapseWatch:
    watch = CollapseWatch()
    for i, loss in enumerate(losses):
        watch.observe(i, loss, norm)
    return watch


def test_nan_loss_is_a_collapse_at_its_iteration():
    watch = watched([0.1] * 30 + [math.nan] + [0.1] * 5)
    assert (watch.iteration, watch.reason) == (30, "loss not finite")


def test_infinite_gradient_is_a_collapse():
    watch = CollapseWatch()
    assert watch.observe(0, 0.1, math.inf)
    assert watch.reason == "gradient not finite"


def test_loss_that_leaves_its_band_for_good_is_dated_to_its_first_bad_step():
    watch = watched([0.1] * 100 + [0.9] * (PATIENCE - 1))
    assert watch.iteration is None
    assert watch.observe(100 + PATIENCE - 1, 0.9, 1.0)
    assert watch.iteration == 100


def test_spikes_and_slow_changes_are_no_collapse():
    spikes = [0.1 if i % PATIENCE else 5.0 for i in range(1000)]
    drift = [0.1 * 1.004**i for i in range(1000)]
    assert watched(spikes).iteration is None
    assert watched(drift).iteration is None


def test_watch_continues_from_its_state():
    watch, resumed = watched([0.1] * 50 + [0.9] * 10), CollapseWatch()
    resumed.load_state_dict(watch.state_dict())
    for i in range(60, 50 + PATIENCE):
        resumed.observe(i, 0.9, 1.0)
    assert resumed.iteration == 50


@pytest.mark.parametrize(("outside", "collapsed"), [(24, False), (25, True)])
def test_patience_is_25_iterations(outside: int, collapsed: bool):
    assert (watched([0.1] * 100 + [0.9] * outside).iteration is not None) is collapsed


@pytest.mark.parametrize(("loss", "collapsed"), [(0.39, False), (0.41, True)])
def test_the_band_ends_at_four_times_the_median(loss: float, collapsed: bool):
    assert (watched([0.1] * 100 + [loss] * 25).iteration is not None) is collapsed


@pytest.mark.parametrize(("good", "collapsed"), [(19, False), (20, True)])
def test_there_is_a_band_after_20_good_losses(good: int, collapsed: bool):
    assert (watched([0.1] * good + [9.0] * 25).iteration is not None) is collapsed


def test_the_median_is_over_the_last_200_losses():
    """150 losses of 0.1 are forgotten after 200 of 0.3: 1.0 is inside the band, 1.3 is not."""
    assert watched([0.1] * 150 + [0.3] * 200 + [1.0] * 25).iteration is None
    assert watched([0.1] * 150 + [0.3] * 200 + [1.3] * 25).iteration == 350
