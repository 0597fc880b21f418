"""How fast a training step could be: two floors, from the network's own shapes and the machine's measured rates.

- arithmetic: 3 x 2 x MACs (forward, gradient of the input, gradient of the weights; two operations per
  multiply-add), at the rate of a large matrix product;
- memory traffic: what must cross memory if everything between convolutions were fused into them: forward reads each
  convolution's input and writes its output; backward reads the output's gradient and the input, and writes the input's
  gradient; at the rate of a large copy.

A real step needs at least the larger of the two.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from safmn_bench.profiling.ceilings import copy_rate, matrix_rate
from safmn_bench.profiling.counting import count


@dataclass(frozen=True, kw_only=True)
class Floors:
    """Milliseconds that a step cannot go below, and the rates behind them."""

    arithmetic_ms: float
    traffic_ms: float
    gflop: float
    """Arithmetic of a step, 10^9 operations (two per multiply-add)."""
    gbyte: float
    """Traffic of a step, 10^9 bytes."""
    gflop_per_s: float
    gbyte_per_s: float


def step_floors(build: Callable[[], nn.Module], batch: int, patch: int, device: torch.device) -> Floors:
    """Floors of a float32 training step on LR (batch, 3, patch, patch)."""
    macs = count(build(), (1, 3, patch, patch)).flops * batch
    traffic = convolution_bytes(build(), patch) * batch
    flop_rate, byte_rate = matrix_rate(device), copy_rate(device)
    return Floors(
        arithmetic_ms=6e3 * macs / flop_rate,
        traffic_ms=1e3 * traffic / byte_rate,
        gflop=6 * macs / 1e9,
        gbyte=traffic / 1e9,
        gflop_per_s=flop_rate / 1e9,
        gbyte_per_s=byte_rate / 1e9,
    )


def convolution_bytes(network: nn.Module, patch: int) -> int:
    """Bytes that the convolutions of one float32 image must move in a step: 3 x input + 2 x output of each."""
    total = 0

    def add(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        nonlocal total
        total += 4 * (3 * inputs[0].numel() + 2 * output.numel())

    convolutions = [m for m in network.modules() if isinstance(m, nn.Conv2d | nn.ConvTranspose2d)]
    handles = [convolution.register_forward_hook(add) for convolution in convolutions]
    with torch.no_grad():
        network(torch.zeros(1, 3, patch, patch))
    for handle in handles:
        handle.remove()
    return total
