"""Where a measurement was made: hardware, library versions, and the commit of this suite."""

import functools
import os
import platform
import re
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from safmn_bench.profiling.common.places import is_stream
from safmn_bench.profiling.common.processes import in_child

PACKAGES = ("safmn-bench", "torch", "fvcore", "numpy", "scikit-image", "pillow", "captum")

_NO_LOCKS = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
"""`git status` rewrites the index and locks it meanwhile: a commit that the user makes just then would fail."""


MPS_PIPES = "CUDA_MPS_PIPE_DIRECTORY"
"""Set where processes share a GPU by NVIDIA's Multi-Process Service."""


def machine(device: torch.device) -> dict[str, Any]:
    """The hardware that `device` means, as plain values."""
    described: dict[str, Any] = {
        "device": device.type,
        "name": processor_name(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": platform.platform(),
    }
    if device.type == "cuda":
        # a launcher of runs does not use the GPU itself, and is not to begin to by asking what it is
        described |= _gpu(device) if torch.cuda.is_initialized() else in_child(_gpu, device)
        described |= {"sharing": "NVIDIA MPS"} if os.environ.get(MPS_PIPES) else {}
    return described


def _gpu(device: torch.device) -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(device)
    return {
        "gpu": properties.name,
        "gpu_memory_gib": round(properties.total_memory / 2**30, 1),
        "cuda": torch.version.cuda,
        "driver": _driver(),
    }


def hardware_name(device: torch.device) -> str:
    """One line for tables: the GPU's name, or the processor's with the number of threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{processor_name()}, {torch.get_num_threads()} threads"


def result_file(given: Path, stem: str, device: torch.device) -> Path:
    """Where a result goes: `given`, or, if that is a folder, `<stem>_<hardware>.csv` in it."""
    if is_stream(given) or (given.suffix and not given.is_dir()):
        return given
    return given / f"{stem}_{hardware_slug(device)}.csv"


def hardware_slug(device: torch.device) -> str:
    """The hardware's name for use in a file name: letters, digits and '_'."""
    name = re.sub(r"\((R|TM)\)", "", hardware_name(device))
    return re.sub(r"[^a-z0-9]+", "_", name.casefold()).strip("_")


def clock_mhz(device: torch.device) -> str | None:
    """The clock of the GPU's multiprocessors or of the processor's cores at this moment; None where unreadable."""
    if device.type == "cuda":
        query = ["nvidia-smi", f"--id={device.index or 0}", "--query-gpu=clocks.sm", "--format=csv,noheader,nounits"]
        return _output(query) or None
    info = Path("/proc/cpuinfo")
    clocks = re.findall(r"^cpu MHz\s*:\s*([\d.]+)", info.read_text(encoding="utf-8"), re.M) if info.exists() else []
    return f"{sum(map(float, clocks)) / len(clocks):.0f}" if clocks else None


@functools.cache
def processor_name() -> str:
    """The processor's name as the system gives it."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Python's version and those of the packages that decide a number."""
    installed = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            installed[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            installed[package] = "not installed"
    # torch's own version says its build, such as +cu130, which the package's number lacks
    return installed | {"torch": torch.__version__}


_SOURCES = ("models", "profiling", "ablations", "analysis", "library", "results/paper", "pyproject.toml")
"""What decides a measurement: a result or a page that changed does not, and the result is written just then."""


COMMIT_FILE = "COMMIT"
"""Names the commit of a copy of the source that is no checkout (`gpu.py --bundle`)."""


@functools.cache
def commit() -> str:
    """The commit of this suite's source, with '-dirty' where files differ from it; 'unknown' outside a checkout."""
    source = Path(__file__).resolve().parent
    if (copied := source.parents[1] / COMMIT_FILE).is_file():
        return copied.read_text(encoding="ascii").strip()
    described = _output(["git", "-C", str(source), "rev-parse", "HEAD"])
    if not described or _output(["git", "-C", str(source), "ls-files", Path(__file__).name]) == "":
        return "unknown"
    places = [f":/{folder}" for folder in _SOURCES]
    changed = _output(["git", "-C", str(source), "status", "--porcelain", "--untracked-files=no", "--", *places])
    return described + ("-dirty" if changed else "")


def _driver() -> str:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return (_output(query) or "unknown").splitlines()[0]


def _output(command: list[str]) -> str:
    """The output of a command, empty where it is not there or fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10, env=_NO_LOCKS)
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""
