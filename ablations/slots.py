"""Where the runs of a sweep compute: slots on GPUs, or shares of a CPU's threads."""

import os

import torch

from safmn_bench.ablations.worker import Slot
from safmn_bench.models.errors import UserError


def slots_of(device: torch.device, per_device: int) -> list[Slot]:
    """`per_device` slots on `device`; `cuda` without a number means every visible GPU.

    Threads are divided among the slots. Raises UserError for fewer than one slot.
    """
    if per_device < 1:
        raise UserError(f"--slots-per-device {per_device} leaves no place to run. Allowed: whole numbers from 1 up.")
    gpus: list[str | None] = [None]
    if device.type == "cuda":
        visible = visible_gpus(os.environ.get("CUDA_VISIBLE_DEVICES"), torch.cuda.device_count())
        gpus = [*visible] if device.index is None else [visible[device.index]]
    slots = len(gpus) * per_device
    threads = max(1, torch.get_num_threads() // slots)
    return [Slot(gpu, threads) for _ in range(per_device) for gpu in gpus]


def visible_gpus(setting: str | None, count: int) -> list[str]:
    """The names that CUDA_VISIBLE_DEVICES uses for the `count` GPUs that this process sees."""
    if setting:
        return [name.strip() for name in setting.split(",")][:count]
    return [str(i) for i in range(count)]
