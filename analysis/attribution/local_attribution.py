"""Local attribution maps (Gu and Dong, CVPR 2021; the paper's reference [13], Figure 2), as a captum method.

What a pixel of the LR image adds to the detail that a network writes into a window of its SR image: integrated
gradients along the path from the blurred LR image to the sharp one.

- Path: x_k = x * K_k, K_k a 9x9 Gaussian of sigma_k = 1.2 (1 - k/N), k = 0..N; x_N is x itself. Borders mirrored
  without repeating the edge. Kernels and blurring in float64, k/N exact (captum's own alphas are float32: that alone
  moves a map by 1e-3).
- Map: A = sum over k = 1..N of grad F(x_k) . (x * (K_k - K_{k-1})), signed, (3, h, w).
- Completeness: sum A should be F(x) - F(x_0); what is missing at N steps is returned, as captum returns it.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from captum.attr import GradientAttribution

from safmn_bench.models.errors import UserError

SIGMA = 1.2  # LR pixels, of the blurred end of the path
KERNEL = 9  # pixels, odd


def gaussian_kernels(steps: int, sigma: float = SIGMA, size: int = KERNEL) -> torch.Tensor:
    """K_0 to K_steps, float64 (steps + 1, size, size), each summing to 1; the last is a single 1.

    Raises ValueError for an even size.
    """
    if size % 2 == 0:
        raise ValueError(f"size={size} is even: a blur needs a centre pixel")
    offset = torch.arange(size, dtype=torch.float64) - size // 2
    squared = offset.unsqueeze(1) ** 2 + offset**2
    sigmas = sigma * (1 - torch.arange(steps + 1, dtype=torch.float64) / steps) + 1e-5  # 1e-5: as the authors' demo
    kernels = torch.exp(-squared / (2 * sigmas.view(-1, 1, 1) ** 2))
    return kernels / kernels.sum(dim=(1, 2), keepdim=True)


def filtered(x: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Blur x (B, C, h, w) by every kernel (K, size, size): float64 (K, B, C, h, w); h and w are above size // 2."""
    batch, channels, height, width = x.shape
    margin = kernels.shape[-1] // 2
    planes = F.pad(x.double(), (margin,) * 4, mode="reflect").flatten(0, 1).unsqueeze(1)
    blurred = F.conv2d(planes, kernels.to(x.device).unsqueeze(1))  # (B C, K, h, w)
    return blurred.transpose(0, 1).reshape(-1, batch, channels, height, width)


def require_size(height: int, width: int, name: str) -> None:
    """Raise UserError for an LR image that the path cannot blur."""
    if min(height, width) <= KERNEL // 2:
        raise UserError(
            f"{name} is {width}x{height} pixels at LR; the path of the attribution blurs with {KERNEL}x{KERNEL} pixels "
            f"and needs at least {KERNEL // 2 + 1} on each side. Take a larger image."
        )


class LocalAttributionMap(GradientAttribution):
    """LAM of `forward_func(x, *additional_forward_args) -> (B,)`, one value per sample (see objective.py)."""

    def __init__(self, forward_func: Callable[..., torch.Tensor], sigma: float = SIGMA, size: int = KERNEL) -> None:
        super().__init__(forward_func)
        self.sigma = sigma
        self.size = size

    def baseline(self, x: torch.Tensor) -> torch.Tensor:
        """x_0, where the path begins: x blurred most; of the shape of x."""
        return filtered(x, gaussian_kernels(1, self.sigma, self.size)[:1])[0].to(x.dtype)

    def attribute(  # pyright: ignore[reportIncompatibleMethodOverride]
        self,
        inputs: torch.Tensor,
        additional_forward_args: object = None,
        n_steps: int = 50,
        internal_batch_size: int | None = None,
        return_convergence_delta: bool = False,
        advance: Callable[[int], object] = lambda steps: None,
    ) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        """A (B, 3, h, w), and with `return_convergence_delta` sum A - (F(x) - F(x_0)), (B,).

        `internal_batch_size`: samples in the network at a time (None: all), the memory grows with it; the result does
        not depend on it but for rounding. `advance` is told of path steps as they are done.
        """
        samples = len(inputs)
        chunk = n_steps if internal_batch_size is None else max(1, internal_batch_size // samples)
        kernels = gaussian_kernels(n_steps, self.sigma, self.size)
        total = torch.zeros_like(inputs, dtype=torch.float64)
        for first in range(1, n_steps + 1, chunk):
            end = min(first + chunk, n_steps + 1)
            points = filtered(inputs, kernels[first:end]).to(inputs.dtype)  # (steps, B, 3, h, w)
            moves = filtered(inputs, kernels[first:end] - kernels[first - 1 : end - 1])
            total += (self._gradients(points, additional_forward_args) * moves).sum(dim=0)
            advance(end - first)
        attribution = total.to(inputs.dtype)
        if not return_convergence_delta:
            return attribution
        delta = self.compute_convergence_delta(
            attribution, self.baseline(inputs), inputs, additional_forward_args=additional_forward_args
        )
        return attribution, delta

    def _gradients(self, points: torch.Tensor, additional_forward_args: object) -> torch.Tensor:
        """Grad F at points (steps, B, 3, h, w), float64, of that shape."""
        flat = points.flatten(0, 1).requires_grad_()
        (gradients,) = self.gradient_func(
            self.forward_func, (flat,), additional_forward_args=_as_tuple(additional_forward_args)
        )
        return gradients.view_as(points).double()

    def has_convergence_delta(self) -> bool:
        """It has: the completeness of a path integral."""
        return True


def _as_tuple(value: object) -> tuple[object, ...] | None:
    return value if value is None or isinstance(value, tuple) else (value,)
