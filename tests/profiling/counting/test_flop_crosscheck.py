"""Two counters on every network, and the warning for a count that cannot be all."""

from pathlib import Path

import pytest
from torch import nn

from safmn_bench.models.catalog import MODELS, build_model
from safmn_bench.models.variants import VARIANTS
from safmn_bench.profiling import complexity as command
from safmn_bench.profiling.counting import cross_check as cross_checks
from safmn_bench.profiling.counting.cross_check import CrossCheck, cross_check, suspicion
from safmn_bench.profiling.counting.flops import Complexity, count

SIZE = (1, 3, 24, 40)
# Operators with a rule in fvcore that torch's counter does not have, by variant; all others have the baseline's.
FVCORE_ONLY = {
    "baseline": {"upsample_nearest2d"},
    "avg_pool": {"upsample_nearest2d", "adaptive_avg_pool2d"},
    "w_SE": {"upsample_nearest2d", "adaptive_avg_pool2d"},
    "bn": {"upsample_nearest2d", "batch_norm"},
    **{name: set() for name in ("w_o_SAFM", "w_o_MR", "w_o_FM_MR", "w_o_FM_MR_FA")},
}


@pytest.mark.parametrize("name", VARIANTS)
def test_both_counters_agree_on_every_variant(name: str):
    found = cross_check(VARIANTS[name].build(4), SIZE)
    assert found.agree, found.sentence()
    assert found.torch > 0
    assert set(found.fvcore_only) == FVCORE_ONLY.get(name, {"upsample_nearest2d"})


@pytest.mark.parametrize(
    ("name", "scale"), [(m.name, s) for m in MODELS.values() for s in m.scales if m.name != "safmn"]
)
def test_both_counters_agree_on_every_other_network(name: str, scale: int):
    network = build_model(name, scale)
    module, shape = network.counted(24, 40) if hasattr(network, "counted") else (network, SIZE)  # type: ignore[operator]
    found = cross_check(module, tuple(shape))
    assert found.agree, found.sentence()


def test_multiply_adds_by_hand():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 1), nn.Flatten(2), nn.Linear(60, 5))
    found = cross_check(network, (1, 3, 10, 6))
    assert (found.fvcore, found.torch) == (60 * (3 * 8 * 9 + 8 * 4) + 4 * 60 * 5,) * 2
    assert found.agree


def test_counts_that_differ_say_by_how_much():
    found = CrossCheck(fvcore=1100, torch=1500, fvcore_only={"upsample_nearest2d": 100})
    assert not found.agree
    assert "THEY DIFFER by -500" in found.sentence()


def counted(params: int, flops: int) -> Complexity:
    shape = (1, 3, 320, 180)
    return Complexity(
        params=params, flops=flops, acts=0, input_shape=shape, flops_by_operator={}, uncounted_ops={"custom::op": 8}
    )


def test_count_below_half_a_multiply_add_per_weight_and_pixel_is_suspected():
    """The referee's case: a network of about 9.3 G counted as 1.59 G; 160 K weights, 57,600 pixels need 4.6 G."""
    doubt = suspicion(counted(160_000, 1_590_000_000))
    assert doubt is not None
    assert "(4.608 G)" in doubt
    assert "custom::op" in doubt
    assert suspicion(counted(160_000, 4_608_000_000)) is None


def test_plain_safmn_is_above_suspicion():
    assert suspicion(count(VARIANTS["baseline"].build(4), SIZE)) is None


def test_complexity_command_cross_checks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
):
    variant = tmp_path / "small.yaml"
    variant.write_text("model: {n_blocks: 1, dim: 8}\n")
    assert command.main(["--models", str(variant), "--cross-check"]) == 0
    assert "they agree; fvcore alone counts upsample_nearest2d" in capsys.readouterr().out
    monkeypatch.setattr(cross_checks, "suspicion", lambda cost: "too small")
    monkeypatch.setattr(cross_checks, "cross_check", lambda *_: CrossCheck(fvcore=1, torch=2, fvcore_only={}))
    assert command.main(["--models", str(variant), "--cross-check"]) == 1
    assert "warning: small x4: too small" in capsys.readouterr().err
