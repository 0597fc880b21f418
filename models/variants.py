"""The ablations of Tables 3 and 4 as data, and what a user may name: a variant, a model, or a YAML file.

A variant is a whole configuration of the network, plus the recipe keys it changes; its difference from the baseline
is computed, never retyped. Published figures are not here: they are in results/paper/.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from safmn_bench.models.catalog import MODELS, build_model
from safmn_bench.models.errors import UserError, match_name, normalised
from safmn_bench.models.safmn import SAFMN, SAFMNConfig

SCALES = (2, 3, 4)
BASELINE = SAFMNConfig()


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """What is built, trained and measured: a variant of SAFMN, or another network of the catalogue.

    `config` is None for a network that is not SAFMN; `recipe` maps dotted recipe keys to the values it changes.
    """

    name: str
    change: str
    model: str = "safmn"
    config: SAFMNConfig | None = BASELINE
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def build(self, scale: int) -> nn.Module:
        """The network with fresh weights from torch's global random state. Raises UserError for a wrong scale."""
        if self.config is None:
            return build_model(self.model, scale)
        if scale not in SCALES:
            raise UserError(f"{self.name} has no scale {scale}. Allowed: 2, 3, 4. Choose one with --scale.")
        return SAFMN(self.config, scale=scale)

    def delta(self) -> dict[str, tuple[Any, Any]]:
        """Fields that differ from the baseline: field -> (baseline's value, this one's)."""
        if self.config is None:
            return {}
        base, mine = asdict(BASELINE), asdict(self.config)
        return {key: (base[key], mine[key]) for key in base if base[key] != mine[key]}


def _variant(name: str, change: str, recipe: Mapping[str, Any] | None = None, **fields: Any) -> Candidate:
    return Candidate(name=name, change=change, config=replace(BASELINE, **fields), recipe=recipe or {})


TABLE3: tuple[Candidate, ...] = (
    _variant("baseline", "none (the reference)"),
    _variant("w_o_SAFM", "SAFM -> None", use_safm=False),
    _variant("w_o_CCM", "CCM -> None", mixer="none"),
    _variant("w_o_FM", "no feature modulation: phi(X^) is the output", modulate=False),
    _variant("w_o_MR", "no multi-scale representation: one full-size depthwise convolution", levels=1),
    _variant("w_o_FA", "no feature aggregation: no 1x1 convolution", aggregate=False),
    _variant("w_o_FM_MR", "no modulation, no multi-scale", modulate=False, levels=1),
    _variant("w_o_FM_FA", "no modulation, no aggregation", modulate=False, aggregate=False),
    _variant("w_o_FM_MR_FA", "a depthwise convolution and a GELU", modulate=False, levels=1, aggregate=False),
    _variant("avg_pool", "adaptive max-pool -> adaptive average-pool", pooling="avg"),
    _variant("nearest_pool", "adaptive max-pool -> nearest interpolation", pooling="nearest"),
    _variant("w_o_GELU", "phi -> identity", activation="none"),
    _variant("sigmoid", "phi -> sigmoid", activation="sigmoid"),
    _variant("w_SE", "CCM with squeeze-and-excitation", mixer="se"),
    _variant("channel_mlp", "CCM -> channel MLP", mixer="channel_mlp"),
    _variant("inverted_residual", "CCM -> inverted residual block", mixer="inverted_residual"),
    _variant("w_o_LN", "LN -> None", norm="none"),
    _variant("w_o_LN_lr1e-4", "LN -> None, learning rate 1e-4", recipe={"optimizer.lr": 1e-4}, norm="none"),
    _variant("bn", "LN -> BatchNorm", norm="batch"),
    _variant("fbn", "LN -> frozen BatchNorm", norm="frozen_batch"),
    _variant("l2_norm", "LN -> L2 normalization", norm="l2"),
)

TABLE4: tuple[Candidate, ...] = (
    _variant("n4", "4 blocks", n_blocks=4),
    _variant("n6", "6 blocks", n_blocks=6),
    TABLE3[0],
    _variant("n12", "12 blocks", n_blocks=12),
)

VARIANTS: dict[str, Candidate] = {variant.name: variant for variant in (*TABLE3, *TABLE4)}


def find_candidate(given: str) -> Candidate:
    """The variant or model named `given`, or the one that the YAML file `given` describes.

    Raises UserError: unknown name (with near matches), unreadable or ill-formed file.
    """
    if given.endswith((".yaml", ".yml")):
        return read_candidate(Path(given))
    if normalised(given) == "safmn":
        return VARIANTS["baseline"]
    peers = [name for name in MODELS if name != "safmn"]
    advice = "Your own is a YAML file: --variant my_variant.yaml (fields: base, model, recipe)."
    name = match_name("variant or model", given, [*VARIANTS, *peers], advice)
    if name in VARIANTS:
        return VARIANTS[name]
    peer = MODELS[name]
    return Candidate(name=name, change=f"another network: {peer.label}", model=name, config=None, recipe=peer.recipe)


_FIELDS = ("name", "base", "change", "model", "recipe")
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def read_candidate(path: Path) -> Candidate:
    """Read a variant of one's own from YAML: `base:` (a known name), `model:` and `recipe:` (the fields that change).

    `name:` (default: the file's name) is also the name of the result folder, so it is restricted to letters, digits,
    '.', '_' and '-', and must not be that of a known variant or model.
    """
    content = read_mapping(path)
    for key in content:
        match_name(f"field in {path}", str(key), _FIELDS)
    name = str(content.get("name", path.stem))
    if not _SAFE_NAME.fullmatch(name):
        raise UserError(f"{path}: name {name!r} cannot name a folder; use up to 64 letters, digits, '.', '_' and '-'.")
    if normalised(name) in {normalised(known) for known in (*VARIANTS, *MODELS)}:
        raise UserError(f"{path}: {name!r} is the name of a known variant or model; choose another with `name:`.")
    base = find_candidate(str(content.get("base", "baseline")))
    model_changes = _section(content, "model", path)
    recipe = {**base.recipe, **flattened(_section(content, "recipe", path))}
    if base.config is None and model_changes:
        raise UserError(f"{path}: `model:` changes fields of SAFMN, and base {base.name!r} is another network.")
    config = base.config.changed(model_changes) if base.config is not None else None
    change = str(content.get("change", f"{base.name} changed by {path.name}"))
    return replace(base, name=name, change=change, config=config, recipe=recipe)


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


def _section(content: Mapping[str, Any], key: str, path: Path) -> dict[str, Any]:
    section = content.get(key) or {}
    if not isinstance(section, dict):
        raise UserError(f"{path}: `{key}:` is {section!r}, not a mapping of fields to values.")
    return section


def change_of(name: str) -> str:
    """What a variant changes; empty for one that the suite does not know."""
    return VARIANTS[name].change if name in VARIANTS else ""


def paper_order(name: str) -> tuple[int, str]:
    """Sorting key: variants as in Tables 3 and 4, the baseline first; then all others by name."""
    known = list(VARIANTS)
    return (known.index(name) if name in known else len(known), name)
