"""torch.save's ZIP archives, read whole and checked before anything in them is used.

An archive has a CRC-32 of each record, which torch.load never looks at: a flipped bit loads as another weight. Files
that this suite writes are sealed besides: one more record, `sha256`, is the digest of names and bytes of all others.
torch.load passes it over, so a sealed file is to other programs what it would be without. Both are checked in one pass,
which takes about as long as loading does (2 ms per megabyte on one core).
"""

import hashlib
import zipfile
from pathlib import Path
from typing import BinaryIO

SEAL = "sha256"
_CHUNK_BYTES = 2**20  # read at a time, so that files of any size are checked in little memory


class DamagedArchive(ValueError):
    """An archive that is not as it was written; the text says what was noticed, as the end of a sentence."""


def seal(handle: BinaryIO) -> None:
    """Add the digest to an archive that torch.save has just written to `handle`, open for reading and writing."""
    with zipfile.ZipFile(handle, "a") as archive:
        root = archive.namelist()[0].partition("/")[0]
        archive.writestr(zipfile.ZipInfo(f"{root}/{SEAL}"), _digest(archive))  # of 1980: equal content, equal file


def require_whole(path: Path) -> bool:
    """Check every record of an archive; returns whether it is sealed too. Raises DamagedArchive, OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            digest = _digest(archive)
            seals = [archive.read(info).decode() for info in archive.infolist() if _is_seal(info)]
    except OSError:
        raise
    except Exception as error:  # by where the damage lies, zipfile raises half a dozen kinds, RuntimeError among them
        raise DamagedArchive(f"its records do not match their checksums ({error})") from error
    if any(kept != digest for kept in seals):
        raise DamagedArchive("its content does not match the digest that it was sealed with")
    return bool(seals)


def is_whole(path: Path) -> bool:
    """Whether there is an undamaged archive at `path`."""
    try:
        require_whole(path)
    except (DamagedArchive, OSError):
        return False
    return True


def _is_seal(info: zipfile.ZipInfo) -> bool:
    return info.filename.partition("/")[2] == SEAL


def _digest(archive: zipfile.ZipFile) -> str:
    """Of all records but the seal, in order; zipfile compares each one's CRC-32 as it comes to its end."""
    total = hashlib.sha256()
    for info in archive.infolist():
        if _is_seal(info):
            continue
        total.update(f"{info.filename} {info.file_size}\n".encode())
        with archive.open(info) as record:
            while chunk := record.read(_CHUNK_BYTES):
                total.update(chunk)
    return total.hexdigest()
