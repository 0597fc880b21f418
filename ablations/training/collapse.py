"""Noticing that training has collapsed, as the paper reports of two rows of Table 3 (its asterisks).

A collapse is a loss or a gradient that is not finite, or a loss that leaves its band and stays outside. The band is
relative to what training had reached: above `FACTOR` times the median of the last good losses for `PATIENCE`
iterations in a row. Single spikes, which small batches show, do not count.
"""

import math
from collections import deque

FACTOR = 4.0
PATIENCE = 25  # iterations
MEMORY = 200  # iterations of good losses that the median is over
FEWEST = 20  # good losses before there is a band


class CollapseWatch:
    """Fed with every iteration's loss and gradient norm; `iteration` is that of the first bad step, once collapsed."""

    def __init__(self) -> None:
        self.good: deque[float] = deque(maxlen=MEMORY)
        self.first_outside: int | None = None
        self.iteration: int | None = None
        self.reason = ""

    def observe(self, iteration: int, loss: float, gradient_norm: float) -> bool:
        """Take note of one iteration; True once training has collapsed."""
        if self.iteration is not None:
            return True
        if not math.isfinite(loss) or not math.isfinite(gradient_norm):
            what = "loss" if not math.isfinite(loss) else "gradient"
            return self.collapse(iteration, f"{what} not finite")
        ceiling = FACTOR * sorted(self.good)[len(self.good) // 2] if len(self.good) >= FEWEST else math.inf
        if loss <= ceiling:
            self.good.append(loss)
            self.first_outside = None
            return False
        if self.first_outside is None:
            self.first_outside = iteration
        if iteration - self.first_outside + 1 >= PATIENCE:
            reason = f"loss above {FACTOR:g} x its median ({ceiling / FACTOR:.4g}) for {PATIENCE} iterations"
            return self.collapse(self.first_outside, reason)
        return False

    def collapse(self, iteration: int, reason: str) -> bool:
        """Declare training collapsed at `iteration`; returns True."""
        self.iteration, self.reason = iteration, reason
        return True

    def state_dict(self) -> dict[str, object]:
        """The state for a checkpoint."""
        return {"good": list(self.good), "first_outside": self.first_outside}

    def load_state_dict(self, state: dict) -> None:
        """Go on from a checkpoint."""
        self.good = deque(state["good"], maxlen=MEMORY)
        self.first_outside = state["first_outside"]
