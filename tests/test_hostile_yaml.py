"""Files of variants, recipes and sweeps, and `--set`: whatever YAML can mean ends in a sentence or in a plain value."""

from collections.abc import Callable
from pathlib import Path

import pytest

from safmn_bench.ablations.recipe import load_recipe
from safmn_bench.ablations.sweeps.command import with_sweep_file
from safmn_bench.ablations.sweeps.options import arguments
from safmn_bench.models.errors import UserError
from safmn_bench.models.mappings import flattened, plain_value, read_mapping
from safmn_bench.models.names import find_candidate

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
)
DIGITS = "9" * 400

# what stands in any of the three files -> what is said
ANY: dict[str, tuple[str, str]] = {
    "nothing": ("", "holds no mapping"),
    "a list": ("- a\n", "holds no mapping"),
    "text": ("hello", "holds no mapping"),
    "not closed": ("{", "is not YAML"),
    "a zero byte": ("a: \0", "is not YAML"),
    "two documents": ("---\na: 1\n---\nb: 2\n", "is not YAML"),
    "another version": ("%YAML 9.9\n---\na: 1\n", "is not YAML"),
    "code": ("name: !!python/object/apply:os.system [ls]\n", "is not YAML: could not determine a constructor"),
    "a billion laughs": (BOMB, "it holds more than 10000 values when its aliases are followed"),
    "a list in itself": ("name: &a [*a]\n", "it holds more than 10000 values"),
    "an unknown alias": ("name: *a\n", "is not YAML: found undefined alias"),
    "deep lists": ("name: " + "[" * 5000, "it is nested too deeply"),
    "a number for a key": ("1: a\n", "the key 1 in it is no text; write it in quotes"),
    "nothing for a key": ("null: a\n", "the key None in it is no text"),
    "yes for a key": ("on: a\n", "the key True in it is no text"),
    "a date for a key": ("2020-01-01: a\n", "the key datetime.date(2020, 1, 1) in it is no text"),
    "a list for a key": ("? [a]\n: 1\n", "is not YAML: while constructing a mapping"),
    "a number for an inner key": ("name: {1: 2}\n", "the key 1 in `name:` is no text"),
    "a date": ("name: 2020-01-01\n", "`name:` holds a value of kind date; text is written in quotes"),
    "a time": ("name: 2020-01-01 10:00:00\n", "`name:` holds a value of kind datetime"),
    "bytes": ("name: !!binary aGVsbG8=\n", "`name:` holds a value of kind bytes"),
    "a set": ("name: !!set {a, b}\n", "`name:` holds a value of kind set"),
    "pairs": ("name: !!omap [a: 1]\n", "holds a value of kind tuple"),
    "a tag that lies (float)": ("name: !!float x\n", "a value is not of the kind that its tag says"),
    "a tag that lies (int)": ("name: !!int x\n", "a value is not of the kind that its tag says"),
    "a tag that lies (time)": ("name: !!timestamp x\n", "a value is not of the kind that its tag says"),
    "400 digits": (f"name: {DIGITS}\n", "a whole number in `name:` is out of range"),
    "given twice": ("name: a\nname: b\n", "'name' is given twice, in lines 1 and 2. Keep one of the two."),
}

VARIANT: dict[str, tuple[str, str]] = {
    "its own base": ("base: x.yaml\n", "`base:` leads back to where it began"),
    "an unknown base": ("base: bm\n", "No variant or model 'bm'. Known: baseline,"),
    "no base": ("base:\n", "No variant or model 'None'"),
    "an unknown field": ("modle: {dim: 8}\n", "Did you mean 'model'?"),
    "an unknown field of SAFMN": ("model: {dimm: 8}\n", "Did you mean 'dim'?"),
    "not a number": ("model: {dim: .nan}\n", "model.dim=nan is not a whole number from 1 to 4096"),
    "infinite": (
        "model: {expansion: .inf}\n",
        "model.expansion=inf is not a number that leaves 1 to 65536 hidden channels",
    ),
    "no expansion": ("model: {expansion: .nan}\n", "model.expansion=nan is not a number that leaves"),
    "a fraction": ("model: {dim: 8.5}\n", "model.dim=8.5 is not a whole number"),
    "true for a number": ("model: {dim: true}\n", "model.dim=True is not a whole number"),
    "a network of a terabyte": (
        "model: {dim: 100000000}\n",
        "model.dim=100000000 is not a whole number from 1 to 4096",
    ),
    "blocks without end": ("model: {n_blocks: 1000000}\n", "is not a whole number from 1 to 1024"),
    "levels without end": ("model: {dim: 64, levels: 64}\n", "model.levels=64 is not a whole number from 1 to 16"),
    "text for yes or no": ("model: {modulate: maybe}\n", "model.modulate='maybe' is not true or false"),
    "a list for a name": ("model: {norm: [layer]}\n", "No model.norm"),
    "a model of text": ("model: tiny\n", "`model:` is 'tiny', not a mapping of fields to values"),
    "a name that leaves the folder": ("name: ../../x\n", "name '../../x' cannot name a folder"),
    "an empty name": ("name: ''\n", "name '' cannot name a folder"),
    "a name of a known variant": ("name: BN\n", "'BN' is the name of a known variant or model"),
    "markup in a name": ("name: <script>\n", "name '<script>' cannot name a folder"),
}

SWEEP: dict[str, tuple[str, str]] = {
    "both": ("variants: [bn]\ntable: 3\n", "name either `variants:` (a list) or `table:` (3 or 4)"),
    "neither": ("seeds: [0]\n", "name either `variants:`"),
    "table of text": ("table: three\n", "table 'three'. Allowed: 3, 4"),
    "a list of tables": ("table: [3]\n", "table [3]. Allowed: 3, 4"),
    "a mapping of tables": ("table: {a: 3}\n", "table {'a': 3}. Allowed: 3, 4"),
    "variants of text": ("variants: bn\n", "`variants:` is 'bn', not a list"),
    "a number for a variant": ("variants: [3]\n", "`variants:` is [3], not a list of texts"),
    "an empty variant": ("variants: ['']\n", "not a list of texts"),
    "seeds of text": ("variants: [bn]\nseeds: [a]\n", "`seeds:` is ['a'], not a list of whole numbers"),
    "a negative seed": ("variants: [bn]\nseeds: [-1]\n", "--seeds: -1 is no seed. Allowed: whole numbers from 0 to"),
    "a seed of truth": ("variants: [bn]\nseeds: [true]\n", "not a list of whole numbers"),
    "a scale": ("variants: [bn]\nscales: [5]\n", "scales [5]. Allowed: 2, 3, 4"),
    "a folder of numbers": ("variants: [bn]\ntrain_data: [1]\n", "`train_data:` is [1], not a list of texts"),
    "a pattern of numbers": ("variants: [bn]\nlr_pattern: 3\n", "`lr_pattern:` is 3, not text"),
    "text for true": ("variants: [bn]\nlr_is_not_bicubic: 'no'\n", "`lr_is_not_bicubic:` is 'no', not true or false"),
    "a recipe of numbers": ("variants: [bn]\nrecipe: 3\n", "`recipe:` is 3, not a name"),
    "set of text": ("variants: [bn]\nset: train.iterations=3\n", "not a mapping such as {train.iterations: 3000}"),
    "an unknown key": ("variants: [bn]\nseed: [0]\n", "Did you mean 'seeds' or"),
    "a cut of text": ("variants: [bn]\nhalve: half\n", "`halve:` holds 'half', not a number"),
    "a cut of truth": ("variants: [bn]\nhalve: true\n", "`halve:` holds True, not a number"),
    "too early a cut": ("variants: [bn]\nhalve: 0.1\n", "--halve 0.1: scores do not rank networks so early"),
    "a fraction of seeds": ("variants: [bn]\nmax_seeds: 2.5\n", "`max_seeds:` holds 2.5, not a whole number"),
    "rates of text": ("variants: [bn]\ntune_lr: [a]\n", "`tune_lr:` holds 'a', not a number"),
    "a rate alone": ("variants: [bn]\ntune_lr: 2\n", "`tune_lr:` is 2, not a list such as [a, b]"),
    "a difference without pilot": ("variants: [bn]\ndetect: 0.03\n", "--detect DB and --pilot DIR go together"),
    "metrics of numbers": ("variants: [bn]\nmetrics: [1]\n", "`metrics:` is [1], not a list of texts"),
}

SET: dict[str, tuple[str, str]] = {
    "no value": ("train.iterations", "is not section.key=value, such as --set train.iterations=2000"),
    "nothing": ("", "is not section.key=value"),
    "an equals sign": ("=", "No recipe key ''"),
    "empty": ("train.iterations=", "train.iterations=None is not a whole number"),
    "an unknown key": ("train.iteration=3", "Did you mean 'train.iterations'"),
    "400 digits": (f"train.iterations={DIGITS}", "the value cannot be read: a whole number in it is out of range"),
    "not a number": ("optimizer.lr=.nan", "optimizer.lr=nan is not a finite number"),
    "infinite": ("optimizer.lr=1e400", "optimizer.lr='1e400' is not a finite number"),
    "a date": ("train.patch=2020-01-01", "it holds a value of kind date"),
    "yes for a number": ("train.patch=yes", "train.patch=True is not a whole number"),
    "a fraction": ("train.patch=1.5", "train.patch=1.5 is not a whole number"),
    "a list": ("train.patch=[1]", "train.patch=[1] is not a whole number"),
    "too few betas": ("optimizer.betas=[0.9]", "is not a list of 2 numbers"),
    "text for true": ("train.augment='no'", "train.augment='no' is not true or false"),
    "out of range": ("ema.decay=1", "Recipe key ema.decay=1.0 is out of range. Allowed: in [0, 1)"),
    "a negative rate": ("optimizer.lr=-1", "Recipe key optimizer.lr=-1.0 is out of range. Allowed: above 0"),
    "not closed": ("train.patch=[", "the value cannot be read"),
    "code": ("train.patch=!!python/name:os.system", "the value cannot be read: could not determine a constructor"),
}


def read_variant(folder: Path, text: str) -> None:
    (folder / "x.yaml").write_text(text)
    find_candidate(str(folder / "x.yaml"))


def read_recipe(folder: Path, text: str) -> None:
    (folder / "x.yaml").write_text(text)
    load_recipe(str(folder / "x.yaml"))


def read_sweep(folder: Path, text: str) -> None:
    (folder / "x.yaml").write_text(text)
    with_sweep_file(arguments().read(["--sweep", str(folder / "x.yaml")]))


def refused(door: Callable[[], object]) -> str:
    with pytest.raises(UserError) as error:
        door()
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize("read", [read_variant, read_recipe, read_sweep])
@pytest.mark.parametrize("name", ANY)
def test_what_no_file_may_hold(tmp_path: Path, name: str, read: Callable[[Path, str], None]):
    text, message = ANY[name]
    assert message in refused(lambda: read(tmp_path, text))


@pytest.mark.parametrize("name", VARIANT)
def test_what_no_variant_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.chdir(tmp_path)
    text, message = VARIANT[name]
    assert message in refused(lambda: read_variant(Path(), text))


@pytest.mark.parametrize("name", SWEEP)
def test_what_no_sweep_may_be(tmp_path: Path, name: str):
    text, message = SWEEP[name]
    assert message in refused(lambda: read_sweep(tmp_path, text))


@pytest.mark.parametrize("name", SET)
def test_what_may_not_be_set(name: str):
    override, message = SET[name]
    assert message in refused(lambda: load_recipe("quick", overrides=[override]))


@pytest.mark.parametrize("key", sorted(flattened(load_recipe("quick").to_dict())))
@pytest.mark.parametrize("value", ["[[]]", "{a: 1}", "!!set {a}", "2020-01-01", "'a\0b'", DIGITS, "&a [*a]"])
def test_no_key_of_a_recipe_takes_what_is_no_value_of_its_kind(key: str, value: str):
    refused(lambda: load_recipe("quick", overrides=[f"{key}={value}"]))


@pytest.mark.parametrize(
    ("name", "message"),
    [("no.yaml", "Cannot read .*: No such file"), (".", "is no regular file"), ("a" * 300, "File name too long")],
)
def test_what_is_no_file(tmp_path: Path, name: str, message: str):
    with pytest.raises(UserError, match=message):
        read_mapping(tmp_path / name)


def test_a_file_of_a_megabyte_is_no_variant(tmp_path: Path):
    (tmp_path / "x.yaml").write_text("a: " + "x" * 1_000_000)
    assert "has 1000003 bytes" in refused(lambda: read_mapping(tmp_path / "x.yaml"))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2000", 2000), ("1e-4", "1e-4"), ("[0.9, 0.99]", [0.9, 0.99]), ("null", None), ("", None), ("true", True),
        ("'2020-01-01'", "2020-01-01"), ("{a: &x 1, b: *x}", {"a": 1, "b": 1}), (str(2**63 - 1), 2**63 - 1),
        ("{<<: {a: 1}, b: 2}", {"a": 1, "b": 2}),
    ],
)  # fmt: skip
def test_plain_values_are_as_yaml_says(text: str, value: object):
    assert plain_value(text) == value
