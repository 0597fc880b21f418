"""Attribution methods by name: LAM, and those of captum for comparison, each with what it can say about itself."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from captum.attr import IntegratedGradients, NoiseTunnel, Saliency
from torch import nn

from safmn_bench.analysis.attribution.local_attribution import LocalAttributionMap
from safmn_bench.analysis.attribution.objective import Window, WindowDetail
from safmn_bench.models.errors import UserError, match_name

METHODS = {
    "lam": "integrated gradients from the blurred image (local attribution map)",
    "integrated_gradients": "captum's, from a black image along a straight line, Gauss-Legendre",
    "saliency": "captum's: the plain gradient at the image; one step",
    "noise_tunnel": "captum's: the mean gradient over noisy copies of the image, one per step",
}
NOISE = 1 / 255  # standard deviation, of an image in [0, 1]: one grey level
_SEED = 0  # of that noise


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
    detail = WindowDetail(network)
    values, delta, baseline = _METHODS[match_name("method", method, METHODS, "Choose one with --method.")](
        detail, lr, window, steps, batch, advance
    )
    undefined = detail.undefined
    with torch.no_grad():
        end = float(detail(lr, window))
        rise = end - float(detail(baseline, window)) if baseline is not None else 0.0
    if not torch.isfinite(values).all():
        raise UserError("the attribution is not finite: the weights are broken, as after a collapse. Take others.")
    return Attribution(
        values=values[0].detach().cpu(),
        steps=1 if method == "saliency" else steps,
        objective=end,
        completeness_gap=float(delta) / rise if delta is not None and rise else None,
        undefined_gradients=undefined,
    )


_Found = tuple[torch.Tensor, torch.Tensor | None, torch.Tensor | None]
"""Attribution (1, 3, h, w), completeness delta (1,), start of the path; the last two None where there is no path."""
_Method = Callable[[WindowDetail, torch.Tensor, Window, int, int, Callable[[int], object]], _Found]


def _lam(detail, lr, window, steps, batch, advance) -> _Found:
    explainer = LocalAttributionMap(detail)
    values, delta = explainer.attribute(lr, window, steps, batch, return_convergence_delta=True, advance=advance)
    return values, delta, explainer.baseline(lr)


def _integrated_gradients(detail, lr, window, steps, batch, advance) -> _Found:
    values, delta = IntegratedGradients(detail).attribute(
        lr, additional_forward_args=(window,), n_steps=steps, internal_batch_size=batch, return_convergence_delta=True
    )
    advance(steps)
    return values, delta, torch.zeros_like(lr)


def _saliency(detail, lr, window, steps, batch, advance) -> _Found:
    values = Saliency(detail).attribute(lr.clone().requires_grad_(), abs=False, additional_forward_args=(window,))
    advance(steps)
    return values, None, None


def _noise_tunnel(detail, lr, window, steps, batch, advance) -> _Found:
    tunnel = NoiseTunnel(Saliency(detail))
    with torch.random.fork_rng(devices=[lr.device] if lr.is_cuda else []):
        torch.manual_seed(_SEED)
        values = tunnel.attribute(
            lr.clone().requires_grad_(), nt_samples=steps, nt_samples_batch_size=min(batch, steps), stdevs=NOISE,
            abs=False, additional_forward_args=(window,),
        )  # fmt: skip
    advance(steps)
    return cast(torch.Tensor, values), None, None


_METHODS: dict[str, _Method] = {
    "lam": _lam,
    "integrated_gradients": _integrated_gradients,
    "saliency": _saliency,
    "noise_tunnel": _noise_tunnel,
}
