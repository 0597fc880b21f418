"""One window of one network, attributed by a method of the table, with what the attribution can say about itself."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from safmn_bench.analysis.attribution.methods import METHODS
from safmn_bench.analysis.attribution.objective import Window, WindowDetail
from safmn_bench.models.errors import UserError, match_name


@dataclass(frozen=True)
class Attribution:
    """One attribution of one window; `values` is signed, float32 (3, h, w), on the CPU."""

    values: torch.Tensor
    steps: int
    objective: float
    """F(x): the detail in the window, in units of SR in [0, 1]."""
    completeness_gap: float | None
    """(sum A - (F(x) - F(x_0))) / (F(x) - F(x_0)); None where the method is no path integral."""
    undefined_gradients: int
    """Channels of pixels in the window, over all steps, that equal their neighbours (objective.WindowDetail)."""


def attribute(
    network: nn.Module,
    lr: torch.Tensor,
    window: Window,
    *,
    method: str,
    steps: int,
    batch: int,
    advance: Callable[[int], object] = lambda steps: None,
) -> Attribution:
    """Attribute `window` of the network's SR to LR (1, 3, h, w) in [0, 1], `batch` samples at a time.

    Raises UserError where the attribution is not finite (the weights are broken).
    """
    chosen = METHODS[match_name("method", method, METHODS, "Choose one with --method.")]
    detail = WindowDetail(network)
    attributed = chosen.compute(detail, lr, window, steps, batch, advance)
    undefined = detail.undefined  # before the calls below, which would be counted too
    with torch.no_grad():
        end = float(detail(lr, window))
        rise = end - float(detail(attributed.start, window)) if attributed.start is not None else 0.0
    if not torch.isfinite(attributed.values).all():
        raise UserError("the attribution is not finite: the weights are broken, as after a collapse. Take others.")
    return Attribution(
        values=attributed.values[0].detach().cpu(),
        steps=steps if chosen.takes_steps else 1,
        objective=end,
        completeness_gap=float(attributed.delta) / rise if attributed.delta is not None and rise else None,
        undefined_gradients=undefined,
    )
