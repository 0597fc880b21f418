"""Exact counts of every variant, by the command and by the function, and what is remembered."""

import csv
from pathlib import Path

import pytest
import torch
from known_values import SAFMN_COUNTS, TABLE_COUNTS
from own_networks import write_networks
from torch import nn

from safmn_bench.models.variants import VARIANTS
from safmn_bench.profiling.common.paper import compare, published_figure
from safmn_bench.profiling.complexity import main
from safmn_bench.profiling.counting import flops as counting


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SAFMN_BENCH_CACHE", str(tmp_path / "cache"))


def table_csv(table: int, path: Path) -> dict[str, dict[str, str]]:
    assert main(["--table", str(table), "--csv", str(path)]) == 0
    with path.open(newline="") as handle:
        return {row["model"]: row for row in csv.DictReader(handle)}


@pytest.mark.parametrize("name", ["w_o_MR", "w_o_LN", "w_SE", "n4"])  # the others are slow tests
def test_variants_count_exactly(name: str):
    counted = counting.complexity(VARIANTS[name], 4)
    assert (counted.params, counted.flops, counted.acts) == TABLE_COUNTS[name]


@pytest.mark.slow
def test_tables_3_and_4_count_exactly_and_flag_the_misprints(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    rows = table_csv(3, tmp_path / "t3.csv") | table_csv(4, tmp_path / "t4.csv")
    counted = {name: (int(r["params"]), int(r["flops"]), int(r["acts"])) for name, r in rows.items()}
    assert counted == TABLE_COUNTS
    flagged = {name for name, row in rows.items() if row["note"]}
    assert flagged == {"w_o_SAFM", "inverted_residual", "n6", "n12"}
    assert not any("no reason known" in row["note"] for row in rows.values())
    assert "misprint: 58.64 is printed and 58.73 is the count" in capsys.readouterr().out
    assert rows["baseline"]["uncounted_ops"] == (
        "adaptive_max_pool2d=24;add=49;div=16;gelu=16;mean=32;mul=24;pixel_shuffle=1;pow=16;sqrt=16;sub=32"
    )


@pytest.mark.parametrize("scale", [2, 3])
def test_safmn_counts_at_the_other_scales(scale: int):
    cost = counting.complexity(VARIANTS["baseline"], scale)
    assert (cost.params, cost.flops, cost.acts) == SAFMN_COUNTS[scale]


def test_count_by_hand_on_a_small_network():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GELU(), nn.Conv2d(8, 4, 1), nn.BatchNorm2d(4))
    cost = counting.count(network, (1, 3, 10, 6))
    assert cost.params == (3 * 8 * 9 + 8) + (8 * 4 + 4) + 8
    assert cost.flops == 60 * (3 * 8 * 9 + 8 * 4) + 5 * 4 * 60  # normalisation: 5 per element in training mode
    assert cost.acts == 60 * 8 + 60 * 4
    assert cost.uncounted_ops == {"add_": 1, "gelu": 1}


def test_second_count_is_recalled_and_an_unreadable_memory_is_counted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first = counting.complexity(VARIANTS["w_o_CCM"], 4)
    (memory,) = (tmp_path / "cache" / "complexity").iterdir()
    monkeypatch.setattr(counting, "count", lambda *_: pytest.fail("counted again"))
    assert counting.complexity(VARIANTS["w_o_CCM"], 4) == first
    monkeypatch.undo()
    monkeypatch.setenv("SAFMN_BENCH_CACHE", str(tmp_path / "cache"))
    memory.write_text("{ half a file")
    assert counting.complexity(VARIANTS["w_o_CCM"], 4) == first


def test_counting_leaves_the_random_state_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    counting.complexity(VARIANTS["w_o_CCM"], 4)
    assert torch.equal(torch.get_rng_state(), before)


def test_published_figures_are_data_and_never_the_count():
    assert published_figure(3, "w_o_MR", 4, "acts_m") == "87.78"
    assert published_figure(4, "n6", 4, "acts_m") == "58.64"
    assert compare(3, "w_o_MR", 4, "acts_m", 87.7824) is None
    assert compare(3, "w_o_MR", 4, "acts_m", 88.7824) == "acts_m: no reason known"


def test_unknown_model_is_one_paragraph_and_status_2(capsys: pytest.CaptureFixture[str]):
    assert main(["--models", "w_o_MRR"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: No variant or model 'w_o_MRR'. Did you mean 'w_o_MR'")
    assert error.count("\n") == 1


def test_rows_tell_the_form_that_was_trained_and_the_padding_that_is_counted(tmp_path: Path):
    names = write_networks(tmp_path)
    assert main(["--models", names["RepNet"], "--scale", "3", "--csv", str(tmp_path / "c.csv")]) == 0
    with (tmp_path / "c.csv").open(newline="") as handle:
        (row,) = csv.DictReader(handle)
    # by hand: 3x3 convolutions 3 -> 8, 8 -> 8 and 8 -> 27 with biases, on 428x240 pixels; in training 1x1 8 -> 8 too
    pixels, merged = 428 * 240, 27 * 8 + 72 * 8 + 72 * 27
    assert (row["params"], row["flops"]) == (str(merged + 8 + 8 + 27), str(merged * pixels))
    assert row["note"] == (
        "LR 427x240 is padded to 428x240, sides a multiple of 4; figures include it; its parts are merged; as it is "
        f"trained it has {merged + 43 + 72:,} parameters, {(merged + 64) * pixels:,} FLOPs and {51 * pixels:,} "
        "activations"
    )
