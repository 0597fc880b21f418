"""Sizes that a network takes and gives, and how far it sees: measured, not assumed."""

from collections.abc import Sequence

import torch
from torch import nn

SIDES = range(1, 65)
MULTIPLES = (1, 2, 4, 8, 16, 32, 64)
LARGEST_REACH = 136  # LR pixels that are looked for; what reaches further is told as that
_OTHER_SIDE = 64  # LR pixels of the side that stays while the other runs through SIDES


@torch.no_grad()
def failing_sides(network: nn.Module, scale: int) -> dict[int, str]:
    """LR heights of SIDES at which SR is not `scale` times LR, and why."""
    failing: dict[int, str] = {}
    network.eval()
    for side in SIDES:
        try:
            sr = network(torch.rand(1, 3, side, _OTHER_SIDE))
            if sr.shape[-2:] != (side * scale, _OTHER_SIDE * scale):
                failing[side] = f"SR has {sr.shape[-2]}x{sr.shape[-1]} pixels"
        except Exception as error:
            failing[side] = first_line(error)
    return failing


def multiple_of(works: Sequence[int]) -> int | None:
    """The least multiple that a side must be for all its sizes to work; None where there is none."""
    return next((m for m in MULTIPLES if works and all(s in works for s in SIDES if s % m == 0)), None)


def first_line(error: BaseException) -> str:
    """An error's words, in at most 200 characters."""
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__


def measured_reach(network: nn.Module, farthest: int = LARGEST_REACH) -> int | None:
    """LR pixels to each side that one output pixel depends on; None where it depends on more than `farthest`.

    The gradient of the middle LR pixel's part of SR with regard to random LR of 2 farthest + 3 pixels a side: what the
    fresh or trained weights let through, on its device and in its type. Pooling to a grid counts with its cells.
    """
    side = 2 * farthest + 3  # a pixel more to each side than asked for: there it shows that it reaches further
    parameter = next(network.parameters(), None)
    like = parameter if parameter is not None and parameter.is_floating_point() else torch.zeros(())
    generator = torch.Generator().manual_seed(0)
    training = network.training
    with torch.inference_mode(False), torch.enable_grad():  # scoring asks from within inference mode
        lr = torch.rand(1, 3, side, side, generator=generator).to(like).requires_grad_()
        sr = network.eval()(lr)
        scale, middle = sr.shape[-1] // side, side // 2
        here = slice(middle * scale, (middle + 1) * scale)
        (gradient,) = torch.autograd.grad(sr[..., here, here].sum(), lr)
    network.train(training)
    seen = gradient[0].abs().amax(0) > 0
    rows, columns = torch.nonzero(seen.any(1)).flatten(), torch.nonzero(seen.any(0)).flatten()
    if not len(rows):
        return 0
    farthest_seen = max(int((axis - middle).abs().max()) for axis in (rows, columns))
    return farthest_seen if farthest_seen <= farthest else None
