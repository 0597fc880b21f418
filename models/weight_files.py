"""What is in a weight file: torch.save's archives and safetensors, opened so that nothing in them can run.

A file that is something else (a Git LFS pointer, a web page, an archive that was not unpacked) is called what it is.
"""

import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors

from safmn_bench.models.errors import UserError

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
_HEAD_BYTES = 512


def read_content(path: Path) -> Any:
    """What the file holds: tensors and plain containers, on the CPU. Raises UserError for anything else."""
    head = _head(path)
    for start, words in _KINDS:
        if head.lstrip().lower().startswith(start):
            raise UserError(f"{path} is {words}.")
    if not head:
        raise UserError(f"{path} is an empty file. Copy or download it again.")
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**32:
        return _safetensors(path)
    if head.startswith(b"PK"):
        _require_torch_archive(path)
    return _torch(path)


def _head(path: Path) -> bytes:
    try:
        with path.open("rb") as handle:
            return handle.read(_HEAD_BYTES)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}. Give the path of a weight file.") from error


def _safetensors(path: Path) -> dict[str, torch.Tensor]:
    try:
        return load_safetensors(path.read_bytes())
    except (SafetensorError, KeyError, ValueError) as error:
        raise UserError(f"{path} is a damaged safetensors file ({error}). Copy or download it again.") from error


def _require_torch_archive(path: Path) -> None:
    """Raise UserError for a ZIP archive that torch.save did not write; a damaged one is left to torch to judge."""
    try:
        names = zipfile.ZipFile(path).namelist()
    except (zipfile.BadZipFile, OSError):
        return
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


def _torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"{path} is not loaded: it is no weight file, or it holds Python objects besides tensors (a whole pickled "
            "module), which could run code. Get the state dict from its author, saved as "
            "torch.save({'params': network.state_dict()}, path), or convert it once as models/peers/vdsr.py describes."
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError, KeyError) as error:
        raise UserError(
            f"{path} is damaged, cut short, or no weight file. Allowed: what torch.save writes of a state dict, and "
            "safetensors. Copy or download it again."
        ) from error
