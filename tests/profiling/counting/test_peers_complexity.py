"""Table 1's complexity columns: exact counts of every row, and a reason for every published figure that differs."""

import csv
from pathlib import Path

import pytest
import torch
from known_values import PEER_COUNTS, SAFMN_COUNTS, TABLE_COUNTS
from PIL import Image

from safmn_bench.models.catalog import find_model
from safmn_bench.profiling.common.paper import table_notes, table_rows
from safmn_bench.profiling.complexity import main
from safmn_bench.profiling.counting import flops as counting

CHEAP = [("FSRCNN", 4), ("ESPCN", 4), ("ECBSR-M16C64", 4), ("IMDN", 4), ("CARN-M", 4), ("FSRCNN", 3)]


def counted(model: str, scale: int) -> tuple[torch.nn.Module, tuple[int, ...]]:
    return counting.counted_form(find_model(model).build(scale=scale), scale)


@pytest.mark.parametrize(("model", "scale"), PEER_COUNTS)
def test_parameters_and_counted_input_of_every_row(model: str, scale: int):
    module, shape = counted(model, scale)
    free = getattr(module, "uncounted_parameters", set)()
    params, _, _, input_shape = PEER_COUNTS[model, scale]
    assert sum(p.numel() for name, p in module.named_parameters() if name not in free) == params
    assert "x".join(map(str, shape)) == input_shape


@pytest.mark.parametrize(("model", "scale"), CHEAP)
def test_flops_and_activations_are_exact(model: str, scale: int):
    cost = counting.count(*counted(model, scale))
    assert (cost.params, cost.flops, cost.acts) == PEER_COUNTS[model, scale][:3]


def test_smsr_counts_its_dense_bound():
    cost = counting.count(*counted("SMSR", 4))
    assert cost.params == 1005542
    assert cost.flops == pytest.approx(57145192960, rel=0.02)


def test_known_values_agree_about_safmn():
    assert PEER_COUNTS["SAFMN", 4][:3] == TABLE_COUNTS["baseline"]
    assert all(PEER_COUNTS["SAFMN", scale][:3] == SAFMN_COUNTS[scale] for scale in (2, 3))


def test_every_published_figure_that_differs_has_its_reason_and_no_other_has():
    units = {"params_k": 1e3, "flops_g": 1e9, "acts_m": 1e6}
    differing = set()
    for (model, scale), row in table_rows(1).items():
        known = {name.casefold().replace("-", "_"): name for name, _ in PEER_COUNTS}
        if (known.get(model), scale) not in PEER_COUNTS:
            continue
        for (column, unit), exact in zip(units.items(), PEER_COUNTS[known[model], scale][:3], strict=True):
            if row[column] and int(exact / unit + 0.5) != int(row[column]):
                differing.add((model, scale, column))
    assert len(differing) == 22
    assert set(table_notes(1)) == differing
    assert all(len(reason) > 20 for reason in table_notes(1).values())


@pytest.mark.slow
def test_table_1_counts_exactly_and_the_second_call_recalls_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    for name in ("first", "second"):
        assert main(["--table", "1", "--csv", str(tmp_path / name)]) == 0
        monkeypatch.setattr(counting, "count", lambda *_: pytest.fail("counted again"))
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
    with (tmp_path / "first").open(newline="") as handle:
        rows = {(row["model"], int(row["scale"])): row for row in csv.DictReader(handle)}
    assert list(rows) == list(PEER_COUNTS)
    for key, row in rows.items():
        params, flops, acts, input_shape = PEER_COUNTS[key]
        assert (int(row["params"]), row["input_shape"]) == (params, input_shape)
        if key[0] == "SMSR":
            assert int(row["flops"]) == pytest.approx(flops, rel=0.02)
        else:
            assert (int(row["flops"]), int(row["acts"])) == (flops, acts)
        assert "no reason known" not in row["note"]
    assert "(29.897 G)" in capsys.readouterr().out


def test_images_option_measures_smsr_beside_its_bound(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    Image.effect_noise((30, 22), 80).convert("RGB").save(tmp_path / "a.png")
    images = ["--images", str(tmp_path / "a.png"), "--csv", str(tmp_path / "c.csv")]
    torch.manual_seed(0)
    assert main(["--models", "smsr", "--scale", "4", *images]) == 0
    with (tmp_path / "c.csv").open(newline="") as handle:
        (row,) = csv.DictReader(handle)
    assert (row["model"], row["image"], row["lr_height"], row["lr_width"]) == ("smsr", "a.png", "22", "30")
    assert 0.3 * int(row["dense_flops"]) < int(row["flops"]) < int(row["dense_flops"])
    assert "fresh weights, whose masks mean nothing" in capsys.readouterr().out


def test_images_option_wants_one_model(capsys: pytest.CaptureFixture[str]):
    assert main(["--models", "smsr", "imdn", "--images", "a.png"]) == 2
    assert "go with one model" in capsys.readouterr().err


def test_unreadable_image_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--models", "imdn", "--images", str(tmp_path / "none.png")]) == 2
    assert "none.png" in capsys.readouterr().err
