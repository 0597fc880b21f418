"""Keeping freed memory, on a CPU: glibc otherwise hands every large tensor back and faults it in again each step."""

import ctypes

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # mallopt's parameters
_NEVER = 2**31 - 1
_PAD_BYTES = 2**26


def keep_freed_memory() -> bool:
    """Tell glibc's allocator to reuse freed blocks of any size; False where there is no glibc.

    Measured on two cores at LR patch 32, batch 8: 11,000 page faults a step become 10, and 3 % of the processor time
    is saved. The process keeps its peak memory until it ends.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    settings = ((_MMAP_THRESHOLD, _NEVER), (_TRIM_THRESHOLD, _NEVER), (_TOP_PAD, _PAD_BYTES))
    return all(mallopt(parameter, value) == 1 for parameter, value in settings)
