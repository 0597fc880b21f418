"""Operator times: what belongs to which row, that nothing counts twice, traffic by hand, and the command's files."""

import csv
import gzip
import json
from pathlib import Path

import pytest
import torch

from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.profiling.counting.flops import count
from safmn_bench.profiling.operators import main
from safmn_bench.profiling.tracing import roofline
from safmn_bench.profiling.tracing import table as operators_table
from safmn_bench.profiling.tracing.operation_names import COPIES, blocks_of, operation_name
from safmn_bench.profiling.tracing.profiler import Operation, Trace, trace
from safmn_bench.profiling.tracing.roofline import Ceilings, draw, points
from safmn_bench.profiling.tracing.traffic import Work, work

SMALL = SAFMNConfig(dim=8, n_blocks=2)
# By Eq. 1 to 4 for two blocks of four levels; the residuals are two per block and one around all blocks.
CALLS = {
    "LayerNorm": 4,
    "Channel Splitting": 2,
    "Adaptive MaxPool": 6,
    "Nearest Interpolation": 6,
    "Element-wise Product": 2,
    "Element-wise Addition": 5,
}


@pytest.fixture
def small() -> SAFMN:
    torch.manual_seed(0)
    return SAFMN(SMALL, scale=4).eval()


@pytest.mark.parametrize(
    ("path", "operators", "row"),
    [
        ("feats.1.norm1", ("mean", "sum"), "LayerNorm"),
        ("feats.0.safm", ("chunk", "split", "narrow"), "Channel Splitting"),
        ("feats.0.safm", ("adaptive_max_pool2d",), "Adaptive MaxPool"),
        ("feats.0.safm", ("adaptive_max_pool2d", "contiguous", "clone", "copy_"), COPIES),
        ("feats.0.safm", ("upsample_nearest2d",), "Nearest Interpolation"),
        ("feats.0.safm", ("mul",), "Element-wise Product"),
        ("feats.1", ("add",), "Element-wise Addition"),
        ("", ("add",), "Element-wise Addition"),
        ("feats.1.safm", ("cat",), "cat safm"),
        ("feats.1.ccm.ccm.0", ("conv2d", "convolution"), "conv2d ccm.ccm.0 (3x3, 8 to 16)"),
        ("feats.1.safm.mfr.2", ("convolution",), "conv2d safm.mfr.2 (depthwise, 3x3, 2 to 2)"),
    ],
)
def test_an_operator_belongs_to_the_row_of_its_module(small: SAFMN, path: str, operators: tuple[str, ...], row: str):
    assert operation_name(dict(small.named_modules()), path, operators) == row


def test_meta_operations_are_called_as_often_as_the_equations_say(small: SAFMN):
    traced = trace(small, torch.rand(1, 3, 16, 24), 2)
    calls = {operation.name: operation.calls for operation in traced.operations}
    assert {name: calls[name] for name in CALLS} == CALLS
    assert calls["conv2d safm.aggr (1x1, 8 to 8)"] == 2
    assert calls["pixel_shuffle to_img.1"] == 1
    assert COPIES not in calls


def test_splitting_is_followed_by_copies_in_channels_last_memory(small: SAFMN):
    lr = torch.rand(1, 3, 16, 24).contiguous(memory_format=torch.channels_last)
    traced = trace(small.to(memory_format=torch.channels_last), lr, 1)  # type: ignore[call-overload]
    copies = {operation.name: operation.calls for operation in traced.operations}[COPIES]
    assert copies > 0
    rows = operators_table.rows(traced, 2, described(), lr.device)
    assert f"({copies} copies" in "".join(operators_table.notes(rows, traced))


def test_self_times_count_nothing_twice(small: SAFMN):
    """Their sum stays within the clock around the pass; total times, with nested operators, would exceed it."""
    traced = trace(small, torch.rand(1, 3, 64, 64), 1)
    summed = sum(operation.self_time_us for operation in traced.operations)
    assert 0 < summed < traced.outer_us
    assert traced.remainder_us == traced.outer_us - summed


def test_profiling_leaves_no_hooks_behind(small: SAFMN):
    trace(small, torch.rand(1, 3, 8, 8), 1)
    work(small, torch.rand(1, 3, 8, 8))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in small.modules())


def described() -> dict[str, object]:
    shared = {"model": "safmn", "scale": 4, "implementation": "eager", "dtype": "fp32", "passes": 1}
    return {**shared, "lr_height": 16, "lr_width": 24}


def test_shares_are_of_the_outer_clock_and_the_remainder_is_a_row():
    operations = [Operation(name="Element-wise Product", calls=2, self_time_us=30.0)]
    operations.append(Operation(name="cat safm", calls=2, self_time_us=50.0))
    traced = Trace(operations=operations, outer_us=100.0, unprofiled_us=90.0)
    rows = operators_table.rows(traced, 2, described(), torch.device("cpu"))
    assert [row["operation"] for row in rows[:6]] == list(CALLS)
    shares = {row["operation"]: (row["share"], row["per_layer_us"], row["paper_us"]) for row in rows}
    assert shares["Element-wise Product"] == (0.3, 15.0, "156")
    assert shares["LayerNorm"] == (0.0, 0.0, "465")
    assert shares["cat safm"] == (0.5, 25.0, None)
    assert shares[operators_table.REMAINDER] == (0.2, 10.0, None)
    assert sum(row["share"] for row in rows[:-1]) == pytest.approx(1)


def test_work_of_a_block_by_hand(small: SAFMN):
    """16x24 pixels, 8 channels, float32: a residual reads two tensors and writes one; splitting moves nothing."""
    found = work(small, torch.rand(1, 3, 16, 24))
    element_bytes = 8 * 16 * 24 * 4
    assert found.traffic_bytes["Element-wise Addition"] == 5 * 3 * element_bytes
    assert found.traffic_bytes["cat safm"] == 2 * 2 * element_bytes
    assert found.traffic_bytes["Channel Splitting"] == 0
    pooled = 2 * (8 * 12 + 4 * 6 + 2 * 3)  # two channels at each of three levels; values and their positions
    assert found.traffic_bytes["Adaptive MaxPool"] == 2 * (3 * 2 * 16 * 24 * 4 + pooled * (4 + 8))
    assert found.flop["Element-wise Product"] == 2 * 8 * 16 * 24
    assert found.flop["cat safm"] == 0


def test_arithmetic_of_convolutions_is_twice_fvcores_multiply_adds(small: SAFMN):
    flop = work(small, torch.rand(1, 3, 16, 24)).flop
    convolutions = sum(n for name, n in flop.items() if name.startswith("conv2d"))
    assert convolutions == 2 * count(small, (1, 3, 16, 24)).flops_by_operator["_convolution"]


def test_roofline_points_are_work_over_time():
    operations = [
        Operation(name="conv2d", calls=1, self_time_us=10.0),
        Operation(name="view", calls=1, self_time_us=30),
    ]
    (point,) = points(operations, Work(flop={"conv2d": 4000}, traffic_bytes={"conv2d": 100, "view": 0}))
    assert (point.flop_per_s, point.bytes_per_s, point.intensity, point.share) == (4e8, 1e7, 40, 0.25)


def test_roofline_picture_names_operations_and_ceilings(tmp_path: Path):
    operations = [Operation(name="conv2d here", calls=1, self_time_us=10.0)]
    found = points(operations, Work(flop={"conv2d here": 4000}, traffic_bytes={"conv2d here": 100}))
    draw(tmp_path / "roof.svg", "title", found, Ceilings(flop_per_s=3e11, bytes_per_s=2e10))
    picture = (tmp_path / "roof.svg").read_text()
    assert "<!-- matrix product 300 Gflop/s" in picture or "300 Gflop/s, copy 20.0 GB/s" in picture
    assert "conv2d here" in picture


def test_blocks_share_the_work():
    assert blocks_of(SAFMN(SMALL, scale=2)) == 2
    assert blocks_of(torch.nn.Linear(1, 1)) == 1


def test_operators_command_writes_table_trace_and_roofline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(roofline, "measure_ceilings", lambda device, dtype: Ceilings(flop_per_s=1e11, bytes_per_s=1e10))
    variant = tmp_path / "small.yaml"
    variant.write_text("model: {n_blocks: 2, dim: 8}\n")
    files = [tmp_path / name for name in ("table.csv", "trace.json.gz", "roof.png")]
    options = ["--lr-size", "24x16", "--passes", "1", "--device", "cpu", "--implementation", "fast"]
    options += ["--csv", str(files[0]), "--trace", str(files[1]), "--roofline", str(files[2])]
    assert main(["--model", str(variant), *options]) == 0
    with files[0].open(newline="") as handle:
        reader = csv.DictReader(handle)
        rows = {row["operation"]: row for row in reader}
        assert (reader.fieldnames or [])[:5] == ["operation", "calls", "self_time_us", "share", "paper_us"]
    assert rows["LayerNorm"]["calls"] == "4"
    assert rows["Element-wise Product and Addition in one"]["calls"] == "2"
    assert rows["LayerNorm"]["paper_us"] == "465"
    assert rows["LayerNorm"]["model"] == "small"
    events = json.loads(gzip.decompress(files[1].read_bytes()))["traceEvents"]
    assert any(event.get("name") == "module:feats.1.safm" for event in events)
    assert files[2].read_bytes().startswith(b"\x89PNG")
    assert "Outer clock" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--roofline", "roof.doc"], ".png, .svg, .pdf"), (["--passes", "0"], "--passes 0"), (["--lr-size", "9"], "WxH")],
)
def test_wrong_options_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(options) == 2
    assert message.replace("WxH", "width x height") in capsys.readouterr().err
