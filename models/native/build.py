"""Compiling source/ for this processor at first use, and keeping the library in the suite's cache.

A plain call of the compiler and ctypes, not torch's extension loader: that one needs ninja and Python's headers, reads
torch's for a minute, and its libraries serve one version of torch and of Python. This takes seconds and serves all.
OpenMP is the one that torch has loaded already (its symbols come first), so the threads are torch's too.

A library is compiled for one geometry of the network and one kind of register. Its name in the cache is a digest of
sources and flags, one of the compiler, and one of its own content: a file that was cut off or changed is noticed and
compiled again. It gets that name only when whole, so that processes that build it at the same time do no harm; where
the file system has locks, one builds and the others wait.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from safmn_bench.models.errors import UserError

_SOURCE = Path(__file__).parent / "source"
_COMPILERS = ("g++", "c++", "clang++")  # in this order: Clang 20's code took 1.5 times as long as GCC 12's
_FLAGS = ("-std=c++20", "-O3", "-ffp-contract=fast", "-fno-math-errno")
_LIBRARY_FLAGS = ("-fopenmp", "-fPIC", "-shared", "-fvisibility=hidden")
_TIMEOUT_SECONDS = 300
_NEEDS = "GCC 11 or Clang 15 or newer, with OpenMP"
_INSTEAD = "Or choose the fast form (models.fast.optimise, --implementations fast), which needs no compiler."


@dataclass(frozen=True, kw_only=True)
class Instructions:
    """A kind of register: floats in one, how many there are, and what makes the compiler use them."""

    lanes: int
    registers: int
    flags: tuple[str, ...] = ()


AVX512 = Instructions(lanes=16, registers=32, flags=("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma"))
AVX2 = Instructions(lanes=8, registers=16, flags=("-mavx2", "-mfma"))
BASELINE = Instructions(lanes=4, registers=16)
"""The instructions of every processor: SSE2 on x86-64, and the compiler's own choice elsewhere."""
NEON = Instructions(lanes=4, registers=32)


def instructions() -> Instructions:
    """The widest that this processor has, as torch found it (ATEN_CPU_CAPABILITY can ask for less)."""
    if platform.machine() in ("aarch64", "arm64"):
        return NEON
    return {"AVX512": AVX512, "AVX2": AVX2}.get(torch.backends.cpu.get_cpu_capability(), BASELINE)


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """The sizes that are compiled in: feature channels, channels within the mixer, levels of the pyramid."""

    dim: int
    hidden: int
    levels: int


def build(geometry: Geometry, kind: Instructions, folder: Path) -> Path:
    """The library in `folder`, compiled there if it is missing or damaged.

    Raises UserError: no compiler, one that fails, a folder that cannot be written.
    """
    flags = (*_FLAGS, *_LIBRARY_FLAGS, *kind.flags, *_definitions(geometry, kind))
    made_of = f"safmn-{_digest(*_sources(), *flags)}"
    compiler = _compiler()
    if compiler is None:
        if (library := _intact(folder, f"{made_of}-*.so")) is not None:  # nodes of a cluster may share the cache only
            return library
        raise UserError(
            f"The native form is compiled at first use, and there is no C++ compiler: install {_NEEDS}, or name one in "
            f"CXX. {_INSTEAD}"
        )
    name = f"{made_of}-{_digest(_version(compiler))}"
    with _locked(folder / f"{name}.lock"):
        return _intact(folder, f"{name}-*.so") or _compile(compiler, flags, folder, name)


def _compiler() -> str | None:
    """$CXX, else the first of _COMPILERS on the path; None where there is none."""
    if named := os.environ.get("CXX"):
        return shutil.which(named)
    return next((path for name in _COMPILERS if (path := shutil.which(name))), None)


def _version(compiler: str) -> str:
    return subprocess.run([compiler, "--version"], capture_output=True, text=True, check=False).stdout


def _definitions(geometry: Geometry, kind: Instructions) -> list[str]:
    sizes = {"LANES": kind.lanes, "REGISTERS": kind.registers}
    sizes |= {"DIM": geometry.dim, "HIDDEN": geometry.hidden, "LEVELS": geometry.levels}
    return [f"-DSAFMN_{name}={size}" for name, size in sizes.items()]


def _sources() -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(_SOURCE.iterdir()) if path.suffix in (".h", ".cpp")]


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _content_digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _intact(folder: Path, pattern: str) -> Path | None:
    """A library whose content is what its name says."""
    return next((p for p in sorted(folder.glob(pattern)) if p.stem.rpartition("-")[2] == _content_digest(p)), None)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the lock of a build, where the file system has locks. Raises UserError: a folder that cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("w")
    except OSError as error:
        raise UserError(
            f"The native form is compiled into {path.parent}, which cannot be written: {error.strerror}. Name another "
            "folder in SAFMN_BENCH_CACHE."
        ) from error
    with handle:
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _compile(compiler: str, flags: tuple[str, ...], folder: Path, name: str) -> Path:
    for damaged in folder.glob(f"{name}-*.so"):
        damaged.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        made = Path(scratch) / "safmn.so"
        command = [compiler, *flags, str(_SOURCE / "safmn.cpp"), "-o", str(made)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS, check=False)
        except subprocess.TimeoutExpired as error:
            problem = f"{compiler} did not compile the native form within {_TIMEOUT_SECONDS} s."
            raise UserError(f"{problem} {_INSTEAD}") from error
        if done.returncode:
            said = done.stderr.splitlines() or ["no message"]
            first = next((line for line in said if "error" in line), said[0])
            raise UserError(
                f"{compiler} could not compile the native form: {first.strip()}. It needs {_NEEDS}; name another "
                f"compiler in CXX. {_INSTEAD}"
            )
        return made.replace(folder / f"{name}-{_content_digest(made)}.so")
