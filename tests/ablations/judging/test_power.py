"""Power against tables, against the committed records' known figures, and against simulated studies."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from safmn_bench.ablations.judging.deviation import Deviation
from safmn_bench.ablations.judging.power import Design, Noise, detectable, power, seeds_for
from safmn_bench.ablations.judging.significance import Comparison, compare, noise_of

MEASURED = Noise(run=Deviation(sd=0.0235, freedom=9), taste_sd=0.01, rest_sd=0.026, images=100)
"""Of results/ablation/cpu_amd_epyc-reduced_cpu on B100, in dB; taste as of its nearly equal networks."""


def families(
    noise: Noise, *, networks: int, seeds: int, draws: int, delta: float = 0.0, images: int = 20
) -> Iterator[dict[str, Comparison]]:
    """Judged families by the crossed-effects model; only network n1 differs from the baseline, by `delta`."""
    rng = np.random.default_rng(networks * 100 + seeds)
    names = [f"n{index}" for index in range(networks)]
    for _ in range(draws):
        y = 26 + 3 * rng.normal(size=images) + 0.02 * rng.normal(size=(1, seeds, 1))
        y = y + noise.run.sd * rng.normal(size=(networks, seeds, 1))
        y = y + noise.taste_sd * rng.normal(size=(networks, 1, images))
        y = y + noise.rest_sd * rng.normal(size=(networks, seeds, images))
        y[1] += delta
        scores = {
            name: {s: {str(i): float(y[n, s, i]) for i in range(images)} for s in range(seeds)}
            for n, name in enumerate(names)
        }
        yield compare(scores, "n0")


def any_find(found: dict[str, Comparison]) -> bool:
    return any(one.verdict == "" for one in found.values())


def test_difference_for_seeds_is_that_of_our_own_records():
    """Issue of the project: 2 seeds 0.074 dB, 3: 0.057, 5: 0.043, 10: 0.030, seed noise only, ten networks."""
    only_seeds = Noise(run=MEASURED.run)
    found = [detectable(only_seeds, Design(seeds=n, networks=10)) for n in (2, 3, 5, 10)]
    assert found == pytest.approx([0.074, 0.057, 0.043, 0.030], abs=0.0005)


def test_power_of_two_networks_is_that_of_the_paired_t_test():
    """Paired t-test, differences of mean 1 and deviation 1: 10 pairs give 0.80 (Cohen 1988, table 2.3.5)."""
    noise = Noise(run=Deviation(sd=1 / np.sqrt(2), freedom=9))
    assert power(1.0, noise, Design(seeds=10, networks=2)) == pytest.approx(0.80, abs=0.005)
    assert seeds_for(1.0, noise, networks=2) == 10


@pytest.mark.parametrize("difference", [0.02, 0.03, 0.1])
def test_seeds_for_a_difference_are_the_fewest_that_find_it(difference: float):
    noise = Noise(run=MEASURED.run)
    seeds = seeds_for(difference, noise, networks=10, comparisons=9)
    assert seeds is not None
    designs = [Design(seeds=n, networks=10, comparisons=9) for n in (seeds, seeds - 1)]
    assert detectable(noise, designs[0]) <= difference < detectable(noise, designs[1])


def test_no_number_of_seeds_finds_what_the_images_hide():
    """Two networks' tastes on 10 images leave 0.1 x sqrt(2 / 10) = 0.045 dB, however many seeds there are."""
    noise = Noise(run=MEASURED.run, taste_sd=0.1, rest_sd=0.0, images=10)
    assert seeds_for(0.03, noise, networks=10) is None


def test_noise_is_found_again_in_what_it_made():
    rng = np.random.default_rng(0)
    y = 26 + 3 * rng.normal(size=40) + 0.05 * rng.normal(size=(1, 20, 1)) + 0.02 * rng.normal(size=(12, 20, 1))
    y = y + 0.04 * rng.normal(size=(12, 1, 40)) + 0.03 * rng.normal(size=(12, 20, 40))
    noise = noise_of(
        {f"n{n}": {s: {str(i): float(y[n, s, i]) for i in range(40)} for s in range(20)} for n in range(12)}, "n0"
    )
    assert noise.run.sd == pytest.approx(0.02, rel=0.12)
    assert noise.taste_sd == pytest.approx(0.04, rel=0.12)
    assert noise.rest_sd == pytest.approx(0.03, rel=0.02)
    assert (noise.run.freedom, noise.images) == (209, 40)


def test_simulated_power_is_that_of_the_figure():
    noise, design = replace(MEASURED, images=20), Design(seeds=3, networks=10)
    delta = detectable(noise, design)
    found = [f["n1"].p for f in families(noise, networks=10, seeds=3, draws=400, delta=delta)]
    assert np.mean([p is not None and p < 0.05 for p in found]) == pytest.approx(0.80, abs=0.06)  # 3 standard errors


def test_twins_are_counted_once_in_their_family():
    (found,) = families(MEASURED, networks=4, seeds=2, draws=1)
    assert {one.family for one in found.values()} == {3}
    rng = np.random.default_rng(0)
    scores = {f"n{n}": {s: {"a": 30 + rng.normal()} for s in range(3)} for n in range(3)}
    scores["twin"] = scores["n2"]
    alone, once = compare(scores, "n0"), compare(scores, "n0", {"twin": "n2"})
    assert {one.family for one in alone.values()} == {3}
    assert {one.family for one in once.values()} == {2}
    assert once["twin"].p_holm == once["n2"].p_holm


def test_an_undecided_comparison_says_what_it_could_have_found():
    """Two networks, 10 pairs whose differences have the deviation 1: 1.0 is found in 80 of 100 (Cohen, as above)."""
    differences = np.tile([-1.0, 1.0], 5) * np.sqrt(9 / 10)  # deviation 1 by n - 1
    scores = {
        "n0": {s: {"a": 30.0 + 0.1 * s} for s in range(10)},
        "n1": {s: {"a": 30.0 + 0.1 * s + float(d)} for s, d in enumerate(differences)},
    }
    (one,) = compare(scores, "n0").values()
    assert one.verdict == "n.s."
    assert one.detectable == pytest.approx(1.0, abs=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("networks", [3, 10, 23])
def test_of_a_thousand_null_families_at_most_one_in_twenty_has_a_find(networks: int, seeds: int):
    """With 1,000 families the standard error is 0.7 points: 6.4 % would be reached by chance in one of 40 tests."""
    found = [any_find(f) for f in families(MEASURED, networks=networks, seeds=seeds, draws=1000, images=100)]
    assert np.mean(found) <= 0.05 + 2 * 0.007


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("networks", [3, 10, 23])
def test_simulated_power_is_within_three_points_of_the_figure(networks: int, seeds: int):
    """On 100 images, as measured. On 20 images of that taste the figure is up to 5 points too high: the test takes the
    images' share by an estimate that is often zero there.
    """
    delta = detectable(MEASURED, Design(seeds=seeds, networks=networks))
    design = {"networks": networks, "seeds": seeds, "draws": 1500, "images": 100}
    found = [f["n1"].p for f in families(MEASURED, delta=delta, **design)]
    assert np.mean([p is not None and p < 0.05 for p in found]) == pytest.approx(0.80, abs=0.03)
