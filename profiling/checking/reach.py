"""How far a network sees: measured by the gradient of the middle of its output, not assumed."""

import torch
from torch import nn

LARGEST_REACH = 136  # LR pixels that are looked for; what reaches further is told as that


def measured_reach(network: nn.Module, farthest: int = LARGEST_REACH) -> int | None:
    """LR pixels to each side that one output pixel depends on; None where it depends on more than `farthest`.

    The gradient of the middle LR pixel's part of SR with regard to random LR of 2 farthest + 3 pixels a side: what the
    fresh or trained weights let through, on its device and in its type. Pooling to a grid counts with its cells.
    """
    side = 2 * farthest + 3
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
    farthest_seen = max(int((one - middle).abs().max()) for one in (rows, columns))
    return farthest_seen if farthest_seen <= farthest else None
