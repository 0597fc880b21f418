"""torch.save's ZIP archives, read whole and checked before anything in them is used.

An archive has a CRC-32 of each record, which torch.load never looks at: a flipped bit loads as another weight. Files
that this suite writes are sealed besides: one more record, `sha256`, is the digest of names and bytes of all others.
torch.load passes it over, so a sealed file is to other programs what it would be without. Both are checked in one pass,
which takes about as long as loading does (2 ms per megabyte on one core).
"""

import hashlib
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

SEAL = "sha256"
_CHUNK_BYTES = 2**20  # read at a time, so that files of any size are checked in little memory
_HEAD = struct.Struct("<4s22xHH")  # of a record: its mark, then behind sizes and times how long name and extra are
_MARK = b"PK\3\4"
_UTF8, _ENCRYPTED = 0x800, 0x1  # flags of a record


class DamagedArchive(ValueError):
    """An archive that is not as it was written; the text says what was noticed, as the end of a sentence."""


def seal(handle: BinaryIO) -> None:
    """Add the digest to an archive that torch.save has just written to `handle`, open for reading and writing."""
    with zipfile.ZipFile(handle, "a") as archive:
        root = archive.namelist()[0].partition("/")[0]
        record = zipfile.ZipInfo(f"{root}/{SEAL}")  # of 1980: equal content, equal file
        archive.writestr(record, _digest(archive, handle))


def require_whole(path: Path) -> bool:
    """Check every record of an archive; returns whether it is sealed too. Raises DamagedArchive, OSError."""
    try:
        with path.open("rb") as handle, zipfile.ZipFile(handle) as archive:
            digest = _digest(archive, handle)
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


def _digest(archive: zipfile.ZipFile, handle: BinaryIO) -> str:
    """Of all records but the seal, in order, each one's CRC-32 compared at its end."""
    total = hashlib.sha256()
    for info in archive.infolist():
        if _is_seal(info):
            continue
        total.update(f"{info.filename} {info.file_size}\n".encode())
        as_it_is = info.compress_type == zipfile.ZIP_STORED and info.compress_size == info.file_size
        stored = as_it_is and not info.flag_bits & _ENCRYPTED
        for chunk in _stored(handle, info) if stored else _compressed(archive, info):
            total.update(chunk)
    return total.hexdigest()


def _stored(handle: BinaryIO, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """A record that is not compressed, as torch.save writes them, by its chunks.

    Raises BadZipFile as zipfile would, whose own reader takes ten times as long for the many small ones of a network.
    """
    handle.seek(info.header_offset)
    mark, name, extra = _HEAD.unpack(handle.read(_HEAD.size))
    encoding = "utf-8" if info.flag_bits & _UTF8 else "cp437"
    if mark != _MARK or handle.read(name).decode(encoding) != info.orig_filename:
        raise zipfile.BadZipFile(f"the head of {info.filename!r} is not the directory's")
    handle.seek(extra, 1)
    checksum, left = 0, info.file_size
    while chunk := handle.read(min(left, _CHUNK_BYTES)):
        checksum, left = zlib.crc32(chunk, checksum), left - len(chunk)
        yield chunk
    if left or checksum != info.CRC:
        raise zipfile.BadZipFile(f"Bad CRC-32 for file {info.filename!r}")


def _compressed(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as record:
        while chunk := record.read(_CHUNK_BYTES):
            yield chunk
