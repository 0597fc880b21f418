"""Radial spectra of signals whose spectrum is known."""

import numpy as np
import pytest
import torch
from torch import nn

from safmn_bench.analysis.attribution.spectrum import Spectrum, blocks_of, held_by, mean_spectrum, radial_spectrum
from safmn_bench.models.catalog import build_model


def white(seed: int, sd: float = 2.0, shape: tuple[int, int, int] = (8, 64, 96)) -> np.ndarray:
    return np.random.default_rng(seed).normal(5.0, sd, shape)


def test_the_spectrum_of_white_noise_is_flat_within_its_interval():
    """Variance 4 at each frequency, in 95 % of the intervals; of all draws together in every one of 99.9 %."""
    spectra = [radial_spectrum(white(seed)) for seed in range(20)]
    inside = [(low <= 4) & (high >= 4) for low, high in (spectrum.interval() for spectrum in spectra)]
    assert 0.93 < np.mean(inside) < 0.985
    low, high = mean_spectrum(spectra).interval(0.999)
    assert ((low <= 4) & (high >= 4)).all()
    assert np.mean([spectrum.power for spectrum in spectra]) == pytest.approx(4, rel=0.01)


def test_a_wave_stands_at_its_own_frequency():
    x = np.arange(64)
    wave = np.broadcast_to(np.sin(2 * np.pi * 0.25 * x), (1, 64, 64))
    spectrum = radial_spectrum(wave)
    assert spectrum.frequency[spectrum.power.argmax()] == 0.25
    far = np.abs(spectrum.frequency - 0.25) > 3 / 64
    assert spectrum.power[far].max() < 1e-3 * spectrum.power.max()


def test_a_mean_alone_has_no_power():
    assert radial_spectrum(np.full((2, 32, 32), 7.0)).power == pytest.approx(0, abs=1e-20)


def test_frequencies_end_at_half_a_cycle_per_pixel():
    frequency = radial_spectrum(white(0)).frequency
    assert frequency[[0, -1]].tolist() == [2 / 64, 0.5]


def test_a_mean_of_spectra_holds_the_values_of_all():
    one, two = (radial_spectrum(white(seed)) for seed in (0, 1))
    both = mean_spectrum([one, two])
    assert both.power == pytest.approx((one.power + two.power) / 2)
    assert both.values == pytest.approx(2 * one.values)
    with pytest.raises(ValueError, match="several sizes"):
        mean_spectrum([one, Spectrum(one.frequency[:3], one.power[:3], one.values[:3])])


def test_the_blocks_of_a_network_are_its_longest_chain_of_modules_alike():
    assert blocks_of(build_model("safmn", 4)) == [f"feats.{i}" for i in range(8)]
    assert blocks_of(build_model("smfanet", 4)) == [f"feats.{i}" for i in range(8)]
    assert blocks_of(build_model("imdn", 4)) == []  # names its blocks one by one


def test_what_modules_hold_is_noted_for_a_pass_and_no_longer():
    network = nn.Sequential(nn.Conv2d(3, 5, 1), nn.ReLU())
    with held_by(network, ["0"]) as held:
        output = network[0](torch.ones(1, 3, 4, 6))
        network(torch.ones(1, 3, 4, 6))
        assert np.array_equal(held()["0"], output[0].detach().numpy())
    assert not network[0]._forward_hooks
