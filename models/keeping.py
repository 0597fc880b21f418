"""Caches: tensors in memory for later callers, files in the cache folder; and where the suite's own files lie."""

import functools
import importlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


def kept(maxsize: int) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Keep the tensors that a function makes of hashable arguments, the `maxsize` last used, whoever asks first.

    What is kept outlives its first caller, so nothing of that caller may enter it. torch's inference mode, fake
    tensors, tracers and default device all belong to a thread: the tensors are computed in a thread of their own, which
    has none of them. An export or a trace then finds plain tensors and takes them as constants.
    """

    def decorate(make: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(make)
        def made_apart(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(make, *args, **kwargs).result()

        return functools.lru_cache(maxsize=maxsize)(made_apart)  # type: ignore[return-value]

    return decorate


def cache_folder(given: Path | None = None) -> Path:
    """The cache: `given`, else $SAFMN_BENCH_CACHE, else safmn-bench in the user's cache folder (XDG)."""
    if given is not None:
        return given
    if named := os.environ.get("SAFMN_BENCH_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "safmn-bench"


def package_folder(package: str) -> Path:
    """The folder of a package's files, such as "safmn_bench.paper".

    Not importlib.resources: on Python 3.11 it fails on a package without `__init__.py` of an editable installation,
    whose path also holds the name of an import hook.
    """
    return next(Path(entry) for entry in importlib.import_module(package).__path__ if Path(entry).is_dir())
