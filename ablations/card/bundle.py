"""What travels to a machine with a GPU and no network: code, wheels that it lacks, training images; below a limit."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from safmn_bench.ablations.card.options import LIMIT_MB, CardOptions
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import write_text
from safmn_bench.profiling.common.images import SUFFIXES
from safmn_bench.profiling.common.machine import COMMIT_FILE, commit

CODE = (".namespace", "models", "profiling", "ablations", "analysis", "library", "tests", "results/paper")
FILES = ("pyproject.toml", "constraints.txt", "Makefile", "README.md", "LICENSE")
ROOT = Path(__file__).resolve().parents[2]
_RUN = """\
#!/bin/sh
# On the machine with the GPU: sh run.sh. It leaves gpu-results.tar.gz here; again, it goes on with the sweep.
set -e
cd "$(dirname "$0")"
python3 -c 'import torch' || { echo "PyTorch is not installed for python3 here."; exit 2; }
for name in NAMES; do
    PYTHONPATH=libraries python3 -m pip show --quiet "$name" 2>/dev/null ||
        python3 -m pip install --quiet --no-index --no-deps --find-links wheels --target libraries "$name"
done
export PYTHONPATH="$PWD/.namespace:$PWD/libraries${PYTHONPATH:+:$PYTHONPATH}" SAFMN_BENCH_CACHE="$PWD/cache"
exec python3 -m safmn_bench.ablations.gpu IMAGES"$@"
"""


def make_bundle(options: CardOptions) -> int:
    """Write the folder. Raises UserError where it is there, a wheel cannot be had, or all but images is too much."""
    folder = options.bundle
    assert folder is not None
    if folder.exists():
        raise UserError(f"{folder} is there already. Choose another name, or delete it.")
    if not (ROOT / "tests").is_dir():
        raise UserError("A bundle is made from a checkout of the repository, with its tests, not from an installation.")
    folder.mkdir(parents=True)
    copy_code(folder)
    fetch_wheels(folder / "wheels", options.wheels)
    room = LIMIT_MB * 10**6 - _size(folder)
    if room < 0:
        raise UserError(f"{folder} is {-room / 1e6:.0f} MB over {LIMIT_MB} MB without an image: name fewer --wheels.")
    named = copy_images(folder, options, room)
    write_text(folder / "run.sh", _RUN.replace("IMAGES", named).replace("NAMES", " ".join(options.wheels)))
    write_text(folder / COMMIT_FILE, commit())
    print(f"{folder}: {_size(folder) / 1e6:.1f} MB. There: sh run.sh; then bring gpu-results.tar.gz back.")
    return 0


def copy_code(folder: Path) -> None:
    """The suite and its tests, as they are here."""
    for name in CODE:
        skipped = shutil.ignore_patterns("__pycache__", "*.pyc")
        shutil.copytree(ROOT / name, folder / name, symlinks=True, ignore=skipped)
    for name in FILES:
        shutil.copy2(ROOT / name, folder / name)


def fetch_wheels(folder: Path, names: Sequence[str]) -> None:
    """Wheels of these packages, without what they need in turn. Raises UserError where pip cannot."""
    folder.mkdir()
    if not names:
        return
    call = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), *names]
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    done = subprocess.run([*call, *constraints], capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UserError(f"The wheels could not be had: {last} Give --wheels with those that pip finds, or none.")


def copy_images(folder: Path, options: CardOptions, room: int) -> str:
    """Images of the folders that were named, as many as there is room for, evenly; the options that name them there."""
    words = ""
    given = (("--benchmarks", options.benchmarks), ("--train-data", options.train_data))
    for option, sources in given:
        for source in sources:
            files = sorted(_images(source))
            if not files:
                raise UserError(f"{source} holds no images. Name a folder of images with {option}.")
            kept = fitting(files, room)
            for path in kept:
                target = folder / "images" / source.name / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, target)
                room -= path.stat().st_size
            if len(kept) < len(files):
                print(f"note: {len(kept)} of {len(files)} images of {source} fit.")
        if sources:
            words += f"{option} {' '.join(_quoted(f'images/{source.name}') for source in sources)} "
    return words


def fitting(files: Sequence[Path], room: int) -> list[Path]:
    """As many of the files, evenly spread, as take less than `room` bytes: the same of each folder, HR and LR alike."""
    folders: dict[Path, list[Path]] = {}
    for path in files:
        folders.setdefault(path.parent, []).append(path)
    for every in range(1, len(files) + 1):
        kept = [path for inside in folders.values() for path in inside[::every]]
        if sum(path.stat().st_size for path in kept) < room:
            return kept
    return []


def _images(folder: Path) -> Iterator[Path]:
    yield from (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
