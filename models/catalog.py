"""Every network that the suite knows, by name: one explicit list.

To add a network: write its file in `models/`, then add one entry here. The interface that all of them keep:

- a `torch.nn.Module` with an integer attribute `scale`;
- `forward(rgb)`: RGB float (B, 3, H, W) in [0, 1] -> RGB (B, 3, scale H, scale W), nominally in [0, 1], not clamped.
  The input domain of the original ([0, 255], mean shift, luma only) is the network's own business;
- state-dict keys as published. Where published files come in several key layouts, `adapt_state_dict(state)`
  returns the state under our keys;
- optionally `counted(lr_height, lr_width) -> (module, input_shape)`: what the literature counts, where that is not
  `forward` on the RGB image (luma networks, re-parameterised networks).
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from safmn_bench.models.errors import UserError, match_name
from safmn_bench.models.safmn import SAFMN, SAFMNConfig


@dataclass(frozen=True, kw_only=True)
class Model:
    """One network: `build(scale)` makes it, for each of `scales`; `label` is its name in Table 1."""

    name: str
    label: str
    scales: tuple[int, ...]
    build: Callable[[int], nn.Module]


MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        Model(
            name="safmn",
            label="SAFMN",
            scales=(2, 3, 4),
            build=lambda scale: SAFMN(SAFMNConfig(), scale=scale),
        ),
    )
}


def find_model(name: str) -> Model:
    """The catalogue's entry; names match without regard to case and -/_. Raises UserError with near matches."""
    return MODELS[match_name("model", name, MODELS, "New ones are added in models/catalog.py.")]


def build_model(name: str, scale: int) -> nn.Module:
    """Build a network with fresh weights. Raises UserError for an unknown name or an unsupported scale."""
    model = find_model(name)
    if scale not in model.scales:
        allowed = ", ".join(str(s) for s in model.scales)
        raise UserError(f"{model.label} has no scale {scale}. Allowed: {allowed}. Choose one with --scale.")
    return model.build(scale)
