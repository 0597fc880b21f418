"""Checkpoints: all that a killed run needs to go on, bit by bit, as if it had never been stopped."""

import pickle
from pathlib import Path
from typing import Any

import torch

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import write_atomically


def save(path: Path, state: dict[str, Any]) -> None:
    """Write `state` atomically: the previous checkpoint stays valid until this one is complete.

    Raises UserError when it cannot be written (a full disk), the previous one untouched.
    """
    write_atomically(path, lambda handle: torch.save(state, handle))


def load(path: Path, device: torch.device) -> dict[str, Any] | None:
    """The state saved at `path`, or None where there is none. Raises UserError for a file that is no checkpoint."""
    if not path.exists():
        return None
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except (OSError, RuntimeError, EOFError, LookupError, ValueError, pickle.UnpicklingError) as error:
        raise UserError(f"{path} is not a readable checkpoint ({error}). Delete it to start this run anew.") from error


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
