"""The floors by hand, and the benchmark of the training pace on a tiny configuration."""

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from safmn_bench.ablations.throughput import main
from safmn_bench.ablations.training import png_reference
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.tracing import roofline


class Doubling(nn.Module):
    """One 3x3 convolution to 12 channels and a pixel shuffle."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x)


def test_convolution_bytes_by_hand():
    """3 x input (3 channels) + 2 x output (12 channels), 4 bytes, 10x10 pixels."""
    assert roofline.convolution_bytes(Doubling(), 10) == 4 * 100 * (3 * 3 + 2 * 12)


def test_floors_follow_from_counts_and_rates(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(roofline, "matrix_rate", lambda device, precision: {"fp32": 1e9, "bf16": 4e9}[precision])
    monkeypatch.setattr(roofline, "copy_rate", lambda device: 2e6)
    found = roofline.step_floors(Doubling, 4, 10, torch.device("cpu"))
    macs = 4 * 100 * 3 * 12 * 9
    assert found.arithmetic_ms == pytest.approx(1e3 * 6 * macs / 1e9)
    assert found.traffic_ms == pytest.approx(1e3 * 4 * 13200 / 2e6)


def test_floors_of_bf16_are_set_against_a_bf16_product(monkeypatch: pytest.MonkeyPatch):
    """Against a float32 product a step in bf16 would reach more than 100 %."""
    monkeypatch.setattr(roofline, "matrix_rate", lambda device, precision: {"fp32": 1e9, "bf16": 4e9}[precision])
    monkeypatch.setattr(roofline, "copy_rate", lambda device: 2e6)
    found = roofline.step_floors(Doubling, 4, 10, torch.device("cpu"), "bf16")
    assert found.arithmetic_ms == pytest.approx(1e3 * 6 * 4 * 100 * 3 * 12 * 9 / 4e9)
    assert found.traffic_ms == pytest.approx(1e3 * 4 * 13200 / 2 / 2e6)


@pytest.mark.slow
def test_throughput_writes_a_row_per_mode(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    variant = tmp_path / "small.yaml"
    variant.write_text("model: {n_blocks: 1, dim: 8}\n")
    table = tmp_path / "pace.csv"
    overrides = ["train.patch=8", "train.batch=2"]
    assert (
        main(["--model", str(variant), "--device", "cpu", "--rounds", "1", "--csv", str(table), "--set", *overrides])
        == 0
    )
    with table.open(newline="") as handle:
        rows = {row["mode"]: row for row in csv.DictReader(handle)}
    assert list(rows) == ["plain step", "fast step", "plain loop, PNG by 2 workers", "fast loop"]
    assert rows["plain step"]["ratio_to_plain"] == rows["plain loop, PNG by 2 workers"]["ratio_to_plain"] == "1.0"
    assert rows["plain step"]["data_wait_share"] == ""
    assert 0 <= float(rows["fast loop"]["data_wait_share"]) < 1
    assert {row["iterations"] for row in rows.values()} == {"4"}
    assert "Floors, at rates measured here" in capsys.readouterr().out


@pytest.mark.parametrize(("needed", "refused"), [(64 * 2**20, False), (64 * 2**20 + 1, True)])
def test_a_small_dev_shm_is_told_before_a_worker_dies_of_it(
    monkeypatch: pytest.MonkeyPatch, needed: int, refused: bool
):
    """Docker gives a container 64 MiB of it."""
    monkeypatch.setattr(png_reference.shutil, "disk_usage", lambda path: SimpleNamespace(free=64 * 2**20))
    if not refused:
        png_reference._require_shared_memory(needed)
        return
    with pytest.raises(UserError, match=r"^/dev/shm has 64.0 MiB free; the PNG loader hands over 64.0 MiB there. Give"):
        png_reference._require_shared_memory(needed)
