"""YAML files that hold a mapping: read safely, each key once, flattened to dotted keys, their sections checked.

What comes out is plain: text, whole numbers of 64 bits, floats, true and false, null, lists, and mappings with text for
keys. Everything else that YAML can mean (dates, sets, bytes, what grows when its aliases are followed) is refused.
"""

import stat
from collections.abc import Iterator, Mapping
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
        below = flattened(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
        if again := flat.keys() & below.keys():
            raise UserError(f"{min(again)} is given twice, in a section and by its dotted name. Keep one of the two.")
        flat |= below
    return flat


class GivenTwice(yaml.YAMLError):
    """A key that stands twice in one mapping."""


_MERGE = "tag:yaml.org,2002:merge"  # `<<:`, which may stand several times


class _EachKeyOnce(yaml.SafeLoader):
    """YAML's safe loader, which refuses a key that is given twice instead of keeping the last, and deep nesting."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A value and what it holds. Raises yaml.YAMLError."""
        self.depth += 1
        if self.depth > _DEEPEST:  # a thousand would be too many for Python, and take seconds
            raise yaml.YAMLError("it is nested too deeply")
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

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
        content = plain_value(_text_of(path))
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Give the path of a YAML file.") from error
    except GivenTwice as error:
        raise UserError(f"{path}: {error}. Keep one of the two.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} holds no mapping; write lines such as `base: w_o_FM` and `model: {{pooling: avg}}`.")
    return content


def _text_of(path: Path) -> str:
    kind = path.stat()
    if not stat.S_ISREG(kind.st_mode):
        raise UserError(f"{path} is no regular file. Give the path of a YAML file.")
    if kind.st_size > _LARGEST_FILE:
        raise UserError(f"{path} has {kind.st_size} bytes; a YAML file of this suite has at most {_LARGEST_FILE}.")
    return path.read_text(encoding="utf-8")


def plain_value(text: str) -> Any:
    """The content of YAML text. Raises yaml.YAMLError where it means nothing, or nothing plain."""
    loader = _EachKeyOnce(text)
    try:
        node = loader.get_single_node()
        _require_few(node)
        value = loader.construct_document(node) if node is not None else None
        _require_plain(value)
        return value
    except (ValueError, TypeError, LookupError, AttributeError, OverflowError) as error:
        raise yaml.YAMLError(f"a value is not of the kind that its tag says ({error})") from error
    finally:
        loader.dispose()


_LARGEST_FILE = 1_000_000  # bytes
_DEEPEST = 50
_MOST_VALUES = 10_000
_LARGEST_WHOLE = 2**63 - 1


def _require_few(root: yaml.Node | None) -> None:
    """Refuse what grows without end when its aliases are followed."""
    left, sizes = [root] if root is not None else [], 0
    while left:
        sizes += 1
        if sizes > _MOST_VALUES:
            raise yaml.YAMLError(f"it holds more than {_MOST_VALUES} values when its aliases are followed")
        left += _inner(left.pop())


def _inner(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        for pair in node.value:
            yield from pair


def _require_plain(value: Any, where: str = "it") -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if not isinstance(key, str):
                raise yaml.YAMLError(f"the key {key!r} in {where} is no text; write it in quotes")
            _require_plain(inner, f"`{key}:`")
    elif isinstance(value, list):
        for inner in value:
            _require_plain(inner, where)
    elif isinstance(value, int) and abs(value) > _LARGEST_WHOLE:
        raise yaml.YAMLError(f"a whole number in {where} is out of range")
    elif value is not None and not isinstance(value, str | int | float):
        raise yaml.YAMLError(f"{where} holds a value of kind {type(value).__name__}; text is written in quotes")


def section(content: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    """The section under `key:`, a mapping; empty where nothing does. Raises UserError for anything else."""
    fields = content.get(key) or {}
    if not isinstance(fields, dict):
        raise UserError(f"{path}: `{key}:` is {fields!r}, not a mapping of fields to values.")
    return fields
