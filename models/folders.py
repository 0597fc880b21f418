"""Where the suite finds files of its own, and where it may keep what can be made again."""

import importlib
import os
from pathlib import Path


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
