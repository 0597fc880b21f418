"""One training, several answers to "which weights are scored": averages and checkpoints followed beside it.

Nothing here touches the training: other averages of the same weights are kept while it runs, so that the choices are
compared on the very same trajectory. The training itself is the loop's arithmetic without its checkpoints and logs.
"""

import copy
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from safmn_bench.ablations.data.sampling import Batch
from safmn_bench.ablations.recipe import Recipe
from safmn_bench.ablations.training.learner import Learner

HORIZONS = (0.25, 0.5, 2.0, 4.0)
"""Of the average, as multiples of the recipe's (1 / (1 - decay) steps)."""
LOOKS = 20  # at the held-out images, evenly over the second half of training
CHECKPOINTS = 10  # that a mean is over
_SHARES = (0.1, 0.25)  # of training, at its end, that the checkpoints of a mean lie in
Weights = list[torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Followed:
    """Choice -> the network with the weights that it would score, ready to score; one at a time."""

    names: list[str]
    network: Callable[[str], nn.Module]


RECIPE = "recipe's average"
LAST, BEST = "last weights", "recipe's average, best held-out"


def follow(
    learner: Learner,
    batches: Iterator[Batch],
    held_out_score: Callable[[nn.Module], float],
    told: Callable[[int], None] = lambda _: None,
) -> Followed:
    """Train to the recipe's end; every choice's weights. `held_out_score`: PSNR-Y of a network; `told`: steps done.

    Raises RuntimeError where a loss is not finite: a collapsed training says nothing about scatter.
    """
    recipe, total = learner.recipe, learner.recipe.train.iterations
    averages = {_horizon_name(times): _copies(learner.weights) for times in HORIZONS}
    decays = {_horizon_name(times): _decay(recipe, times) for times in HORIZONS}
    means = {_mean_name(share): _Mean(total, share) for share in _SHARES}
    looks = {total - round(i * total / (2 * LOOKS)) for i in range(LOOKS)}
    best: tuple[float, Weights] = (-math.inf, [])
    loss = torch.zeros(2)
    for done, (lr, hr) in enumerate(batches, start=1):
        loss = learner.step(lr, hr, done - 1)
        for name, average in averages.items():
            _move(average, learner.weights, 1 - decays[name])
        for mean in means.values():
            mean.take(done, learner.weights)
        if done in looks and (score := held_out_score(learner.ema)) > best[0]:
            best = score, _copies(learner.averages)
        told(done)
    if not torch.isfinite(loss).all():
        raise RuntimeError("training collapsed: the last loss is not finite")
    kept: Mapping[str, Weights] = {
        RECIPE: learner.averages, BEST: best[1], LAST: learner.weights, **averages,
        **{name: mean.weights for name, mean in means.items()},
    }  # fmt: skip
    return Followed(names=list(kept), network=lambda name: _with_weights(learner, kept[name]))


class _Mean:
    """The plain mean of `CHECKPOINTS` states of the weights, evenly over the last `share` of training."""

    def __init__(self, total: int, share: float) -> None:
        self.at = {total - round(i * share * total / CHECKPOINTS) for i in range(CHECKPOINTS)}
        self.weights: Weights = []
        self.taken = 0

    def take(self, done: int, weights: Weights) -> None:
        """Take the weights in where it is time."""
        if done not in self.at:
            return
        self.taken += 1
        self.weights = self.weights or [torch.zeros_like(w) for w in weights]
        _move(self.weights, weights, 1 / self.taken)


@torch.no_grad()
def _move(averages: Weights, weights: Weights, share: float) -> None:
    """Move by `share`: averages <- averages + share x (weights - averages)."""
    for average, weight in zip(averages, weights, strict=True):
        average.lerp_(weight, share)


def _horizon_name(times: float) -> str:
    return f"average over {times:g} x the recipe's horizon"


def _mean_name(share: float) -> str:
    return f"mean of {CHECKPOINTS} checkpoints of the last {share:.0%}"


def _decay(recipe: Recipe, times: float) -> float:
    """The decay whose horizon is `times` the recipe's; never below 0, which is no average at all."""
    return max(0.0, 1 - (1 - recipe.ema.decay) / times)


def _copies(weights: Weights) -> Weights:
    return [w.detach().clone() for w in weights]


@torch.no_grad()
def _with_weights(learner: Learner, weights: Weights) -> nn.Module:
    """A copy of the averaged network with other weights; its buffers are those of the end."""
    network = copy.deepcopy(learner.ema)
    trained = [p for p, q in zip(network.parameters(), learner.network.parameters(), strict=True) if q.requires_grad]
    for parameter, value in zip(trained, weights, strict=True):
        parameter.copy_(value)
    return network
