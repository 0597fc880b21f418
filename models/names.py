"""Names that a user may give, and the network of each: a variant, a network of the catalogue, or a YAML file.

One rule for SAFMN: "safmn" is the published network, with its row in Tables 1 and 2; "baseline" is the same network as
the reference of an ablation, with its row in Tables 3 and 4. Whoever matches rows asks `network_key`, which is equal
for both; what is trained is always called baseline (`trained_name`), so that no sweep trains one network twice.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from safmn_bench.models.catalog import MODELS, unlabelled
from safmn_bench.models.errors import UserError, match_name, normalised
from safmn_bench.models.mappings import each_once, flattened, read_mapping, section
from safmn_bench.models.own.network import OwnNetwork, from_section, own_network
from safmn_bench.models.own.source import Source
from safmn_bench.models.variants import VARIANTS, Candidate

ENTRY_POINTS = "safmn_bench.networks"
PUBLISHED = "safmn"
REFERENCE = "baseline"


def network_key(name: str) -> str:
    """A network's name without regard to spelling, or to whether its name or its label is given; SAFMN has one."""
    folded = normalised(unlabelled(name))
    return REFERENCE if folded == PUBLISHED else folded


def trained_name(candidate: Candidate) -> str:
    """The name of a candidate's runs."""
    return REFERENCE if candidate.name == PUBLISHED else candidate.name


def as_trained(candidate: Candidate) -> Candidate:
    """The candidate under the name of its runs."""
    return VARIANTS[REFERENCE] if candidate.name == PUBLISHED else candidate


def find_candidate(given: str, chain: tuple[Path, ...] = ()) -> Candidate:
    """The variant or model named `given`, or the one that the YAML file `given` describes.

    `chain`: the files whose `base:` led here. Raises UserError: unknown name (with near matches), unreadable or
    ill-formed file, files that are each other's base.
    """
    if given.endswith((".yaml", ".yml")):
        return read_candidate(Path(given), chain)
    if (own := own_network(given)) is not None:
        return own_candidate(own)
    entries = {entry.name: entry.value for entry in metadata.entry_points(group=ENTRY_POINTS)}
    advice = (
        "Your own is a YAML file (fields: base, model, network, recipe), FILE.py:Class, package.module:Class, or an "
        f"entry point of the group {ENTRY_POINTS}."
    )
    name = match_name("variant or model", unlabelled(given), [*entries, *VARIANTS, *MODELS], advice)
    if name not in VARIANTS and name not in MODELS:
        return replace(own_candidate(_from_entry_point(entries[name])), name=name)
    if name in VARIANTS:
        return VARIANTS[name]
    peer = MODELS[name]
    if name == PUBLISHED:
        return replace(VARIANTS[REFERENCE], name=name, label=peer.label)
    change = f"another network: {peer.label}"
    return Candidate(name=name, change=change, label=peer.label, model=name, config=None, recipe=peer.recipe)


def own_candidate(own: OwnNetwork) -> Candidate:
    """A network of one's own; one that is called like a known network has its file's name before it."""
    name = own.name
    if normalised(name) in known_names():
        place = own.source.file.stem if own.source.file is not None else own.source.module.rpartition(".")[2]
        name = f"{place}.{name}"
    return Candidate(name=name, change=f"another network: {own.source}", model=own.label, config=None, own=own)


def known_names() -> set[str]:
    """The names, without regard to spelling, that mean a network of this suite."""
    return {normalised(name) for name in (*VARIANTS, *MODELS)}


def _from_entry_point(value: str) -> OwnNetwork:
    own = own_network(value)
    if own is None:
        raise UserError(f"The entry point {value!r} of the group {ENTRY_POINTS} names no module:Class.")
    return own


def written(given: str) -> str:
    """A known name in its own spelling; that of a file or a module as it was given, to be found by it again."""
    candidate = find_candidate(given)
    known = candidate.own is None and not given.endswith((".yaml", ".yml"))
    return candidate.name if known else given


_FIELDS = ("name", "base", "change", "model", "network", "recipe")
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def read_candidate(path: Path, chain: tuple[Path, ...] = ()) -> Candidate:
    """Read a variant of one's own from YAML: `base:` (a known name), `model:` and `recipe:` (the fields that change).

    `name:` (default: the file's name) is also the name of the result folder, so it is restricted to letters, digits,
    '.', '_' and '-', and must not be that of a known variant or model.
    """
    if path.resolve() in [link.resolve() for link in chain]:
        circle = " -> ".join(str(link) for link in (*chain, path))
        raise UserError(f"`base:` leads back to where it began: {circle}. Let one of them name a known variant.")
    content = read_mapping(path)
    for key in content:
        match_name(f"field in {path}", str(key), _FIELDS)
    name = str(content.get("name", path.stem))
    if not _SAFE_NAME.fullmatch(name):
        raise UserError(f"{path}: name {name!r} cannot name a folder; use up to 64 letters, digits, '.', '_' and '-'.")
    if normalised(name) in known_names():
        raise UserError(f"{path}: {name!r} is the name of a known variant or model; choose another with `name:`.")
    network = section(content, "network", path)
    base = _base(content, network, path, (*chain, path))
    model_changes = section(content, "model", path)
    recipe = {**base.recipe, **each_once(flattened(section(content, "recipe", path)), path)}
    if base.config is None and model_changes:
        raise UserError(f"{path}: `model:` changes fields of SAFMN, and base {base.name!r} is another network.")
    config = base.config.changed(model_changes) if base.config is not None else None
    change = str(content.get("change", f"{base.name} changed by {path.name}"))
    text = path.read_text(encoding="utf-8")
    return replace(base, name=name, change=change, label="", config=config, recipe=recipe, text=text)


def _base(content: Mapping[str, Any], network: Mapping[str, Any], path: Path, chain: tuple[Path, ...]) -> Candidate:
    """The candidate that the file changes: the network of its `network:` section, or that of `base:`.

    Of a base that is not SAFMN, `network: {arguments: ...}` changes the constructor's arguments.
    """
    if not network:
        return find_candidate(str(content.get("base", REFERENCE)), chain)
    if "base" not in content:
        return own_candidate(from_section(network, path))
    base = find_candidate(str(content["base"]), chain)
    arguments = section(network, "arguments", path)
    own = base.own or _own_of_peer(base)
    if own is None or set(network) - {"arguments"}:
        raise UserError(
            f"{path}: with `base:`, `network:` holds `arguments:` alone, for the constructor of another network than "
            "SAFMN (whose fields `model:` changes) that takes plain values."
        )
    source = replace(own.source, arguments={**own.source.arguments, **arguments})
    return replace(base, model=own.label, own=replace(own, source=source))


def _own_of_peer(base: Candidate) -> OwnNetwork | None:
    """A network of the catalogue by its class and arguments; None for SAFMN, and where arguments are no literals."""
    if base.config is not None:
        return None
    build = MODELS[base.model].build
    kind, arguments = (build.func, build.keywords) if isinstance(build, partial) else (build, {})
    if not all(isinstance(value, int | float | str) for value in arguments.values()):
        return None
    return OwnNetwork(source=Source(module=kind.__module__, attribute=kind.__qualname__, arguments=arguments))
