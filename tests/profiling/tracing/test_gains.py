"""The steps of the fast SAFMN: what each exchanges, what is predicted, and the command's table."""

import csv
import itertools
from pathlib import Path

import pytest
import torch
from benchmarks.gains import main

from safmn_bench.models.blocks import LayerNorm2d
from safmn_bench.models.fast import FAST_FORMS, FastLayerNorm2d, FastSAFM, optimise
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.profiling.tracing import fast_steps as steps
from safmn_bench.profiling.tracing import profiler as tracing
from safmn_bench.profiling.tracing.fast_steps import STEPS, best_ratio
from safmn_bench.profiling.tracing.profiler import Operation, Trace
from safmn_bench.profiling.tracing.roofline import Ceilings
from safmn_bench.profiling.tracing.traffic import Work

STEP = {step.name: step for step in STEPS}


def test_last_step_without_compilation_is_what_optimise_does():
    plain = SAFMN(SAFMNConfig(n_blocks=1), scale=4)
    last = [step for step in STEPS if not step.compiled][-1]
    stepped, fast = last.apply(plain), optimise(SAFMN(SAFMNConfig(n_blocks=1), scale=4))
    assert [type(m) for m in stepped.modules()] == [type(m) for m in fast.modules()]
    assert set(last.exchanged) == set(FAST_FORMS)


def test_steps_stand_on_each_other_and_leave_the_plain_network_alone():
    plain = SAFMN(SAFMNConfig(n_blocks=1), scale=4)
    network = STEP["LayerNorm in one kernel"].apply(plain)
    assert isinstance(network.feats[0].norm1, FastLayerNorm2d)  # type: ignore[union-attr]
    assert not isinstance(network.feats[0].safm, FastSAFM)  # type: ignore[union-attr]
    assert type(plain.feats[0].norm1) is LayerNorm2d  # type: ignore[union-attr]
    compared = [step.exchanged for step in STEPS if not step.compiled]
    assert all(a == b[: len(a)] for a, b in itertools.pairwise(compared))


def test_prediction_is_the_changed_rows_at_the_pace_of_the_ceilings():
    """LayerNorm's 40 of 100 us become 10: 200 bytes at 20 MB/s; the convolution's work is not asked for."""
    operations = [Operation(name="LayerNorm", calls=1, self_time_us=40.0)]
    operations.append(Operation(name="conv2d a", calls=1, self_time_us=50.0))
    before = Trace(operations=operations, outer_us=100.0, unprofiled_us=95.0)
    after = Work(flop={"LayerNorm": 10, "conv2d a": 10**9}, traffic_bytes={"LayerNorm": 200, "conv2d a": 10**9})
    ceilings = Ceilings(flop_per_s=1e9, bytes_per_s=2e7)
    assert best_ratio(before, after, ceilings, STEP["LayerNorm in one kernel"]) == pytest.approx(100 / 70)
    assert best_ratio(before, after, ceilings, STEP["torch.compile of it"]) == pytest.approx(100 / 60)
    slow = Ceilings(flop_per_s=5e5, bytes_per_s=2e7)  # 20 us of arithmetic outweigh 10 us of traffic
    assert best_ratio(before, after, slow, STEP["LayerNorm in one kernel"]) == pytest.approx(100 / 80)


@pytest.mark.slow
def test_gains_command_writes_a_row_per_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(steps, "measure_ceilings", lambda device: Ceilings(flop_per_s=1e11, bytes_per_s=1e10))
    for module in (steps, tracing):
        monkeypatch.setattr(module, "warm_up", lambda *_, **__: None)  # its rule is tested with latency
    table = tmp_path / "gains.csv"
    options = ["--no-compile", "--rounds", "1", "--lr-size", "16x8", "--device", "cpu", "--csv", str(table)]
    assert main(options) == 0
    with table.open(newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["step"] for row in rows] == [step.name for step in STEPS if not step.compiled]
    assert (rows[0]["ratio_to_plain"], rows[0]["predicted_ratio"], rows[0]["relative_difference"]) == ("1.0", "", "0.0")
    assert all(float(row["relative_difference"]) <= 1e-5 for row in rows)
    assert all(float(row["predicted_ratio"]) > 0 for row in rows[1:])
    assert {row["runs"] for row in rows} == {"2"}
    assert rows[0]["torch"] == torch.__version__
    assert "At best: predicted" in capsys.readouterr().out
