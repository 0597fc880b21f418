"""YAML files that hold a mapping: read safely, flattened to dotted keys, their sections checked."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from safmn_bench.models.errors import UserError


def flattened(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{'optimizer': {'lr': 1}} and {'optimizer.lr': 1} both become {'optimizer.lr': 1}."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        if isinstance(value, Mapping):
            flat |= flattened(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises UserError where it cannot be read or is none."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Give the path of a YAML file.") from error
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
