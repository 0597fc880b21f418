"""What may be typed or written, by properties: what is meant comes out as it went in, all else is one UserError."""

import contextlib
import keyword
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as some

from safmn_bench.ablations.recipe import from_flat, load_recipe, recipe_keys
from safmn_bench.models.errors import UserError
from safmn_bench.models.mappings import flattened, plain_value, read_mapping
from safmn_bench.models.own.source import parse_arguments, parse_source
from safmn_bench.profiling.common.options import LARGEST_SIDE, lr_size

# The same examples everywhere, and no folder of them is left in a checkout.
quick = settings(derandomize=True, database=None, deadline=None, max_examples=100)

NAMES = some.from_regex(r"[a-z][a-z0-9_]{0,11}", fullmatch=True)
NUMBERS = some.integers(-(2**63) + 1, 2**63 - 1) | some.floats(allow_nan=False, allow_infinity=False)
PLAIN = some.none() | some.booleans() | NUMBERS | some.text(max_size=20)
LITERALS = some.recursive(
    PLAIN,
    lambda inner: (
        some.lists(inner, max_size=3) | some.tuples(inner, inner) | some.dictionaries(NAMES, inner, max_size=3)
    ),
    max_leaves=8,
)
VALUES = some.recursive(PLAIN, lambda inner: some.lists(inner, max_size=3), max_leaves=8)
NESTED = some.recursive(
    some.dictionaries(NAMES, VALUES, max_size=4),
    lambda inner: some.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)
KEYS = recipe_keys()
WORDS = some.text(max_size=40) | some.text(alphabet=string.printable, max_size=40)


def keyword_free(arguments: Mapping[str, Any]) -> bool:
    return not any(keyword.iskeyword(name) for name in arguments)


@quick
@given(some.dictionaries(NAMES, LITERALS, max_size=4).filter(keyword_free))
def test_arguments_of_a_network_come_out_as_they_were_written(arguments: dict[str, Any]):
    written = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    assert parse_arguments(f"({written})", "mynet.py:MyNet") == arguments
    source = parse_source(f"mynet.py:MyNet({written})")
    assert source is not None
    assert (source.file, source.attribute, dict(source.arguments)) == (Path("mynet.py"), "MyNet", arguments)


@quick
@given(WORDS)
def test_any_other_name_of_a_network_is_no_source_or_a_sentence(words: str):
    for text in (words, f"mynet.py:MyNet{words}", f"mynet.py:MyNet({words})", f"package:{words}"):
        with contextlib.suppress(UserError):
            source = parse_source(text)
            assert source is None or source.attribute


@quick
@given(VALUES)
def test_a_plain_yaml_value_comes_out_as_it_was_written(value: Any):
    assert plain_value(yaml.safe_dump(value)) == value


@quick
@given(WORDS)
def test_any_text_is_a_plain_value_or_no_yaml(words: str):
    try:
        value = plain_value(words)
    except yaml.YAMLError:
        return
    assert value == plain_value(yaml.safe_dump(value))


@quick
@given(nested=NESTED)
def test_a_mapping_file_reads_as_it_was_written_and_flattens_to_its_leaves(
    nested: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
):
    path = tmp_path_factory.getbasetemp() / "nested.yaml"
    path.write_text(yaml.safe_dump(nested), encoding="utf-8")
    assert read_mapping(path) == nested
    assert list(flattened(nested).items()) == leaves(nested)


def leaves(nested: Mapping[str, Any], above: tuple[str, ...] = ()) -> list[tuple[str, Any]]:
    found = []
    for name, value in nested.items():
        found += leaves(value, (*above, name)) if isinstance(value, dict) else [(".".join((*above, name)), value)]
    return found


@quick
@given(some.sampled_from(KEYS) | NAMES, WORDS | NUMBERS.map(repr))
def test_any_override_makes_a_recipe_or_is_one_sentence(key: str, value: str):
    with contextlib.suppress(UserError):
        recipe = load_recipe("quick", overrides=[f"{key}={value}"])
        assert from_flat(flattened(recipe.to_dict())) == recipe


@quick
@given(some.integers(1, LARGEST_SIDE), some.integers(1, LARGEST_SIDE), some.sampled_from("xX"))
def test_a_size_is_its_width_and_height(width: int, height: int, by: str):
    assert lr_size(f" {width}{by}{height}") == (width, height)


@quick
@given(WORDS)
def test_what_is_no_size_is_one_sentence(words: str):
    with pytest.raises(UserError, match="is not a size. Write width x height in pixels"):
        lr_size(f"{words}-")
