"""Tensors that are computed once, kept, and served to every later caller: tables of taps, colour matrices, windows.

What is kept outlives its first caller, so nothing of that caller may enter it. torch's inference mode, fake tensors,
tracers and default device all belong to a thread: the tensors are computed in a thread of their own, which has none of
them. An export or a trace then finds plain tensors and takes them as constants, and leaves plain ones behind.
"""

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


def kept(maxsize: int) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Keep the results of a function of hashable arguments, the `maxsize` last used, whoever asks first."""

    def decorate(make: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(make)
        def made_apart(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(make, *args, **kwargs).result()

        return functools.lru_cache(maxsize=maxsize)(made_apart)  # type: ignore[return-value]

    return decorate
