"""YAML files that hold a mapping: read safely, each key once, flattened to dotted keys, their sections checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from safmn_bench.models.errors import UserError, normalised


def flattened(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'optimizer': {'lr': 1}} and {'optimizer.lr': 1} both become {'optimizer.lr': 1}.

    Raises UserError where both stand there: one of the two values would be lost.
    """
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        found = flattened(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
        if again := flat.keys() & found.keys():
            raise UserError(f"{min(again)} is given twice, in a section and by its dotted name. Keep one of the two.")
        flat |= found
    return flat


class GivenTwice(yaml.YAMLError):
    """A key that stands twice in one mapping."""


_MERGE = "tag:yaml.org,2002:merge"  # `<<:`, which may stand several times


class _EachKeyOnce(yaml.SafeLoader):
    """YAML's safe loader, which refuses a key that is given twice instead of keeping the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping. Raises GivenTwice."""
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag == _MERGE:
                continue
            line = key.start_mark.line + 1
            if key.value in lines:
                raise GivenTwice(f"{key.value!r} is given twice, in lines {lines[key.value]} and {line}")
            lines[key.value] = line
        return super().construct_mapping(node, deep)


def each_once(values: Mapping[str, Any], where: object) -> Mapping[str, Any]:
    """The same. Raises UserError where two keys are one but for spelling (case, '-' and '_')."""
    seen: dict[str, str] = {}
    for key in values:
        if (other := seen.setdefault(normalised(key), key)) != key:
            raise UserError(f"{where}: {other!r} and {key!r} are one key, given twice. Keep one of the two.")
    return values


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises UserError where it cannot be read or is none."""
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=_EachKeyOnce)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Give the path of a YAML file.") from error
    except GivenTwice as error:
        raise UserError(f"{path}: {error}. Keep one of the two.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no mapping; write lines such as `base: w_o_FM` and `model: {{pooling: avg}}`.")
    return content


def section(content: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    """What stands under `key:`, a mapping; empty where nothing does. Raises UserError for anything else."""
    found = content.get(key) or {}
    if not isinstance(found, dict):
        raise UserError(f"{path}: `{key}:` is {found!r}, not a mapping of fields to values.")
    return found
