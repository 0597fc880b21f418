"""Whether a pack holds the pixels that were packed: each image's bytes have a digest in the index.

A run checks a pack before it draws from it: all of a small one, of a large one as many images as make `CHECKED_BYTES`,
evenly spread and others each time, which takes about a second on one core. `prepare --verify` checks all. What does not
hold is packed anew.
"""

import hashlib
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import numpy as np

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.console import Report
from safmn_bench.profiling.common.devices import usable_cores

CHECKED_BYTES = 2**30


class DamagedPack(UserError):
    """A pack that is not as it was written, or of another version; `what` is noticed of it."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what}. It is packed anew by whatever needs it: run.py, or prepare.py.")


class Pixels(Protocol):
    """The part of pack.PackedSet that is checked."""

    folder: Path
    names: list[str]
    hr: np.ndarray
    lr: np.ndarray

    def holds(self, i: int) -> bool:
        """Whether an image's pixels are those that were packed."""
        ...


def bytes_digest(pixels: np.ndarray) -> str:
    """128 bits of BLAKE2 over pixels as they lie in a pack."""
    return hashlib.blake2b(np.ascontiguousarray(pixels).reshape(-1).data, digest_size=16).hexdigest()


def require_undamaged(
    packed: Pixels, most_bytes: int | None = CHECKED_BYTES, progress: Report = lambda *_: None
) -> None:
    """Compare images of a pack with their digests, at most `most_bytes` of them; None: all. Raises DamagedPack."""
    chosen = _spread(len(packed.names), packed.hr.nbytes + packed.lr.nbytes, most_bytes)
    with ThreadPoolExecutor(usable_cores()) as pool:
        for done, (i, holds) in enumerate(zip(chosen, pool.map(packed.holds, chosen), strict=True), start=1):
            if not holds:
                raise DamagedPack(f"{packed.folder} is damaged: it does not hold the pixels of {packed.names[i]}")
            progress("checking the pack", done, len(chosen))


def _spread(images: int, size: int, most_bytes: int | None) -> Sequence[int]:
    """Every image, or every n-th from one that is another each time, so that runs together see all."""
    step = 1 if most_bytes is None else max(1, -(-size // most_bytes))
    return range(time.time_ns() % min(step, images), images, step)
