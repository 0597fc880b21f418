"""Checkpoints: all that a killed run needs to go on, bit by bit, as if it had never been stopped.

last.pt and weights.pt are sealed with a digest that is checked whenever they are read (models/stored/archives.py).
"""

from pathlib import Path
from typing import Any, BinaryIO

import torch

from safmn_bench.models.errors import UserError
from safmn_bench.models.stored.archives import require_whole, seal
from safmn_bench.profiling.common.files import write_atomically


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` sealed and atomically: the previous checkpoint stays valid until this one is complete.

    Raises UserError when it cannot be written (a full disk), the previous one untouched.
    """

    def write(handle: BinaryIO) -> None:
        torch.save(state, handle)
        seal(handle)

    write_atomically(path, write)


def load(path: Path, device: torch.device) -> dict[str, Any] | None:
    """The state saved at `path`, or None where there is none. Raises UserError for a file that is no checkpoint."""
    if not path.exists():
        return None
    try:
        require_whole(path)
        state = torch.load(path, map_location=device, weights_only=True)
    except (MemoryError, torch.OutOfMemoryError):
        raise  # no fault of the file's
    except Exception as error:  # a damaged file makes torch's reader raise nearly every kind there is
        raise unusable(path, error) from error
    if not isinstance(state, dict):
        raise unusable(path, TypeError(f"it holds a {type(state).__name__}"))
    return state


def unusable(path: Path, error: Exception) -> UserError:
    """The error for a checkpoint that does not serve."""
    reason = f"{type(error).__name__}: {error}".partition("\n")[0]
    return UserError(f"{path} is not a readable checkpoint ({reason}). Delete it to start this run anew.")


def random_state(device: torch.device) -> dict[str, Any]:
    """All of torch's random states that training may draw from."""
    state: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def restore_random_state(state: dict[str, Any], device: torch.device) -> None:
    """Put back what `random_state` returned."""
    torch.set_rng_state(state["cpu"].cpu())
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"].cpu(), device)
