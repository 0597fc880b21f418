"""Weight files that nobody should have written: random, cut, edited within valid checksums, and of odd content."""

import io
import random
import zipfile
from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import save

DTYPES = (
    torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn,
    torch.int8, torch.uint8, torch.int64, torch.bool, torch.complex64,
)  # fmt: skip
HEADS = (b"", b"PK\x03\x04", b"\x80\x02", b"\x80\x02}q\x00", (64).to_bytes(8, "little") + b"{", b"\x93NUMPY", b"{")


def saved(content: Any, *, archive: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, _use_new_zipfile_serialization=archive)
    return buffer.getvalue()


def spoiled(content: bytes, rng: random.Random) -> bytes:
    """A few bytes changed, taken out or put in; or the end cut off."""
    changed = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(changed) + 1)
        match rng.randrange(4):
            case 0:
                changed[at : at + 1] = bytes([rng.randrange(256)])
            case 1:
                del changed[at : at + rng.randint(1, 8)]
            case 2:
                changed[at:at] = rng.randbytes(rng.randint(1, 8))
            case _:
                changed[at:] = changed[at:] if rng.random() < 0.8 else b""
    return bytes(changed)


def junk(state: dict[str, torch.Tensor], rng: random.Random) -> bytes:
    """One such file; `state` is what a good one holds."""
    return rng.choice(KINDS)(state, rng)


def _random_bytes(state: dict[str, torch.Tensor], rng: random.Random) -> bytes:
    return rng.choice(HEADS) + rng.randbytes(rng.choice((0, 1, 7, 64, 600, 5000)))


def _spoiled_archive(state: dict[str, torch.Tensor], rng: random.Random) -> bytes:
    return spoiled(saved({"params": state}), rng)


def _spoiled_legacy(state: dict[str, torch.Tensor], rng: random.Random) -> bytes:
    return spoiled(saved({"params": state}, archive=False), rng)


def _spoiled_safetensors(state: dict[str, torch.Tensor], rng: random.Random) -> bytes:
    content = save(state)
    head = 8 + int.from_bytes(content[:8], "little")
    return spoiled(content[:head], rng) + content[head:]


def _edited_record(state: dict[str, torch.Tensor], rng: random.Random) -> bytes:
    """An archive with right checksums, whose pickle or storage is spoiled: torch's own reader has to find out."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved({"params": state}))) as old, zipfile.ZipFile(buffer, "w") as new:
        target = rng.choice(["archive/data.pkl"] * 4 + old.namelist())
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, spoiled(content, rng) if name == target else content)
    return buffer.getvalue()


def _odd_content(state: dict[str, torch.Tensor], rng: random.Random) -> bytes:
    """A state dict with some entries of other kinds, in a container or not."""
    odd: dict[Any, Any] = dict(state)
    for key in rng.sample(list(state), rng.randint(1, 3)):
        odd[key] = rng.choice(_ODD)(state[key], rng)
    if rng.random() < 0.3:
        odd[rng.choice((3, ("a",), "", "\x1b[2J", "x" * 5000, None))] = torch.zeros(2)
    content: Any = rng.choice((odd, {"params": odd}, [odd], {"params_ema": odd, "params": {}}, (odd, 1), {1: odd}))
    return saved(content, archive=rng.random() < 0.8)


_ODD: tuple[Callable[[torch.Tensor, random.Random], Any], ...] = (
    lambda value, rng: (value * 10).to(rng.choice(DTYPES)),
    lambda value, rng: value.to_sparse(),
    lambda value, rng: torch.empty(value.shape, device="meta"),
    lambda value, rng: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8),
    lambda value, rng: value.flatten(),
    lambda value, rng: value[:0],
    lambda value, rng: value.new_zeros(1).expand(value.shape),
    lambda value, rng: value.t() if value.ndim == 2 else value.unsqueeze(0),
    lambda value, rng: torch.zeros(()),
    lambda value, rng: torch.full_like(value, rng.choice((float("nan"), float("inf"), 1e30))),
    lambda value, rng: value.tolist(),
    lambda value, rng: rng.choice((None, 1, "text", {}, [], {"a": value})),
)
KINDS = (_random_bytes, _spoiled_archive, _spoiled_legacy, _spoiled_safetensors, _edited_record, _odd_content)
