"""Attribution methods by name: LAM, and those of captum for comparison. To add one: its function, and one entry.

The command line lists them, so this module is light: torch and captum are imported by the method that is used.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import torch

    from safmn_bench.analysis.attribution.objective import Window, WindowDetail

NOISE = 1 / 255  # standard deviation, of an image in [0, 1]: one grey level
_SEED = 0  # of that noise


@dataclass(frozen=True)
class Attributed:
    """The result of a method; one that is no path integral has no completeness `delta` and no `start`."""

    values: torch.Tensor
    """(1, 3, h, w), signed."""
    delta: torch.Tensor | None = None
    """(1,): sum of the values less what they should add up to."""
    start: torch.Tensor | None = None
    """(1, 3, h, w): the image that the path starts at."""


@dataclass(frozen=True)
class Method:
    """`compute(detail, lr, window, steps, batch, advance)`: LR is (1, 3, h, w), `advance` is told of steps done."""

    text: str
    compute: Callable[[WindowDetail, torch.Tensor, Window, int, int, Callable[[int], object]], Attributed]
    takes_steps: bool = True


def _lam(detail, lr, window, steps, batch, advance) -> Attributed:
    from safmn_bench.analysis.attribution.local_attribution import LocalAttributionMap

    explainer = LocalAttributionMap(detail)
    values, delta = explainer.attribute(lr, window, steps, batch, return_convergence_delta=True, advance=advance)
    return Attributed(values, delta, explainer.baseline(lr))


def _integrated_gradients(detail, lr, window, steps, batch, advance) -> Attributed:
    from captum.attr import IntegratedGradients

    values, delta = IntegratedGradients(detail).attribute(
        lr, additional_forward_args=(window,), n_steps=steps, internal_batch_size=batch, return_convergence_delta=True
    )
    advance(steps)
    return Attributed(values, delta, lr.new_zeros(lr.shape))


def _saliency(detail, lr, window, steps, batch, advance) -> Attributed:
    from captum.attr import Saliency

    values = Saliency(detail).attribute(lr.clone().requires_grad_(), abs=False, additional_forward_args=(window,))
    advance(steps)
    return Attributed(values)


def _noise_tunnel(detail, lr, window, steps, batch, advance) -> Attributed:
    import torch
    from captum.attr import NoiseTunnel, Saliency

    tunnel = NoiseTunnel(Saliency(detail))
    with torch.random.fork_rng(devices=[lr.device] if lr.is_cuda else []):
        torch.manual_seed(_SEED)
        values = tunnel.attribute(
            lr.clone().requires_grad_(), nt_samples=steps, nt_samples_batch_size=min(batch, steps), stdevs=NOISE,
            abs=False, additional_forward_args=(window,),
        )  # fmt: skip
    advance(steps)
    return Attributed(cast("torch.Tensor", values))


METHODS: dict[str, Method] = {
    "lam": Method("integrated gradients from the blurred image (local attribution map)", _lam),
    "integrated_gradients": Method(
        "captum's, from a black image along a straight line, Gauss-Legendre", _integrated_gradients
    ),
    "saliency": Method("captum's: the plain gradient at the image; one step", _saliency, takes_steps=False),
    "noise_tunnel": Method("captum's: the mean gradient over noisy copies of the image, one per step", _noise_tunnel),
}
