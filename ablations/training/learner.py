"""One optimiser step, and all that changes from step to step: weights, their average, the optimiser's moments.

The loss is the paper's: L1 plus the mean absolute error of the spectrum.
"""

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from safmn_bench.ablations.recipe import ComputeKeys, LossKeys, Recipe
from safmn_bench.ablations.training.checkpoint import random_state, restore_random_state
from safmn_bench.ablations.training.distributed import Group
from safmn_bench.models.errors import UserError
from safmn_bench.models.fast import has_fast_form, optimise
from safmn_bench.profiling.common.devices import set_float32_precision


class Learner:
    """A network in training: `step(lr, hr, iteration)` makes one step of the recipe; `ema` is what is scored.

    Adam with the recipe's cosine learning rate; the average of the weights follows every step. Losses and gradient
    norms stay on the device, so that a step never waits for it.
    """

    def __init__(self, network: nn.Module, recipe: Recipe, group: Group) -> None:
        self.recipe, self.group, self.device = recipe, group, group.device
        self.network = (optimise(network, training=True) if recipe.compute.fast else network).to(self.device).train()
        self.ema = copy.deepcopy(self.network).eval().requires_grad_(False)
        if recipe.compute.fast and self.device.type == "cpu" and has_fast_form(self.ema):
            optimise(self.ema)  # it is only scored: the forms whose backward pass is slow serve it too
        self.weights: list[torch.Tensor] = [p for p in self.network.parameters() if p.requires_grad]
        self.averages: list[torch.Tensor] = [
            a for a, p in zip(self.ema.parameters(), self.network.parameters(), strict=True) if p.requires_grad
        ]
        keys = recipe.optimizer
        self.move_average = get_ema_multi_avg_fn(recipe.ema.decay)
        self.optimizer = torch.optim.Adam(self.weights, lr=keys.lr, betas=keys.betas, fused=True)
        shared = group.shared(self.network)
        self.compiled: bool = recipe.compute.compile and getattr(network, "compilable", True)
        if self.compiled:
            require_compiler(recipe.compute, self.device, torch.__version__)
        self.forward = torch.compile(shared) if self.compiled else shared
        self.autocast = torch.autocast(self.device.type, torch.bfloat16, enabled=recipe.compute.precision == "bf16")
        self.held_rate: torch.Tensor | None = None

    def step(self, lr: torch.Tensor, hr: torch.Tensor, iteration: int) -> torch.Tensor:
        """One step on LR (B, 3, h, w) and HR (B, 3, scale h, scale w); returns (loss, gradient norm), on the device."""
        # by the iteration, not by a scheduler: resuming then needs no state of it
        self.optimizer.param_groups[0]["lr"] = self.recipe.learning_rate(iteration)
        return self.update(lr, hr)

    def hold_rate(self) -> torch.Tensor:
        """Have `update` read the learning rate from a tensor of one number, where a CUDA graph finds it; returns that.

        The fused Adam of a GPU takes float32 (off by 6e-8 at most); on a CPU float64 is what a number would be.
        """
        kind = torch.float64 if self.device.type == "cpu" else torch.float32
        self.held_rate = torch.tensor(self.recipe.optimizer.lr, dtype=kind, device=self.device)
        self.optimizer.param_groups[0]["lr"] = self.held_rate
        return self.held_rate

    def update(self, lr: torch.Tensor, hr: torch.Tensor) -> torch.Tensor:
        """`step` at the learning rate that is set: no argument but tensors, and no wait for the device."""
        # A switch of the whole process: set here, so that learners of different precision may take turns.
        set_float32_precision("tf32" if self.recipe.compute.precision == "tf32" else "ieee")
        with self.autocast:
            sr = self.forward(lr)
        loss = l1_fft_loss(sr, hr, self.recipe.loss)
        if (extra := getattr(self.network, "extra_loss", None)) is not None:
            loss = loss + extra
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = self._gradient_norm()
        self.optimizer.step()
        self._average()
        return torch.stack([loss.detach(), norm])

    def _gradient_norm(self) -> torch.Tensor:
        """L2 norm of the gradient over all weights; gradients are scaled down to `clip_norm` where it is set."""
        gradients = [p.grad for p in self.weights if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        if (limit := self.recipe.optimizer.clip_norm) is not None:
            torch.nn.utils.clip_grads_with_norm_(self.weights, limit, norm)
        return norm

    @torch.no_grad()
    def _average(self) -> None:
        """Average <- decay x average + (1 - decay) x weights; running statistics (BatchNorm) are copied."""
        self.move_average(self.averages, self.weights, 0)  # 0: how many were averaged, which this average ignores
        averages, current = [*self.ema.buffers()], [*self.network.buffers()]
        if averages:  # together: one by one they were 64 launches a step of a network with BatchNorm
            torch._foreach_copy_(averages, current)  # pyright: ignore[reportPrivateImportUsage]

    @contextmanager
    def undone(self) -> Iterator[None]:
        """Take back every step made within: weights, average, moments, statistics and random numbers are as before.

        In place, since a CUDA graph knows tensors by their addresses.
        """
        networks = (self.network, self.ema)
        tensors = [t for network in networks for t in (*network.parameters(), *network.buffers())]
        before = {id(t): t.detach().clone() for t in [*tensors, *self._moments()]}
        random = random_state(self.device)
        try:
            yield
        finally:
            with torch.no_grad():
                for tensor in [*tensors, *self._moments()]:
                    # moments that a first step has made begin at zero
                    tensor.copy_(before[id(tensor)]) if id(tensor) in before else tensor.zero_()
            self.optimizer.zero_grad(set_to_none=True)
            restore_random_state(random, self.device)

    def _moments(self) -> list[torch.Tensor]:
        """Adam's two moments of every weight and its count of steps, as far as they are there."""
        return [tensor for weight in self.weights for tensor in self.optimizer.state.get(weight, {}).values()]

    def state_dict(self) -> dict[str, Any]:
        """Everything that a resumed run needs to go on bit by bit as if never stopped, captured or not."""
        optimizer = self.optimizer.state_dict()
        for group in optimizer["param_groups"]:
            group["lr"] = float(group["lr"])
        return {"network": self.network.state_dict(), "ema": self.ema.state_dict(), "optimizer": optimizer}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.network.load_state_dict(state["network"])
        self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.held_rate is not None:
            self.optimizer.param_groups[0]["lr"] = self.held_rate


def plain_weights(network: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of a network's state as the published files hold it: contiguous CPU tensors."""
    return {
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in network.state_dict().items()
    }


def require_compiler(compute: ComputeKeys, device: torch.device, version: str) -> None:
    """Raise UserError for a combination on which torch.compile of this version crashes the process.

    On a CPU Inductor 2.11 dies while it lowers the fast form under bfloat16 autocast; 2.13 compiles it.
    """
    release = tuple(int(part) for part in version.split("+")[0].split(".")[:2])
    if device.type == "cpu" and compute.precision == "bf16" and compute.fast and release < (2, 13):
        raise UserError(
            f"compute.compile with compute.precision bf16 and compute.fast crashes torch {version} on a CPU. Allowed: "
            "torch 2.13 or newer, or one of compute.compile=false, compute.fast=false, compute.precision=fp32."
        )


def l1_fft_loss(sr: torch.Tensor, hr: torch.Tensor, weights: LossKeys) -> torch.Tensor:
    """`l1` x mean |SR - HR| + `fft` x mean |.| over real and imaginary parts of rfft2(SR) - rfft2(HR).

    sr, hr: float (B, 3, H, W) in [0, 1]. Section 4.1, after ShuffleMixer; torch.fft.rfft2 without normalisation.
    The transform is linear, so it is taken once, of SR - HR. Computed in float32 under any precision.
    """
    error = sr.float() - hr.float()
    loss = weights.l1 * error.abs().mean()
    if weights.fft:
        spectrum = torch.view_as_real(torch.fft.rfft2(error))
        loss = loss + weights.fft * spectrum.abs().mean()
    return loss
