"""Memory: the peak of one forward pass with the weights and the input before it, what is free, and what glibc keeps.

On a GPU this is what PyTorch's allocator held at most (`torch.cuda.max_memory_allocated`, as in Table 2). On a CPU it
is the growth of the process's resident memory during the pass, plus weights and input: the kernel's high-water mark,
reset before the pass, in a process whose allocator gives every larger block back at once (glibc otherwise keeps freed
blocks, and the pass would grow less than it needs).
"""

import contextlib
import ctypes
import gc
import os
import re
from collections.abc import Callable
from pathlib import Path

import torch

from safmn_bench.profiling.common.devices import synchronise

MIB = 2**20
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # mallopt's parameters
_OWN_BLOCK_BYTES = 2**16  # blocks from here up are mapped by themselves, and unmapped when freed
_NEVER = 2**31 - 1  # the largest that mallopt's int takes
_PAD_BYTES = 2**26  # the heap grows by so much at a time, in few calls
_MEMINFO, _CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def give_memory_back() -> bool:
    """Have glibc return freed memory to the system at once, in this process; False where there is no glibc."""
    return _set_allocator((_MMAP_THRESHOLD, _OWN_BLOCK_BYTES), (_TRIM_THRESHOLD, _OWN_BLOCK_BYTES))


def keep_freed_memory() -> bool:
    """Have glibc reuse freed blocks of any size, as PyTorch's own allocator does on a GPU; False without glibc.

    By default glibc hands every large tensor back and faults it in again: 11,000 page faults a training step (LR patch
    32, batch 8) instead of 10. On bare metal that costs a few per cent, on a virtual machine it can be most of the
    time. The process keeps its peak memory until it ends.
    """
    return _set_allocator((_MMAP_THRESHOLD, _NEVER), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _PAD_BYTES))


def _set_allocator(*settings: tuple[int, int]) -> bool:
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return all(mallopt(parameter, value) == 1 for parameter, value in settings)


def peak_memory_mib(
    forward: Callable[[], object], held_mib: float, device: torch.device, before_mib: float | None = None
) -> float | None:
    """MiB held at most during one call of `forward`, of which `held_mib` (weights, input) were there before it.

    None where the system does not tell. Call `forward` once before, so that what is set up only once is not counted.
    `before_mib`: the process's resident memory (`resident_mib`) to count from, where it is not that before the call: a
    runtime that takes all its memory when it opens a network would seem to need none.
    """
    gc.collect()  # garbage that goes during the pass would make it look smaller
    if device.type == "cuda":
        synchronise(device)
        torch.cuda.reset_peak_memory_stats(device)
        forward()
        synchronise(device)
        return torch.cuda.max_memory_allocated(device) / MIB
    try:
        _CLEAR.write_text("5", encoding="ascii")  # resets VmHWM: proc(5)
        before_mib = _status_mib("VmRSS") if before_mib is None else before_mib
        forward()
        return held_mib + _status_mib("VmHWM") - before_mib
    except OSError:
        return None


def resident_mib() -> float | None:
    """Resident memory of this process in MiB, after its garbage and freed blocks have gone; None where not told."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError, TypeError):  # no glibc
        ctypes.CDLL(None).malloc_trim(0)
    try:
        return _status_mib("VmRSS")
    except OSError:
        return None


def _status_mib(field: str) -> float:
    match = re.search(rf"^{field}:\s+(\d+) kB", _STATUS.read_text(encoding="ascii"), re.MULTILINE)
    if match is None:
        raise OSError(f"no {field} in {_STATUS}")
    return int(match[1]) / 1024


def free_bytes(device: torch.device) -> int:
    """Memory that can be had on a device now: of a GPU, or of this machine within its container's limit.

    What torch has cached on a GPU counts as free: it is given out again before the driver is asked.
    """
    if device.type == "cuda":
        cached = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + cached
    if not _MEMINFO.exists():  # not Linux: what was never used is the least that is free
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    fields = dict(line.split(":") for line in _MEMINFO.read_text(encoding="ascii").splitlines())
    free = int(fields["MemAvailable"].split()[0]) * 1024
    limit, used = (_CGROUP / name for name in ("memory.max", "memory.current"))
    if limit.exists() and (text := limit.read_text(encoding="ascii").strip()) != "max":
        free = min(free, int(text) - int(used.read_text(encoding="ascii")))
    return free
