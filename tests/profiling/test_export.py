"""ONNX: pooling written out, files checked in ONNX Runtime at their sizes, and what is refused."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from safmn_bench.models.catalog import MODELS, build_model
from safmn_bench.models.errors import UserError
from safmn_bench.models.reparameterisation import inference_form
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.models.variants import VARIANTS
from safmn_bench.profiling import export
from safmn_bench.profiling.common.sample_images import photograph
from safmn_bench.profiling.export import check_sizes, main
from safmn_bench.profiling.timing.onnx_form import (
    cell_bounds,
    gathered_max,
    largest_difference,
    size_multiple,
    to_onnx,
    weighted_mean,
)

SIZES = [((37, 53), (4, 6)), ((180, 320), (22, 40)), ((9, 8), (1, 8)), ((5, 5), (5, 5))]


def small(**fields: object) -> SAFMN:
    torch.manual_seed(0)
    return SAFMN(SAFMNConfig(**{"dim": 8, "n_blocks": 1, **fields}), scale=2).eval()  # type: ignore[arg-type]


@pytest.mark.parametrize(("size", "cells"), SIZES)
def test_pooling_written_out_is_adaptive_pooling(size: tuple[int, int], cells: tuple[int, int]):
    x = torch.randn(2, 3, *size)
    assert torch.equal(gathered_max(x, cells), F.adaptive_max_pool2d(x, cells))
    torch.testing.assert_close(weighted_mean(x, cells), F.adaptive_avg_pool2d(x, cells))


def test_windows_of_adaptive_pooling_by_hand():
    assert cell_bounds(10, 3) == [(0, 4), (3, 7), (6, 10)]
    assert cell_bounds(8, 4) == [(0, 2), (2, 4), (4, 6), (6, 8)]


@pytest.mark.parametrize(
    ("fields", "multiple"), [({}, 8), ({"levels": 1}, 1), ({"levels": 2}, 2), ({"use_safm": False}, 1)]
)
def test_sizes_must_be_multiples_of_the_deepest_levels_cell(fields: dict[str, int], multiple: int):
    assert size_multiple(small(**fields)) == multiple


def test_dynamic_file_is_exact_at_other_sizes_than_the_traced_one():
    network = small()
    exported = to_onnx(network, (1, 3, 40, 48), dynamic=True)
    for size in ((40, 48), (24, 72), (8 * 5, 8 * 3), (16, 16)):
        assert largest_difference(network, exported, photograph(*size)) <= 1e-4
    assert exported.exactness().startswith("dynamic: height and width that are multiples of 8; pad other pictures")
    assert network.feats[0].safm.pool is F.adaptive_max_pool2d  # type: ignore[union-attr]  # as it was


@pytest.mark.parametrize("pooling", ["max", pytest.param("avg", marks=pytest.mark.slow)])
def test_fixed_file_is_exact_at_a_size_that_does_not_divide(pooling: str):
    network = small(pooling=pooling)
    exported = to_onnx(network, (1, 3, 19, 37))
    assert largest_difference(network, exported, photograph(19, 37)) <= 1e-4
    assert exported.exactness() == "fixed: LR of 37x19 only (width x height)"
    assert check_sizes(exported) == [(19, 37)]


def test_dynamic_export_at_a_size_that_does_not_divide_is_refused():
    with pytest.raises(UserError, match="multiple of 8, and 20x16 is none"):
        to_onnx(small(), (1, 3, 16, 20), dynamic=True)


def test_export_command_checks_and_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    variant = tmp_path / "tiny.yaml"
    variant.write_text("model: {n_blocks: 1, dim: 8, levels: 1}\n")
    out = tmp_path / "tiny.onnx"
    assert main(["--model", str(variant), "--scale", "2", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "Checked in onnxruntime at LR 53x37" in printed
    assert "dynamic: any height and width" in printed
    assert out.stat().st_size > 1000


def test_a_file_that_differs_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr(
        export, "to_onnx", lambda network, shape, dynamic: export.Exported(content=b"", multiple=8, shape=shape)
    )
    monkeypatch.setattr(export, "largest_difference", lambda *_: 2e-4)
    assert main(["--out", str(tmp_path / "a.onnx")]) == 1
    assert "differs by 2.0e-04, more than 0.0001" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "a.pt"], "ends in .onnx"),
        (["--out", "a.onnx", "--lr-size", "32x32"], "add --fixed"),
        (["--out", "a.onnx", "--fixed", "--lr-size", "32"], "is not a size"),
    ],
)
def test_wrong_calls_are_refused(options: list[str], message: str, capsys: pytest.CaptureFixture[str]):
    assert main(options) == 2
    assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_is_exported_exactly_for_many_sizes(name: str):
    torch.manual_seed(0)
    network = VARIANTS[name].build(4).eval()
    exported = to_onnx(network, (1, 3, 40, 48), dynamic=True)
    for size in check_sizes(exported):
        assert largest_difference(network, exported, photograph(*size)) <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in MODELS if name != "safmn"])
def test_every_other_network_is_exported_exactly_for_one_size(name: str):
    torch.manual_seed(0)
    network = inference_form(build_model(name, MODELS[name].scales[-1]))
    exported = to_onnx(network, (1, 3, 36, 44))
    assert largest_difference(network, exported, photograph(36, 44)) <= 1e-4
