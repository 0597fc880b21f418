"""Who stops at the cut: by hand, by simulation of noise alone, and on the committed records."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from safmn_bench.ablations.judging.halving import run_deviation, standings
from safmn_bench.ablations.judging.significance import compare

STUDY = Path(__file__).parents[3] / "results" / "ablation" / "cpu_amd_epyc-reduced_cpu"
CUT = 1500  # of 3,000 iterations


def stopped(scores: dict[str, dict[int, float]], *always: str) -> set[str]:
    return {line.network for line in standings(scores, always) if not line.goes_on}


def table(values: np.ndarray) -> dict[str, dict[int, float]]:
    return {f"n{v}": dict(enumerate(map(float, row))) for v, row in enumerate(values)}


def test_deviation_is_what_network_and_seed_leave():
    """Two networks, two seeds: differences 0.2 and 0.4 between networks; (0.1)^2 over one degree of freedom."""
    one = run_deviation({"a": {0: 30.0, 1: 31.0}, "b": {0: 30.2, 1: 31.4}})
    assert (one.sd, one.freedom) == (pytest.approx(0.1), 1)


def test_a_network_stops_where_its_interval_excludes_the_last_of_the_top_half():
    """Sd 0.1 on 3 degrees of freedom, two seeds each: t(0.9, 3) = 1.638, so 0.164 below the second best of four."""
    noise = np.array([[1, -1], [1, -1], [-1, 1], [-1, 1]]) * 0.1 * (3 / 8) ** 0.5
    means = np.array([30.3, 30.2, 30.04, 30.03])
    scores = table(means[:, None] + noise)
    assert run_deviation(scores).sd == pytest.approx(0.1)
    assert stopped(scores) == {"n3"}
    assert stopped(scores, "n3") == set()
    assert standings(scores)[3].half_width == pytest.approx(0.1638, abs=1e-4)


def test_one_seed_tells_nothing_and_is_refused():
    with pytest.raises(ValueError, match="at least two seeds"):
        standings({"a": {0: 30.0}, "b": {0: 31.0}, "c": {0: 20.0}})


def test_a_network_as_good_as_the_last_of_the_top_half_is_stopped_in_at_most_one_case_of_ten():
    rng = np.random.default_rng(0)
    means = np.array([1.0, 1.0, 0.0, 0.0, -1.0, -1.0])  # n2 is the last of the top half; n3 is as good
    wrong = ["n3" in stopped(table(means[:, None] + 0.02 * rng.normal(size=(6, 2)))) for _ in range(600)]
    assert np.mean(wrong) <= 0.10 + 3 * 0.012


@pytest.fixture(scope="module")
def committed() -> tuple[dict[str, dict[int, float]], list[str]]:
    """Scores at half the iterations (Set5), and the top half by the final mean on B100."""
    half: dict[str, dict[int, float]] = {}
    final: dict[str, list[float]] = {}
    for path in sorted(STUDY.glob("*/x4/seed*/record.json")):
        record = json.loads(path.read_text())
        with (path.parent / "validation.csv").open(newline="") as handle:
            (score,) = [float(r["psnr_y_db"]) for r in csv.DictReader(handle) if int(r["iteration"]) == CUT]
        half.setdefault(record["variant"], {})[record["seed"]] = score
        final.setdefault(record["variant"], []).append(record["scores"]["B100"]["psnr_y_db"])
    return half, sorted(final, key=lambda name: -sum(final[name]))[: len(final) // 2]


def test_on_the_committed_records_halving_saves_a_quarter_and_keeps_the_top_half(committed):
    half, top = committed
    ended = stopped(half, "baseline")
    assert ended == {"l2_norm", "w_o_LN", "fbn", "channel_mlp", "w_o_CCM"}  # 5 of 10 stop at half: 25 % saved
    assert not ended & set(top)


def test_on_resampled_seed_pairs_the_true_top_half_is_kept_in_at_least_19_of_20(committed):
    half, top = committed
    rng = np.random.default_rng(0)
    kept, saved = [], []
    for _ in range(400):
        drawn = {name: {s: runs[int(rng.integers(2))] for s in (0, 1)} for name, runs in half.items()}
        ended = stopped(drawn, "baseline")
        kept.append(not ended & set(top))
        saved.append(len(ended) / len(drawn) / 2)
    assert np.mean(kept) >= 0.95
    assert np.mean(saved) >= 0.23  # 25 % is what halving can save


def any_find(rng: np.random.Generator, networks: int, seeds: int) -> bool:
    """A null family with the measured variances, halved at half its iterations: whether any survivor is found.

    A run's chance at the cut (0.058 dB on Set5) and at the end (0.0235 dB on B100) are correlated by 0.7.
    """
    shared = rng.normal(size=(networks, seeds))
    apart = rng.normal(size=shared.shape)
    cut = table(0.03 * rng.normal(size=seeds) + 0.058 * (0.7 * shared + 0.51**0.5 * apart))
    y = 26 + 3 * rng.normal(size=100) + 0.02 * rng.normal(size=(1, seeds, 1)) + 0.0235 * shared[..., None]
    y = y + 0.01 * rng.normal(size=(networks, 1, 100)) + 0.026 * rng.normal(size=(networks, seeds, 100))
    kept = [int(line.network[1:]) for line in standings(cut, {"n0"}) if line.goes_on]
    scores = {f"n{v}": {s: {str(i): float(x) for i, x in enumerate(y[v, s])} for s in range(seeds)} for v in kept}
    found = compare(scores, "n0", dropped=networks - len(kept)) if len(kept) > 1 else {}
    return any(one.verdict == "" for one in found.values())


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize("networks", [3, 10, 23])
def test_of_a_thousand_halved_null_families_at_most_one_in_twenty_has_a_find(networks: int, seeds: int):
    """With 1,000 families the standard error is 0.7 points."""
    rng = np.random.default_rng(networks * 100 + seeds)
    assert np.mean([any_find(rng, networks, seeds) for _ in range(1000)]) <= 0.05 + 2 * 0.007
