"""Recipes: the published values, overrides, and what is refused."""

from pathlib import Path

import pytest
import torch
import yaml

from safmn_bench.ablations.recipe import load_recipe, packaged_recipes, recipe_for
from safmn_bench.models.errors import UserError
from safmn_bench.models.mappings import flattened
from safmn_bench.models.names import find_candidate
from safmn_bench.models.variants import VARIANTS


def test_paper_recipe_is_the_published_one():
    """Section 4.1 of the paper; loss weights and EMA from the authors' option files."""
    recipe = load_recipe("paper")
    assert (recipe.train.iterations, recipe.train.patch, recipe.train.batch) == (500_000, 64, 64)
    assert (recipe.optimizer.lr, recipe.optimizer.min_lr, recipe.optimizer.betas) == (1e-3, 1e-5, (0.9, 0.99))
    assert (recipe.loss.l1, recipe.loss.fft, recipe.ema.decay) == (1.0, 0.05, 0.999)
    assert recipe.optimizer.clip_norm is None
    assert (recipe.train.augment, recipe.compute.precision) == (True, "fp32")


@pytest.mark.parametrize("name", ["paper", "quick", "reduced", "reduced_cpu"])
def test_packaged_recipes_are_fp32_on_a_cpu_and_on_a_gpu_tf32_unless_told_otherwise(name: str):
    gpu, baseline = torch.device("cuda:0"), find_candidate("baseline")
    assert recipe_for(baseline, name, torch.device("cpu"), [])[0].compute.precision == "fp32"
    assert recipe_for(baseline, name, gpu, [])[0].to_dict()["compute"]["precision"] == "tf32"
    told = recipe_for(baseline, name, gpu, ["compute.precision=fp32"])[0]
    assert told == recipe_for(baseline, name, torch.device("cpu"), [])[0]  # of equal hash, as before
    assert recipe_for(baseline, name, gpu, ["compute.precision=auto"])[0].compute.precision == "tf32"


def test_learning_rate_is_one_cosine_without_warm_up():
    recipe = load_recipe("paper")
    rates = [recipe.learning_rate(i) for i in (0, 250_000, 500_000)]
    assert rates == pytest.approx([1e-3, (1e-3 + 1e-5) / 2, 1e-5])
    assert recipe.learning_rate(125_000) == pytest.approx(1e-5 + 0.99e-3 * 0.8535533905932737)  # (1 + cos 45) / 2


def test_variant_changes_the_recipe_and_set_has_the_last_word():
    changes = VARIANTS["w_o_LN_lr1e-4"].recipe
    assert load_recipe("quick", changes).optimizer.lr == 1e-4
    assert load_recipe("quick", changes, ["optimizer.lr=5e-4"]).optimizer.lr == 5e-4


def test_own_recipe_file_round_trips(tmp_path: Path):
    recipe = load_recipe("quick", overrides=["optimizer.clip_norm=0.5", "train.patch=24"])
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(recipe.to_dict()))
    assert load_recipe(str(path)) == recipe


def test_packaged_recipes_are_whole_and_valid():
    assert packaged_recipes() == ["paper", "quick", "reduced", "reduced_cpu"]
    for name in packaged_recipes():
        load_recipe(name)


def test_reduced_recipes_change_the_published_one_in_what_a_smaller_budget_asks_for():
    paper = flattened(load_recipe("paper").to_dict())
    rarely = {"train.iterations", "train.validate_every", "train.save_every"}
    small = rarely | {"train.log_every", "train.patch", "train.batch", "ema.decay", "compute.compile"}
    for name, allowed in (("reduced", rarely), ("reduced_cpu", small)):
        reduced = flattened(load_recipe(name).to_dict())
        assert {key for key in paper if reduced[key] != paper[key]} == allowed


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.iteration=5", "No recipe key 'train.iteration'. Did you mean 'train.iterations'"),
        ("train.iterations", "not section.key=value"),
        ("train.iterations=many", "train.iterations='many' is not a whole number"),
        ("train.iterations=2.5", "not a whole number"),
        ("train.iterations=0", "out of range. Allowed: at least 1"),
        ("train.augment=1", "not true or false"),
        ("optimizer.lr=nan", "not a finite number"),
        ("optimizer.betas=[0.9]", "not a list of 2 numbers"),
        ("optimizer.betas=[0.9, 1]", "two numbers in"),
        ("optimizer.min_lr=1", "from 0 to optimizer.lr"),
        ("compute.precision=fp16", "Allowed: fp32, tf32, bf16, auto"),
        ("train.sampling=random", "Allowed: image or area"),
        ("ema.decay=1", r"in \[0, 1\)"),
        ("loss.l1=0", None),
        ("loss=[", "cannot be read|No recipe key"),
    ],
)
def test_overrides_are_checked(override: str, message: str | None):
    if message is None:
        assert load_recipe("quick", overrides=[override]).loss.l1 == 0
        return
    with pytest.raises(UserError, match=message):
        load_recipe("quick", overrides=[override])


def test_incomplete_recipe_names_what_it_lacks(tmp_path: Path):
    path = tmp_path / "half.yaml"
    path.write_text("train: {iterations: 5}\n")
    with pytest.raises(UserError, match=r"lacks train.patch, train.batch"):
        load_recipe(str(path))


def test_unknown_recipe_suggests_the_nearest():
    with pytest.raises(UserError, match="No recipe 'papr'. Did you mean 'paper'"):
        load_recipe("papr")


def test_recipes_from_before_a_key_mean_what_was_done_then(tmp_path: Path):
    """Own recipes written for version 1 stay usable, and mean weights drawn in torch's order."""
    old = load_recipe("quick").to_dict()
    del old["version"], old["train"]["initialisation"]
    path = tmp_path / "old.yaml"
    path.write_text(yaml.safe_dump(old))
    recipe = load_recipe(str(path))
    assert (recipe.version, recipe.train.initialisation) == (1, "order")


def test_unknown_initialisation_is_refused():
    with pytest.raises(UserError, match=r"train.initialisation='zero' is out of range. Allowed: order or name"):
        load_recipe("quick", overrides=["train.initialisation=zero"])
