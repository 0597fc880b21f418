"""A sweep as a YAML file: `run.py --sweep FILE.yaml` is the same as giving its lines as options.

variants: [baseline, w_o_FM, my_variant.yaml]    # or `table: 3`, or models of Table 1
scales: [2, 4]
seeds: [0, 1, 2]
recipe: quick
set: {train.iterations: 3000}
"""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safmn_bench.models.errors import UserError, match_name
from safmn_bench.models.variants import SCALES, TABLE3, TABLE4, flattened, read_mapping

_KEYS = ("variants", "table", "scales", "seeds", "recipe", "set", "train_data", "benchmarks")


def apply(path: Path, args: argparse.Namespace) -> None:
    """Put what the file says into the options; `--set` on the command line comes after the file's `set:`.

    Raises UserError for an unknown key, or a value of another kind than the key's.
    """
    content = read_mapping(path)
    for key in content:
        match_name(f"key in {path}", str(key), _KEYS)
    if ("variants" in content) == ("table" in content):
        raise UserError(f"{path}: name either `variants:` (a list) or `table:` (3 or 4).")
    args.variants = [str(name) for name in _list(content, "variants", path)] or _table(content["table"], path)
    args.scale = _numbers(content, "scales", path) or args.scale
    args.seeds = _numbers(content, "seeds", path) or args.seeds
    args.recipe = str(content["recipe"]) if "recipe" in content else args.recipe
    args.overrides = [f"{key}={value}" for key, value in flattened(_mapping(content, path)).items()] + args.overrides
    for key in ("train_data", "benchmarks"):
        if key in content:
            setattr(args, key, [Path(folder) for folder in _list(content, key, path)])
    if any(scale not in SCALES for scale in args.scale):
        raise UserError(f"{path}: scales {args.scale}. Allowed: {', '.join(map(str, SCALES))}.")


def _table(number: Any, path: Path) -> list[str]:
    tables = {3: TABLE3, 4: TABLE4}
    if number not in tables:
        raise UserError(f"{path}: table {number!r}. Allowed: 3, 4.")
    return [variant.name for variant in tables[number]]


def _list(content: Mapping[str, Any], key: str, path: Path) -> list[Any]:
    value = content.get(key, [])
    if not isinstance(value, list) or (key in content and not value):
        raise UserError(f"{path}: `{key}:` is {value!r}, not a list such as [a, b].")
    return value


def _numbers(content: Mapping[str, Any], key: str, path: Path) -> list[int]:
    values = _list(content, key, path)
    if not all(isinstance(value, int) and not isinstance(value, bool) for value in values):
        raise UserError(f"{path}: `{key}:` is {values!r}, not a list of whole numbers.")
    return values


def _mapping(content: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    value = content.get("set", {})
    if not isinstance(value, dict):
        raise UserError(f"{path}: `set:` is {value!r}, not a mapping such as {{train.iterations: 3000}}.")
    return value
