"""Shared by all tests: pictures made here, the shared data where it is there, and a cache of the tests' own."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch

# Under pytest-xdist each worker, and what it starts, has its share of the processors: more threads only wait.
if "PYTEST_XDIST_WORKER_COUNT" in os.environ:
    _share = max(1, (os.cpu_count() or 1) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))
    torch.set_num_threads(int(os.environ.setdefault("OMP_NUM_THREADS", str(_share))))

os.environ.pop("COLUMNS", None)  # pytest-xdist's for its own reports: what is printed in tests is not wrapped

_SHARED = Path(os.environ.get("SAFMN_BENCH_SHARED") or Path(__file__).parents[2] / "shared")


@pytest.fixture
def shared() -> Callable[[str], Path]:
    """A file or folder of the shared data by its path there; skips where it is missing."""

    def find(path: str) -> Path:
        if not (_SHARED / path).exists():
            pytest.skip(f"needs {path} of the shared data; set SAFMN_BENCH_SHARED to its folder")
        return _SHARED / path

    return find


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test touches the user's cache; packs made by one test serve the others."""
    monkeypatch.setenv("SAFMN_BENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def same_threads() -> Iterator[None]:
    """Commands that choose a number of threads leave none behind: sums over threads decide the last bits."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def picture(seed: int = 0, height: int = 64, width: int = 80) -> np.ndarray:
    """A smooth random picture, uint8 (height, width, 3)."""
    rng = np.random.default_rng(seed)
    small = PIL.Image.fromarray(rng.integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8))
    return np.array(small.resize((width, height), PIL.Image.Resampling.BICUBIC))


@pytest.fixture
def make_images() -> Callable[..., Path]:
    """Write pictures into a folder: `make_images(folder, "a.png", "b.png", height=.., width=.., seed=..)`."""

    def write(folder: Path, *names: str, seed: int = 0, height: int = 64, width: int = 80) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for i, name in enumerate(names):
            PIL.Image.fromarray(picture(seed + i, height, width)).save(folder / name)
        return folder

    return write


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth random colour pictures of 64x80 pixels: three in train/, two in score/."""
    folder = tmp_path_factory.mktemp("photographs")
    rng = np.random.default_rng(0)
    for name in ("train/0", "train/1", "train/2", "score/0", "score/1"):
        small = PIL.Image.fromarray(rng.integers(0, 256, (8, 10, 3), dtype=np.uint8))
        path = folder / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        small.resize((80, 64), PIL.Image.Resampling.BICUBIC).save(path)
    return folder


@pytest.fixture(scope="module")
def small_variant(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A variant with one block, so that a test takes seconds."""
    path = tmp_path_factory.mktemp("variants") / "one_block.yaml"
    path.write_text("model: {n_blocks: 1, dim: 8}\n")
    return path
