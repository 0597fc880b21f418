"""A network of one's own as a value: where its code is, what it expects, and how it is built."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.models.mappings import read_mapping
from safmn_bench.models.own.adaptation import Adaptation, adapted
from safmn_bench.models.own.loading import build_from
from safmn_bench.models.own.source import Source, parse_source

SOURCE_FIELDS = ("file", "module", "class", "arguments", "scale_argument", "keys")
DECLARED = "SAFMN_BENCH"
"""A class attribute, a mapping, by which a network tells its own options: SAFMN_BENCH = {"input_range": 255}."""
RANGE_ARGUMENT = "rgb_range"  # of EDSR's family: what the input's white is


@dataclass(frozen=True, kw_only=True)
class OwnNetwork:
    """A network that is not of this suite."""

    source: Source
    options: Mapping[str, Any] = field(default_factory=dict)
    """Of the adaptation, as given; what is not given, the class may declare."""
    scale_argument: str = ""
    keys: Mapping[str, str] = field(default_factory=dict)
    """For weight files of other names: prefix there -> prefix here."""

    @property
    def name(self) -> str:
        """Its class and arguments, as a folder can be called."""
        if self.source.is_spandrel:
            return _safe(f"spandrel_{self.source.path().stem}")
        written = "_".join(f"{key}{value}" for key, value in self.source.arguments.items())
        return _safe(f"{self.source.attribute}_{written}" if written else self.source.attribute)

    @property
    def label(self) -> str:
        """Where its code is, without folders: file or module, and class."""
        return f"{self.source.file.name if self.source.file else self.source.module}:{self.source.attribute}"

    @property
    def trained(self) -> bool:
        """Whether it brings its weights."""
        return self.source.is_spandrel

    def build(self, scale: int) -> nn.Module:
        """The network under our convention. Raises UserError with the cause where its code fails."""
        network = build_from(self.source, scale, self.scale_argument)
        network = adapted(network, self._adaptation(network), scale)
        if self.keys:
            rename = _renaming(self.keys)
            network.adapt_state_dict = lambda state: {rename(key): value for key, value in state.items()}  # type: ignore
        return network

    def _adaptation(self, network: nn.Module) -> Adaptation:
        declared = dict(getattr(network, DECLARED, {}))
        if (white := self.source.arguments.get(RANGE_ARGUMENT)) is not None:
            declared.setdefault("input_range", white)
        if isinstance(multiple := getattr(network, "size_multiple", None), int):
            declared.setdefault("size_multiple", multiple)
        return Adaptation.of({**declared, **self.options})

    def describe(self) -> dict[str, Any]:
        """For a run's configuration: equal for equal code, arguments and options, wherever the code lies."""
        return {
            "source": self.label,
            "arguments": dict(self.source.arguments),
            "options": dict(self.options),
            "scale_argument": self.scale_argument,
            "keys": dict(self.keys),
            "digest": self.source.digest(),
        }

    def files(self) -> dict[str, Path]:
        """Its source files by their path in a copy."""
        files = [path.resolve() for path in self.source.files()]
        folder = self.source.root or files[0].parent
        inside = [path for path in files if path.is_relative_to(folder)]
        return {path.relative_to(folder).as_posix(): path for path in inside}


def own_network(given: str) -> OwnNetwork | None:
    """The network that a name of the form FILE.py:Class or its kin means; None for another form."""
    source = parse_source(given)
    return None if source is None else OwnNetwork(source=source)


def from_section(section: Mapping[str, Any], path: Path) -> OwnNetwork:
    """The network of a YAML file's `network:` section; a `file:` is taken from the YAML's folder. Raises UserError."""
    file, module, attribute = (section.get(key) for key in ("file", "module", "class"))
    if bool(file) == bool(module) or not isinstance(attribute, str):
        raise UserError(f"{path}: `network:` names `file:` or `module:`, and its `class:`.")
    arguments = section.get("arguments") or {}
    if not isinstance(arguments, dict) or not all(isinstance(key, str) for key in arguments):
        raise UserError(f"{path}: `network.arguments:` is {arguments!r}, not a mapping of names to values.")
    keys = section.get("keys") or {}
    if isinstance(keys, str):
        keys = read_mapping(path.parent / keys)
    options = {key: value for key, value in section.items() if key not in SOURCE_FIELDS}
    Adaptation.of(options)  # refuses what is unknown, before any code runs
    return OwnNetwork(
        source=Source(
            file=path.parent / str(file) if file else None,
            module="" if file else str(module),
            attribute=attribute,
            arguments=arguments,
        ),
        options=options,
        scale_argument=str(section.get("scale_argument", "")),
        keys={str(old): str(new) for old, new in keys.items()},
    )


def from_copy(described: Mapping[str, Any], folder: Path) -> OwnNetwork:
    """The network of a run, from its description in the record and the copy of its code in the run's folder.

    Raises UserError where the copy is not what was trained.
    """
    place, _, attribute = str(described["source"]).rpartition(":")
    source = Source(module=place, attribute=attribute, arguments=described["arguments"])
    if place.endswith(".py"):
        copies = sorted(folder.rglob(place), key=lambda path: len(path.parts))
        if not copies:
            raise UserError(f"{folder} has no {place}: the copy of the code that was trained is missing.")
        source = replace(source, module="", file=copies[0])
    if source.digest() != described["digest"]:
        raise UserError(f"{source} is not the code that was trained: its digest differs from the record's.")
    return OwnNetwork(
        source=source,
        options=described["options"],
        scale_argument=described["scale_argument"],
        keys=described["keys"],
    )


def _renaming(keys: Mapping[str, str]) -> Any:
    """A function of a key: the longest prefix of the mapping that it begins with is replaced."""
    prefixes = sorted(keys, key=len, reverse=True)

    def rename(key: str) -> str:
        for prefix in prefixes:
            if key.startswith(prefix):
                return keys[prefix] + key.removeprefix(prefix)
        return key

    return rename


def _safe(name: str) -> str:
    folded = re.sub(r"[^A-Za-z0-9.]+", "_", name).strip("_.") or "network"
    return folded if len(folded) <= 60 else f"{folded[:50]}_{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"
