"""Sealed archives: to torch.load what they would be unsealed; a flipped bit anywhere in them is noticed or harmless."""

import io
import random
import zipfile
from pathlib import Path

import pytest
import torch

from safmn_bench.models.errors import UserError
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.models.stored import archives
from safmn_bench.models.stored.archives import DamagedArchive, is_whole, require_whole, seal
from safmn_bench.models.weights import load_weights

NETWORK = SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2)
STATE = NETWORK.state_dict()


def archive(*, sealed: bool = True) -> bytes:
    buffer = io.BytesIO()
    torch.save({"params": STATE}, buffer)
    if sealed:
        seal(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("mmap", [False, True])
def test_torch_loads_a_sealed_file_as_it_was_before(tmp_path: Path, mmap: bool):
    (tmp_path / "w.pt").write_bytes(archive())
    content = torch.load(tmp_path / "w.pt", weights_only=True, mmap=mmap)
    assert list(content) == ["params"]
    assert all(torch.equal(content["params"][key], value) for key, value in STATE.items())


def test_equal_content_makes_equal_files():
    assert archive() == archive()


def test_a_seal_is_told_from_none(tmp_path: Path):
    for sealed in (True, False):
        (tmp_path / "w.pt").write_bytes(archive(sealed=sealed))
        assert require_whole(tmp_path / "w.pt") is sealed


def test_another_content_under_valid_crcs_is_noticed_by_the_seal(tmp_path: Path):
    """A record exchanged by somebody who writes correct CRCs."""
    path = tmp_path / "w.pt"
    with zipfile.ZipFile(io.BytesIO(archive())) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            new.writestr(info, bytes(len(content)) if info.filename.endswith("data/0") else content)
    with pytest.raises(DamagedArchive, match="does not match the digest that it was sealed with"):
        require_whole(path)


def same_or_refused(path: Path) -> bool:
    """Whether a file is refused; else it loads, and holds what it held."""
    network = SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2)
    try:
        load_weights(network, path)
    except UserError:
        return True
    assert all(torch.equal(value, STATE[key]) for key, value in network.state_dict().items())
    return False


@pytest.mark.parametrize("sealed", [True, False])
def test_a_hundred_flipped_bits_in_weights_change_no_weight_in_silence(tmp_path: Path, sealed: bool):
    """Bits that are harmless (alignment, times in headers) load the same weights; at least half are not."""
    content, rng, path = archive(sealed=sealed), random.Random(0), tmp_path / "w.pt"
    refused = 0
    for _ in range(100):
        bit = rng.randrange(8 * len(content))
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        refused += same_or_refused(path)
    assert refused >= 50


@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9, 0.999])
def test_a_cut_file_is_not_whole(tmp_path: Path, kept: float):
    content = archive()
    (tmp_path / "w.pt").write_bytes(content[: int(kept * len(content))])
    assert not is_whole(tmp_path / "w.pt")
    assert same_or_refused(tmp_path / "w.pt")


def test_a_file_that_is_not_there_is_not_whole(tmp_path: Path):
    assert not is_whole(tmp_path / "w.pt")
    assert not archives.is_whole(tmp_path)
