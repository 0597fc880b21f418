"""YAML at every door (variants, recipes, sweeps): a table of what the files say and the sentence that comes out."""

from pathlib import Path

import pytest

from safmn_bench.ablations.run import main
from safmn_bench.models.errors import UserError
from safmn_bench.models.mappings import flattened, read_mapping
from safmn_bench.models.names import find_candidate

WHOLE = Path(__file__).parents[2] / "ablations" / "recipes" / "quick.yaml"

# name: (files, option, the sentence)
REFUSED: dict[str, tuple[dict[str, str], str, str]] = {
    "a variant's field twice": (
        {"v.yaml": "base: w_o_FM\nmodel: {dim: 8}\nbase: w_o_MR\n"}, "--variant",
        "v.yaml: 'base' is given twice, in lines 1 and 3. Keep one of the two.",
    ),
    "a field of the network twice": (
        {"v.yaml": "model:\n  dim: 8\n  n_blocks: 1\n  dim: 12\n"}, "--variant",
        "v.yaml: 'dim' is given twice, in lines 2 and 4.",
    ),
    "twice in one line": ({"v.yaml": "model: {dim: 8, dim: 12}\n"}, "--variant", "'dim' is given twice, in lines 1"),
    "a recipe key twice": (
        {"v.yaml": "recipe:\n  optimizer.lr: 1e-3\n  optimizer.lr: 1e-4\n"}, "--variant",
        "v.yaml: 'optimizer.lr' is given twice, in lines 2 and 3.",
    ),
    "a section and its dotted key": (
        {"v.yaml": "recipe:\n  optimizer: {lr: 1e-3}\n  optimizer.lr: 1e-4\n"}, "--variant",
        "optimizer.lr is given twice, in a section and by its dotted name. Keep one of the two.",
    ),
    "one key in two spellings": (
        {"v.yaml": "recipe:\n  optimizer.lr: 1e-3\n  optimizer.LR: 1e-4\n"}, "--variant",
        "v.yaml: 'optimizer.lr' and 'optimizer.LR' are one key, given twice.",
    ),
    "a recipe's section twice": (
        {"v.yaml": WHOLE.read_text() + "ema:\n  decay: 0.5\n"}, "--recipe", "v.yaml: 'ema' is given twice, in lines ",
    ),
    "a sweep's key twice": (
        {"v.yaml": "variants: [n4]\nseeds: [0]\nseeds: [1]\n"}, "--sweep",
        "v.yaml: 'seeds' is given twice, in lines 2 and 3.",
    ),
    "its own base": (
        {"v.yaml": "base: v.yaml\n"}, "--variant",
        "`base:` leads back to where it began: v.yaml -> v.yaml. Let one of them name a known variant.",
    ),
    "a chain that closes": (
        {"v.yaml": "base: b.yaml\n", "b.yaml": "base: c.yaml\n", "c.yaml": "base: b.yaml\n"}, "--variant",
        "`base:` leads back to where it began: v.yaml -> b.yaml -> c.yaml -> b.yaml.",
    ),
    "a list": ({"v.yaml": "- base\n"}, "--variant", "v.yaml holds no mapping"),
    "no YAML": ({"v.yaml": "base: [\n"}, "--variant", "v.yaml is not YAML"),
    "nothing": ({}, "--variant", "Cannot read v.yaml: No such file or directory."),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_yaml_that_says_two_things_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    files, option, message = REFUSED[name]
    monkeypatch.chdir(tmp_path)
    for file, text in files.items():
        Path(file).write_text(text)
    more = ["--variant", "n4"] if option == "--recipe" else []
    assert main([option, "v.yaml", *more, "--device", "cpu", "--out", "out"]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not Path("out").exists()


def test_a_chain_of_bases_that_ends_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    Path("a.yaml").write_text("base: b.yaml\nmodel: {dim: 8}\n")
    Path("b.yaml").write_text("base: w_o_FM\nmodel: {n_blocks: 2}\nrecipe: {optimizer.lr: 1e-3}\n")
    found = find_candidate("a.yaml")
    assert found.config is not None
    assert (found.config.dim, found.config.n_blocks, found.config.modulate) == (8, 2, False)
    assert found.recipe == {"optimizer.lr": "1e-3"}  # a number to the recipe; YAML 1.1 reads text


def test_equal_keys_of_different_sections_and_merged_ones_are_no_repeats(tmp_path: Path):
    path = tmp_path / "a.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\n")
    assert read_mapping(path) == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}}
    assert flattened({"a": {"x": 1}, "b.x": 2}) == {"a.x": 1, "b.x": 2}


def test_a_dotted_repeat_is_refused():
    with pytest.raises(UserError, match=r"a\.x is given twice"):
        flattened({"a.x": 1, "a": {"x": 2}})
