"""Contents of weight files: torch.save's archives and safetensors, opened so that nothing in them can run.

Archives are checked by their own CRCs, and by the digest where they have one (archives.py). torch.save's format of
before 2020 and safetensors carry no checksum.

A file that is something else (a Git LFS pointer, a web page, an archive that was not unpacked) is called what it is.
"""

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors

from safmn_bench.models.errors import UserError
from safmn_bench.models.stored.archives import DamagedArchive, require_whole

_AGAIN = "Download the file itself, not the page about it"
# first bytes (of text: without blanks, in small letters) -> what the file is, and what to do
_KINDS: tuple[tuple[bytes, str], ...] = (
    (b"version https://git-lfs", "a Git LFS pointer, not the file it stands for. Fetch that one: git lfs pull"),
    (b"<!doctype html", f"a web page (HTML). {_AGAIN}"),
    (b"<html", f"a web page (HTML). {_AGAIN}"),
    (b"<?xml", f"a web page or an error message (XML). {_AGAIN}"),
    (b"\x1f\x8b", "compressed by gzip. Unpack it first: gunzip"),
    (b"7z\xbc\xaf", "a 7-Zip archive. Unpack it, and give the weight file in it"),
    (b"rar!", "a RAR archive. Unpack it, and give the weight file in it"),
    (b"\x89hdf", "an HDF5 file, as Keras writes. Convert it to a PyTorch state dict"),
    (b"\x93numpy", "a NumPy array. Save the state dict: torch.save({'params': network.state_dict()}, path)"),
    (b"gguf", "a GGUF file of a language model. Give the weights of a super-resolution network"),
    (b"\x89png", "a PNG image. Give the weight file"),
    (b"\xff\xd8\xff", "a JPEG image. Give the weight file"),
    (b"%pdf", "a PDF document. Give the weight file"),
)
_HEAD_BYTES = 512  # more than a mark takes: blank lines may stand before that of a web page
_KEY_SHOWN = 80  # characters


def read_content(path: Path) -> Any:
    """The content of a file: tensors and plain containers, on the CPU. Raises UserError for anything else."""
    head = _head(path)
    for start, words in _KINDS:
        if head.lstrip().lower().startswith(start):
            raise UserError(f"{path} is {words}.")
    if not head:
        raise UserError(f"{path} is an empty file. Copy or download it again.")
    # safetensors: the length of its header in 8 bytes, then JSON; no header comes near 4 GiB
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**32:
        return _safetensors(path)
    if head.startswith(b"PK"):
        _require_torch_archive(path)
    return _torch(path)


def _head(path: Path) -> bytes:
    if path.exists() and not path.is_file():  # a FIFO would be waited for
        raise UserError(f"Cannot read {path}: it is a folder or a device. Give the path of a weight file.")
    try:
        with path.open("rb") as handle:
            return handle.read(_HEAD_BYTES)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Give the path of a weight file.") from error


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_safetensors(path.read_bytes())
    except (SafetensorError, KeyError, ValueError, OSError, MemoryError) as error:
        raise UserError(f"{path} is a damaged safetensors file ({error}). Copy or download it again.") from error


def _require_torch_archive(path: Path) -> None:
    """Raise UserError for a ZIP archive that torch.save did not write, or that is damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except Exception as error:  # by where the damage lies, zipfile raises half a dozen kinds
        raise _damaged(path, str(error)) from error
    if any(name.endswith("constants.pkl") or "/code/" in name for name in names):
        raise UserError(
            f"{path} is a TorchScript program, which holds code. Save its weights alone: "
            "torch.save({'params': torch.jit.load(path).state_dict()}, path)."
        )
    if not any(name.endswith("data.pkl") for name in names):
        raise UserError(
            f"{path} is a ZIP archive that holds {', '.join(names[:3]) or 'nothing'}. Unpack it, and give the weight "
            "file in it."
        )
    try:
        require_whole(path)
    except (DamagedArchive, OSError) as error:
        raise _damaged(path, str(error)) from error


def _torch(path: Path) -> Any:
    try:
        with warnings.catch_warnings(action="ignore"):  # torch's, of kinds of tensors that are refused anyway
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is not loaded: it is no weight file, or it holds Python objects besides tensors (a whole pickled "
            "module), which could run code. Get the state dict from its author, saved as "
            "torch.save({'params': network.state_dict()}, path), or convert it once as models/peers/vdsr.py describes."
        ) from error
    except Exception as error:  # a file of random bytes makes torch's reader raise nearly every kind there is
        raise _damaged(path, str(error).partition("\n")[0]) from error


def _damaged(path: Path, noticed: str) -> UserError:
    why = noticed.rstrip(". ") or "it ends too early"
    return UserError(
        f"{path} is damaged, cut short, or no weight file: {why}. Allowed: what torch.save writes of a state dict, and "
        "safetensors. Copy or download it again."
    )


def require_numbers(state: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor], path: Path) -> None:
    """Raise UserError for tensors that hold no plain numbers of the network's kind: they would be cast in silence.

    float16, bfloat16 and float64 are converted to the network's float32; counters (`num_batches_tracked`) are whole.
    """
    for key, value in state.items():
        if is_plain(value) and _kind(value.dtype) == _kind(expected[key].dtype):
            continue
        raise UserError(
            f"{path}: {told(key)} holds {_held(value)}, where the network has {_held(expected[key])}. Allowed: dense "
            "float32, float64, float16 and bfloat16. Convert the file (of a quantised network: dequantise it) and save "
            "its state dict again."
        )


def _held(value: torch.Tensor) -> str:
    """Kind of numbers in words."""
    if value.is_meta:
        return "no data (a tensor on the meta device)"
    kind = str(value.dtype).removeprefix("torch.")
    return kind if value.layout is torch.strided else f"sparse {kind}"


def told(key: str) -> str:
    """A key for a message: short, and without what a terminal would obey."""
    return key if key.isprintable() and len(key) <= _KEY_SHOWN else f"{key[:_KEY_SHOWN]!r}..."


def is_plain(value: torch.Tensor) -> bool:
    """Whether a tensor is dense numbers in memory: not sparse, not quantised, not on the meta device."""
    return value.layout is torch.strided and not value.is_quantized and not value.is_meta


def _kind(dtype: torch.dtype) -> str:
    if dtype is torch.bool or dtype.is_complex:
        return str(dtype)
    return "floating" if dtype.is_floating_point else "whole"


def converted(state: Mapping[str, torch.Tensor], expected: Mapping[str, torch.Tensor]) -> str:
    """The end of a Weights' `picked` where numbers were cast."""
    casts = {(value.dtype, expected[key].dtype) for key, value in state.items() if value.dtype != expected[key].dtype}
    words = sorted(f"{old} converted to {new}".replace("torch.", "") for old, new in casts)
    return "".join(f", {cast}" for cast in words)
