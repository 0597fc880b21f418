"""The objective that is attributed: the amount of detail in a window of the SR image.

On SR s: m = sqrt((s[y,x] - s[y+1,x])^2 + (s[y,x] - s[y,x+1])^2) for every channel and pixel of the window, without an
epsilon, and F is their sum. SR is neither clamped nor rounded.
"""

from dataclasses import dataclass

import torch
from torch import nn

from safmn_bench.models.errors import UserError


@dataclass(frozen=True)
class Window:
    """A square of SR pixels by its top-left corner; its detail reads one more row and column, below and right."""

    x: int
    y: int
    size: int

    def __str__(self) -> str:
        return f"({self.x}, {self.y}) size {self.size}"

    def require_inside(self, height: int, width: int, name: str) -> None:
        """Raise UserError where the window, or the row and column after it, leaves an SR image of height x width."""
        if self.size < 1:
            raise UserError(f"Window {self.x} {self.y} {self.size}: the size is in SR pixels, 1 or more.")
        if min(self.x, self.y) < 0 or self.x + self.size >= width or self.y + self.size >= height:
            right, bottom = width - self.size - 1, height - self.size - 1
            room = f"x in 0..{right} and y in 0..{bottom}" if min(right, bottom) >= 0 else "no place at this size"
            raise UserError(
                f"Window {self.x} {self.y} {self.size} leaves {name}, whose SR image is {width}x{height} pixels. "
                f"Allowed for size {self.size}, which reads {self.size + 1}x{self.size + 1} pixels: {room}."
            )


class WindowDetail:
    """F as captum wants it: (x, window) -> (B,), of LR x (B, 3, h, w) through `network`.

    Where a pixel equals both its neighbours the root has no derivative. Autograd would give NaN there and spoil the
    whole receptive field; here such a pixel counts with the sub-gradient 0, and `undefined` counts those met while
    gradients were taken (each channel, pixel and path step is one).
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self.undefined = 0

    def __call__(self, x: torch.Tensor, window: Window) -> torch.Tensor:
        """The detail of each sample."""
        sr = self.network(x)
        height, width = sr.shape[-2:]
        window.require_inside(height, width, "the image")
        part = sr[..., window.y : window.y + window.size + 1, window.x : window.x + window.size + 1]
        down = part[..., :-1, :-1] - part[..., 1:, :-1]
        right = part[..., :-1, :-1] - part[..., :-1, 1:]
        squared = down**2 + right**2  # (B, 3, size, size)
        flat = squared == 0
        if torch.is_grad_enabled():
            self.undefined += int(flat.sum())
        # before the root too: backwards it would give infinity there, and 0 of the mask times that is NaN
        return squared.masked_fill(flat, 1.0).sqrt().masked_fill(flat, 0.0).sum(dim=(1, 2, 3))
