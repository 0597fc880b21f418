"""Variants as data, and what a user may name."""

from pathlib import Path

import pytest

from safmn_bench.models.errors import UserError
from safmn_bench.models.names import find_candidate
from safmn_bench.models.variants import BASELINE, TABLE3, TABLE4, VARIANTS
from safmn_bench.profiling.common.paper import read_table


def test_variants_are_the_rows_of_tables_3_and_4_in_order():
    assert [v.name for v in TABLE3] == [row["variant"] for row in read_table("table3.csv")]
    assert [v.name for v in TABLE4] == [row["variant"] for row in read_table("table4.csv")]


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("baseline", set()),
        ("w_o_MR", {"levels"}),
        ("w_o_FM_MR_FA", {"modulate", "levels", "aggregate"}),
        ("w_o_CCM", {"mixer"}),
        ("n12", {"n_blocks"}),
    ],
)
def test_delta_names_what_differs_from_the_baseline(name: str, fields: set[str]):
    assert set(VARIANTS[name].delta()) == fields


def test_w_o_ln_rows_are_one_network_and_two_recipes():
    first, second = VARIANTS["w_o_LN"], VARIANTS["w_o_LN_lr1e-4"]
    assert first.config == second.config
    assert (dict(first.recipe), dict(second.recipe)) == ({}, {"optimizer.lr": 1e-4})


@pytest.mark.parametrize("given", ["W_O_mr", "w-o-MR", " w_o_MR "])
def test_names_match_without_regard_to_case_and_hyphens(given: str):
    assert find_candidate(given) is VARIANTS["w_o_MR"]


def test_safmn_is_the_baseline():
    assert find_candidate("safmn").config == BASELINE


def test_unknown_variant_suggests_the_nearest():
    with pytest.raises(UserError, match=r"No variant or model 'wo_MR'. Did you mean 'w_o_MR'"):
        find_candidate("wo_MR")


def test_yaml_combines_a_base_with_changes_of_model_and_recipe(tmp_path: Path):
    path = tmp_path / "mine.yaml"
    path.write_text("base: w_o_FM\nmodel: {pooling: AVG, n_blocks: 6}\nrecipe: {optimizer: {lr: 1e-4}}\n")
    mine = find_candidate(str(path))
    assert mine.name == "mine"
    assert mine.delta() == {"modulate": (True, False), "pooling": ("max", "avg"), "n_blocks": (8, 6)}
    assert dict(mine.recipe) == {"optimizer.lr": "1e-4"}  # the recipe converts it


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("base: w_o_XX", "No variant or model 'w_o_XX'"),
        ("bse: w_o_FM", "Did you mean 'base'"),
        ("model: {poling: avg}", "Did you mean 'pooling'"),
        ("model: {dim: 38}", "multiple of 4"),
        ("model: [1, 2]", "not a mapping"),
        ("name: '../evil'", "cannot name a folder"),
        ("name: '<script>'", "cannot name a folder"),
        ("name: w-o-mr", "known variant or model"),
        ("just text", "holds no mapping"),
        ("a: [1", "is not YAML"),
        ("!!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_bad_variant_file_says_what_is_wrong(tmp_path: Path, text: str, message: str):
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        find_candidate(str(path))


def test_missing_variant_file_is_named(tmp_path: Path):
    with pytest.raises(UserError, match="none.yaml: No such file"):
        find_candidate(str(tmp_path / "none.yaml"))
