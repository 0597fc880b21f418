"""Which convolutions of a network lose how much in 8-bit integers, measured in PyTorch with simulated quantisation.

A layer's input and output are rounded to 256 even steps over the range that they take on calibration images, its
weights to 255 steps over each output channel's (symmetric): what ONNX Runtime's QDQ format does. Errors of single
layers nearly add up, since the network passes small changes on linearly: by SAFMN x2 their sum is 1.02 times the error
of all together.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import nn

from safmn_bench.profiling.runtimes.recipe import convolutions

Range = tuple[float, float]
Ranges = Mapping[str, tuple[Range, Range]]
"""Layer -> range of its input and of its output; both hold 0, which padding brings."""
STEPS = 255
EASY_DB = 40.0
"""PSNR of an image that is easily enlarged: on all that are harder, the same error loses fewer dB."""


def ranges_of(network: nn.Module, images: Iterable[torch.Tensor]) -> Ranges:
    """Ranges over LR images float32 (1, 3, H, W)."""
    seen: dict[str, tuple[Range, Range]] = {name: ((0.0, 0.0), (0.0, 0.0)) for name in convolutions(network)}

    def note(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            into, out = seen[name]
            seen[name] = _wider(into, inputs[0]), _wider(out, output)

        return hook

    hooks = [module.register_forward_hook(note(name)) for name, module in convolutions(network).items()]
    with torch.inference_mode():
        for lr in images:
            network(lr)
    for handle in hooks:
        handle.remove()
    return seen


def _wider(seen: Range, values: torch.Tensor) -> Range:
    return min(seen[0], float(values.min())), max(seen[1], float(values.max()))


def simulated(network: nn.Module, ranges: Ranges, layers: Iterable[str]) -> nn.Module:
    """A copy of a network that computes as if these layers were in 8-bit integers."""
    network = copy.deepcopy(network)
    modules = convolutions(network)
    for name in layers:
        module, (into, out) = modules[name], ranges[name]
        module.weight = nn.Parameter(_rounded_weight(module.weight.detach()), requires_grad=False)
        module.register_forward_pre_hook(_rounding_input(into))
        module.register_forward_hook(_rounding_output(out))
    return network


def _rounding_input(over: Range) -> Callable[..., tuple[torch.Tensor]]:
    return lambda _, inputs: (_rounded(inputs[0], over),)


def _rounding_output(over: Range) -> Callable[..., torch.Tensor]:
    return lambda _, inputs, output: _rounded(output, over)


def _rounded(values: torch.Tensor, over: Range) -> torch.Tensor:
    step = (over[1] - over[0]) / STEPS or 1.0
    return torch.fake_quantize_per_tensor_affine(values, step, round(-over[0] / step), 0, STEPS)


def _rounded_weight(weight: torch.Tensor) -> torch.Tensor:
    """(outputs, inputs, h, w) in 8-bit integers times a step for each output."""
    step = weight.abs().amax(dim=(1, 2, 3)).clamp_min(torch.finfo(weight.dtype).tiny) / (STEPS // 2)
    zeros = torch.zeros(len(step), dtype=torch.int32)
    return torch.fake_quantize_per_channel_affine(weight, step, zeros, 0, -(STEPS // 2), STEPS // 2)


def squared_error(network: nn.Module, expected: Sequence[torch.Tensor], images: Sequence[torch.Tensor]) -> float:
    """Mean squared difference of a network's SR from what was expected, over all images."""
    with torch.inference_mode():
        errors = [(network(lr) - sr).square().mean() for lr, sr in zip(images, expected, strict=True)]
    return float(torch.stack(errors).mean())


def errors_of(
    network: nn.Module, ranges: Ranges, images: Sequence[torch.Tensor], advance: Callable[[], object] = lambda: None
) -> dict[str, float]:
    """Layer -> mean squared change of SR where it alone is quantised, the worst first."""
    expected = outputs(network, images)
    errors = {}
    for name in ranges:
        errors[name] = squared_error(simulated(network, ranges, [name]), expected, images)
        advance()
    return dict(sorted(errors.items(), key=lambda named: -named[1]))


def outputs(network: nn.Module, images: Iterable[torch.Tensor]) -> list[torch.Tensor]:
    """The network's SR of each image."""
    with torch.inference_mode():
        return [network(lr) for lr in images]


def loss_db(error: float, psnr_db: float = EASY_DB) -> float:
    """PSNR that a mean squared error takes from an image of `psnr_db`, where it has nothing to do with its own."""
    own = 10 ** (-psnr_db / 10)
    return float(10 * torch.log10(torch.tensor((own + error) / own, dtype=torch.float64)))


def fewest_in_float(
    network: nn.Module, ranges: Ranges, worst_first: Sequence[str], images: Sequence[torch.Tensor], most_loss_db: float
) -> tuple[int, float]:
    """How many of the worst layers must stay in float, and the loss in dB that all others in int8 then have together.

    Found by bisection: the loss falls with each layer that stays.
    """
    expected = outputs(network, images)

    def loss(kept: int) -> float:
        return loss_db(squared_error(simulated(network, ranges, worst_first[kept:]), expected, images))

    low, high = 0, len(worst_first)  # `high` suffices: it quantises nothing
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if loss(middle) <= most_loss_db else (middle + 1, high)
    return low, loss(low)
