"""ONNX: pooling written out, files checked in ONNX Runtime at their sizes, and what is refused."""

import functools
from pathlib import Path
from typing import cast

import pytest
import torch
import torch.nn.functional as F
from own_networks import write_class
from torch import nn

from safmn_bench.models.catalog import MODELS, build_model
from safmn_bench.models.errors import UserError
from safmn_bench.models.reparameterisation import inference_form
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.models.variants import VARIANTS
from safmn_bench.profiling.common.sample_images import photograph
from safmn_bench.profiling.export import main
from safmn_bench.profiling.runtimes import onnx_form
from safmn_bench.profiling.runtimes.exportable import cell_bounds, gathered_max, nearest_by_index, weighted_mean
from safmn_bench.profiling.runtimes.onnx_form import (
    Exported,
    check_sizes,
    largest_difference,
    open_session,
    size_multiple,
    to_onnx,
)

SIZES = [((37, 53), (4, 6)), ((180, 320), (22, 40)), ((9, 8), (1, 8)), ((5, 5), (5, 5))]


def small(**fields: object) -> SAFMN:
    torch.manual_seed(0)
    return SAFMN(SAFMNConfig(**{"dim": 8, "n_blocks": 1, **fields}), scale=2).eval()  # type: ignore[arg-type]


@functools.cache
def tiny_dynamic() -> tuple[SAFMN, Exported]:
    """A small network with the paper's pyramid, and its file for multiples of 8."""
    network = small()
    return network, to_onnx(network, (1, 3, 40, 48), dynamic=True)


@pytest.mark.parametrize(("size", "cells"), SIZES)
def test_pooling_written_out_is_adaptive_pooling(size: tuple[int, int], cells: tuple[int, int]):
    x = torch.randn(2, 3, *size)
    assert torch.equal(gathered_max(x, cells), F.adaptive_max_pool2d(x, cells))
    torch.testing.assert_close(weighted_mean(x, cells), F.adaptive_avg_pool2d(x, cells))


@pytest.mark.parametrize("size", [(14, 114), (21, 172), (22, 180), (7, 7), (5, 13)])
def test_enlargement_written_out_is_nearest_neighbour_and_ends_with_the_trace(size: tuple[int, int]):
    n, m = size
    x, before = torch.randn(1, 2, n, n), F.interpolate
    expected = F.interpolate(x, size=(m, m), mode="nearest")
    with nearest_by_index():
        assert torch.equal(F.interpolate(x, size=(m, m), mode="nearest"), expected)
        assert torch.equal(F.interpolate(x, (m, m)), expected)
        bicubic = F.interpolate(x, size=(m, m), mode="bicubic")
    assert F.interpolate is before
    assert torch.equal(bicubic, F.interpolate(x, size=(m, m), mode="bicubic"))


class Enlarged(nn.Module):
    """An eighth of the input's lines, enlarged to its size, as SAFMN's lowest level is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        coarse = x[:, :, : x.shape[-2] // 8, : x.shape[-1] // 8]
        return F.interpolate(coarse, size=(x.shape[-2], x.shape[-1]), mode="nearest")


def test_a_trace_for_any_size_computes_the_lines_of_each():
    with nearest_by_index(any_size=True):
        traced = cast(nn.Module, torch.jit.trace(Enlarged(), torch.rand(1, 1, 40, 51), check_trace=False))
    for height, width in [(8 + i, 180 - i) for i in range(0, 164, 3)]:
        x = torch.arange(float(height * width)).view(1, 1, height, width)
        assert torch.equal(traced(x), Enlarged()(x)), (height, width)


@pytest.mark.slow
def test_fixed_file_is_exact_where_onnx_runtime_rounds_places_of_enlargement():
    """At LR 114x172 ONNX Runtime takes other lines of the pyramid: a file that leaves them to it is off."""
    network = small()
    exported = to_onnx(network, (1, 3, 172, 114))
    assert largest_difference(network, exported, photograph(172, 114)) <= 1e-5


def test_windows_of_adaptive_pooling_by_hand():
    assert cell_bounds(10, 3) == [(0, 4), (3, 7), (6, 10)]
    assert cell_bounds(8, 4) == [(0, 2), (2, 4), (4, 6), (6, 8)]


@pytest.mark.parametrize(
    ("fields", "multiple"), [({}, 8), ({"levels": 1}, 1), ({"levels": 2}, 2), ({"use_safm": False}, 1)]
)
def test_sizes_must_be_multiples_of_the_deepest_levels_cell(fields: dict[str, int], multiple: int):
    assert size_multiple(small(**fields)) == multiple


@pytest.mark.slow
def test_dynamic_file_is_exact_at_other_sizes_than_the_traced_one():
    network, exported = tiny_dynamic()
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
        onnx_form, "to_onnx", lambda network, shape, dynamic: onnx_form.Exported(content=b"", multiple=8, shape=shape)
    )
    monkeypatch.setattr(onnx_form, "largest_difference", lambda *_: 2e-4)
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


TWELVE = (
    *((5, 7), (8, 8), (13, 9), (16, 24), (17, 31), (23, 19)),
    *((20, 15), (37, 53), (40, 48), (32, 64), (45, 80), (59, 24)),
)
"""LR sizes (height, width), odd and prime ones among them."""


def taken(network: torch.nn.Module, lr: torch.Tensor) -> torch.Tensor | None:
    """The network's own pixels; None where it refuses an image as too small."""
    try:
        with torch.inference_mode():
            return network(lr)
    except UserError:
        return None


@pytest.mark.slow
@pytest.mark.parametrize(("name", "scale"), [(name, scale) for name, model in MODELS.items() for scale in model.scales])
def test_every_network_is_exact_or_refused_at_twelve_sizes(name: str, scale: int):
    """One file for all sizes, equal to 1e-4 at those that it serves; elsewhere ONNX Runtime says why not."""
    torch.manual_seed(0)
    network = inference_form(build_model(name, scale))
    try:
        exported = to_onnx(network, (1, 3, 40, 48), dynamic=True)
    except UserError as refused:
        assert str(refused).endswith("Export one size: --fixed --lr-size WxH.")  # noqa: PT017
        exported = to_onnx(network, (1, 3, 37, 53))
        assert largest_difference(network, exported, photograph(37, 53)) <= 1e-4
        return
    session, multiple, served = open_session(exported.content, torch.device("cpu")), exported.multiple or 0, 0
    for height, width in TWELVE:
        lr = photograph(height, width)
        if height % multiple or width % multiple:
            with pytest.raises(Exception, match=f"height_and_width_must_be_multiples_of_{multiple}"):
                session.run(None, {"lr": lr.numpy()})
        elif (expected := taken(network, lr)) is not None:
            (got,) = session.run(None, {"lr": lr.numpy()})
            assert (torch.from_numpy(got) - expected).abs().max() <= 1e-4
            served += 1
    assert served >= (9 if multiple == 1 else 3)


@pytest.mark.parametrize("size", [(180, 320), (5, 8), (1, 1), (16, 12), (8, 4)])
def test_a_dynamic_file_at_a_size_that_it_does_not_serve_is_refused_with_the_reason(size: tuple[int, int]):
    """180 is no multiple of 8: the paper's 320x180 gave pixels off by up to 0.066 before."""
    session = open_session(tiny_dynamic()[1].content, torch.device("cpu"))
    with pytest.raises(Exception, match="height_and_width_must_be_multiples_of_8"):
        session.run(None, {"lr": photograph(*size).numpy()})


def test_files_say_in_their_metadata_what_sizes_they_take():
    session = open_session(tiny_dynamic()[1].content, torch.device("cpu"))
    assert (
        session.get_modelmeta()
        .custom_metadata_map["lr_sizes"]
        .startswith("dynamic: height and width that are multiples of 8")
    )


class AsksForParity(torch.nn.Module):
    """Its Python code takes another way for odd heights, which a trace at an even one does not hold."""

    scale = 1

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return rgb + 1 if rgb.shape[-2] % 2 else rgb


class Frozen(torch.nn.Module):
    """Its Python code needs the width as a number."""

    scale = 1

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return rgb * torch.tensor([float(i) for i in range(int(rgb.shape[-1]))])


class AsksForOne(torch.nn.Module):
    """What it asks has no consequence."""

    scale = 1

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return rgb.clone() if rgb.shape[-2] > 4 else rgb * 1


@pytest.mark.parametrize("network", [AsksForParity(), Frozen()])
def test_a_network_whose_code_asks_for_the_size_is_told_to_use_fixed(network: torch.nn.Module):
    with pytest.raises(UserError) as refused:
        to_onnx(network, (1, 3, 40, 48), dynamic=True)
    message = str(refused.value)
    assert message.startswith(f"{type(network).__name__} cannot be exported for many sizes (")
    assert message.endswith("). Export one size: --fixed --lr-size WxH.")
    assert "\n" not in message
    assert largest_difference(network, to_onnx(network, (1, 3, 7, 9)), photograph(7, 9)) == 0


def test_a_question_without_consequence_refuses_nothing():
    assert to_onnx(AsksForOne(), (1, 3, 40, 48), dynamic=True).multiple == 1


SIZES_IN_PYTHON = """h, w = int(x.shape[2]), int(x.shape[3])
        return F.interpolate(self.conv(x), size=(h * self.up, w * self.up)) + torch.zeros(h * self.up, w * self.up)"""
KEPT_MASK = """if getattr(self, 'mask', None) is None or self.mask.shape != x.shape[-2:]:
            self.mask = torch.ones(x.shape[-2:])
        return F.interpolate(self.conv(x) * self.mask, scale_factor=self.up)"""


@pytest.mark.slow
def test_network_of_frozen_sizes_is_refused_in_one_line_that_names_fixed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    call = ["--model", write_class(tmp_path, "Frozen", forward=SIZES_IN_PYTHON), "--out", str(tmp_path / "a.onnx")]
    assert main(call) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "error: Frozen cannot be exported for many sizes (its code makes Python numbers of LR's sides, which freezes "
        "them). Export one size: --fixed --lr-size WxH."
    )
    assert main([*call, "--fixed", "--lr-size", "24x16"]) == 0


@pytest.mark.slow
def test_tracing_leaves_nothing_in_what_a_network_keeps(tmp_path: Path):
    name = write_class(tmp_path, "Keeps", forward=KEPT_MASK)
    assert main(["--model", name, "--out", str(tmp_path / "a.onnx"), "--fixed", "--lr-size", "24x16"]) == 0
    assert main(["--model", name, "--out", str(tmp_path / "b.onnx")]) in (0, 2)  # for any size, or told
