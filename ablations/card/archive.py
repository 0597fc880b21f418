"""What a measured GPU leaves: one archive small enough to carry; and the folder of results that it becomes."""

import gzip
import json
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safmn_bench.ablations.card.options import LIMIT_MB
from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.files import write_atomically

LEFT_OUT = ("last.pt", "lock.json")
"""Files that only the machine itself needs, to go on."""
_FOLDERS_LEFT_OUT = ("tensorboard",)
_DEAR = (".pt",)  # what goes first where all is too much
_LARGEST = 50 * LIMIT_MB * 10**6  # unpacked: more than any honest archive holds
REQUIRED = ("card.json", "parts.json")


def pack(out: Path) -> Path:
    """Write OUT.tar.gz, below the limit: weights are left out, the largest first, where all is too much."""
    files = sorted(_kept(out))
    budget = int(0.95 * LIMIT_MB * 10**6)  # of uncompressed bytes: what is compressed is less
    total = sum(path.stat().st_size for path in files)
    dropped = []
    for path in sorted((p for p in files if p.suffix in _DEAR), key=lambda p: -p.stat().st_size):
        if total <= budget:
            break
        total -= path.stat().st_size
        dropped.append(path)
    if dropped:
        print(f"note: {len(dropped)} weight files are left out of the archive, which may hold {LIMIT_MB} MB.")
    if total > 4 * budget:
        print(f"note: the archive may be more than {LIMIT_MB} MB: logs and records alone are {total / 1e6:.0f} MB.")
    target = out.with_name(f"{out.name}.tar.gz")

    def write(handle) -> None:
        with gzip.GzipFile(fileobj=handle, mode="wb") as zipped, tarfile.open(fileobj=zipped, mode="w") as archive:
            for path in files:
                if path not in dropped:
                    archive.add(path, arcname=str(Path(out.name) / path.relative_to(out)), recursive=False)

    write_atomically(target, write)
    return target


def _kept(out: Path) -> Iterator[Path]:
    for path in out.rglob("*"):
        if path.is_file() and path.name not in LEFT_OUT and not set(path.parts) & set(_FOLDERS_LEFT_OUT):
            yield path


def take_in(archive: Path, into: Path) -> int:
    """Unpack an archive to INTO/<GPU>; says what is in it. Raises UserError for what is none, or is there already."""
    with tempfile.TemporaryDirectory() as folder:
        content = _unpacked(archive, Path(folder))
        card, parts = (_content(content / name, archive) for name in REQUIRED)
        name = str(card["machine"].get("gpu") or card["machine"].get("name", "unknown"))
        target = into / "_".join("".join(c if c.isalnum() else " " for c in name.casefold()).split())
        if target.exists():
            raise UserError(f"{target} is there already. Choose another --into, or delete that folder.")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(content, target)
    for part, told in parts.items():
        print(f"{part}: {told['status']}")
    records = len(list(target.glob("runs/*/x*/seed*/record.json")))
    print(f"{name}, commit {card['commit']}: {records} records. Results: {target}")
    return 0


def _content(path: Path, archive: Path) -> dict[str, Any]:
    """A JSON file's object. Raises UserError where it is not as `make gpu` writes it."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if path.name == "card.json":
            return {"machine": dict(content["machine"]), "commit": str(content["commit"])}
        return {str(name): {"status": str(told["status"])} for name, told in content.items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UserError(f"{archive}: {path.name} is damaged. Take the archive from the machine again.") from error


def _unpacked(archive: Path, folder: Path) -> Path:
    """The folder in the archive. Raises UserError for a file that is no archive of `pack`."""
    try:
        with tarfile.open(archive, "r:gz") as opened:
            members = opened.getmembers()
            if sum(member.size for member in members) > _LARGEST:
                raise UserError(f"{archive} unpacks to more than {_LARGEST / 1e9:.0f} GB: it is not of `make gpu`.")
            if other := next((member.name for member in members if not member.isfile()), None):
                raise UserError(f"{archive} holds {other!r}, which is no file: it is not of `make gpu`.")
            opened.extractall(folder, filter="data")  # no path out of the folder
    except FileNotFoundError as error:
        raise UserError(f"No file {archive}. It is the one archive that `make gpu` leaves.") from error
    except (OSError, EOFError, tarfile.TarError) as error:
        raise UserError(f"{archive} cannot be unpacked ({error}): take it from the machine again.") from error
    content = next((path for path in folder.iterdir() if path.is_dir()), folder)
    if missing := [name for name in REQUIRED if not (content / name).is_file()]:
        raise UserError(f"{archive} has no {' and no '.join(missing)}: it is not of `make gpu`.")
    return content
