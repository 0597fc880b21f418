"""How many path steps go through a network at once: as many as the free memory holds.

What a gradient keeps is measured, not guessed: one forward pass with every tensor that autograd saves counted.
"""

import torch

from safmn_bench.ablations.placement import available_host_bytes
from safmn_bench.analysis.objective import Window, WindowDetail

_SHARE = 0.4  # of the free memory: others use the machine too
_WORKSPACE = 2.0  # gradients and scratch beside what is saved
_CPU_BYTES = 2**28  # beyond it a processor gains nothing (measured), and fresh memory costs more than it brings


def step_bytes(detail: WindowDetail, lr: torch.Tensor, window: Window) -> int:
    """Bytes that the gradient of one path step keeps, each storage counted once; LR is (1, 3, h, w)."""
    storages: dict[int, int] = {}
    kept: list[torch.Tensor] = []  # alive until the end, lest an address be used twice

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        detail(lr.detach().clone().requires_grad_(), window)
    weights = {p.untyped_storage().data_ptr() for p in detail.network.parameters()}
    return sum(size for address, size in storages.items() if address not in weights)


def free_bytes(device: torch.device) -> int:
    """Memory that can be had on a device now; what torch has cached on a GPU counts as free."""
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    return available_host_bytes()


def choose_step_batch(detail: WindowDetail, lr: torch.Tensor, window: Window, steps: int) -> int:
    """Between 1 and `steps`, by the memory free on LR's device."""
    room = _SHARE * free_bytes(lr.device) / _WORKSPACE
    if lr.device.type == "cpu":
        room = min(room, _CPU_BYTES)
    return max(1, min(steps, int(room / max(1, step_bytes(detail, lr, window)))))
