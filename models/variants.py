"""The ablations of Tables 3 and 4 as data. How a user names them, or others, is told in names.py.

A variant is a whole configuration of the network, plus the recipe keys it changes; its difference from the baseline
is computed, never retyped. Published figures are not here: they are in results/paper/.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from torch import nn

from safmn_bench.models.catalog import build_model
from safmn_bench.models.errors import UserError
from safmn_bench.models.own.network import OwnNetwork
from safmn_bench.models.safmn import SAFMN, SAFMNConfig

SCALES = (2, 3, 4)
BASELINE = SAFMNConfig()


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A network to build, train and measure: a variant of SAFMN, or another network of the catalogue.

    `config` is None for a network that is not SAFMN; `recipe` maps dotted recipe keys to the values it changes.
    """

    name: str
    """Its name in rows and result folders."""
    change: str
    label: str = ""
    """Its name in tables and figures, where that is another; see `title`."""
    model: str = "safmn"
    config: SAFMNConfig | None = BASELINE
    recipe: Mapping[str, Any] = field(default_factory=dict)
    own: OwnNetwork | None = None
    """A network that is not of this suite; `config` is then None."""
    text: str = field(default="", compare=False)
    """Of the YAML file that describes it, for records; empty where no file does."""

    @property
    def title(self) -> str:
        """Its name for people: a network of the catalogue as its authors write it, a variant as it is."""
        return self.label or self.name

    def build(self, scale: int) -> nn.Module:
        """The network with fresh weights from torch's global random state. Raises UserError for a wrong scale."""
        if self.own is not None:
            return self.own.build(scale)
        if self.config is None:
            return build_model(self.model, scale)
        if scale not in SCALES:
            raise UserError(f"{self.name} has no scale {scale}. Allowed: 2, 3, 4. Choose one with --scale.")
        return SAFMN(self.config, scale=scale)

    def description(self) -> dict[str, Any]:
        """For a run's configuration: the fields of SAFMN, or where the code of a network of one's own is."""
        if self.own is not None:
            return self.own.describe()
        return asdict(self.config) if self.config else {}

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


def change_of(name: str) -> str:
    """The change that makes a variant, in words; empty for one that the suite does not know."""
    return VARIANTS[name].change if name in VARIANTS else ""


def paper_order(name: str) -> tuple[int, str]:
    """Sorting key: variants as in Tables 3 and 4, the baseline first; then all others by name."""
    known = list(VARIANTS)
    return (known.index(name) if name in known else len(known), name)
