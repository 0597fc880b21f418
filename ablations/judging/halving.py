"""Which networks of a sweep need not train to their end: those that the cut already shows outside the top share.

At the cut each network has one score per seed. Networks and seeds are taken out of them, what is left is a run's
deviation there, pooled over all networks (as in `significance`). A network stops where it lies below the last one of
the top share by more than half the 80 % interval of that difference: one that is as good as the last of the top share
is stopped in one case of ten. A narrower interval stops more and errs more often: in 2,000 resamplings of the committed
records (tests/ablations/judging/test_halving.py) a 95 % interval saves 20 % of the iterations, this one 24 %, no
interval at all 25 %, which is what halving can save.

What the rule cannot see is a network that would overtake later: in those records scores at half the iterations rank
the final ones with 0.89 to 0.96, at a quarter with 0.2 to 0.35 (run.py refuses cuts before 0.4).
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from safmn_bench.ablations.judging.deviation import Deviation

TOP_SHARE = 0.5  # of the networks
LEVEL = 0.8


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One network at the cut, in the score's unit; `behind` the last network of the top share (negative: before it)."""

    network: str
    mean: float
    behind: float
    half_width: float
    goes_on: bool

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for a file."""
        return dict(vars(self))


def standings(scores: Mapping[str, Mapping[int, float]], always: Collection[str] = ()) -> list[Standing]:
    """Network -> seed -> score at the cut (higher is better) to who goes on; `always`: whatever their score.

    Raises ValueError where no seed is repeated: then nothing tells noise.
    """
    run = run_deviation(scores)
    if run.freedom < 1:
        raise ValueError("needs at least two seeds of at least two networks: nothing else tells noise")
    means = {name: math.fsum(runs.values()) / len(runs) for name, runs in scores.items()}
    order = sorted(means, key=lambda name: -means[name])
    last = order[math.ceil(TOP_SHARE * len(order)) - 1]
    t = float(special.stdtrit(run.freedom, (1 + LEVEL) / 2))
    judged = []
    for name in order:
        half_width = t * run.sd * math.sqrt(1 / len(scores[name]) + 1 / len(scores[last]))
        behind = means[last] - means[name]
        goes_on = name in always or behind <= half_width
        judged.append(Standing(network=name, mean=means[name], behind=behind, half_width=half_width, goes_on=goes_on))
    return judged


def run_deviation(scores: Mapping[str, Mapping[int, float]]) -> Deviation:
    """Scatter left in scores after network and seed, by least squares; of unequal seeds too."""
    runs = [(name, seed) for name, by_seed in scores.items() for seed in by_seed]
    networks, seeds = list(scores), sorted({seed for _, seed in runs})
    design = np.array(
        [[name == other for other in networks] + [seed == other for other in seeds[1:]] for name, seed in runs], float
    )
    y = np.array([scores[name][seed] for name, seed in runs])
    rest = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    freedom = len(runs) - int(np.linalg.matrix_rank(design))
    return Deviation(sd=math.sqrt(float(rest @ rest) / freedom) if freedom else 0.0, freedom=freedom)
