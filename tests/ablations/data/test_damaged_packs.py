"""The door of packs: what is done to one, or to the note that finds it -> what is told; and it heals."""

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from safmn_bench.ablations.data import pack_check
from safmn_bench.ablations.data.pack import PackedSet, find_pack, pack
from safmn_bench.ablations.data.pack_check import DamagedPack, require_undamaged
from safmn_bench.ablations.data.training_sets import TrainingSet, open_training_sets
from safmn_bench.ablations.prepare import main

Make = Callable[..., Path]


@pytest.fixture
def sets(make_images: Make, tmp_path: Path) -> list[TrainingSet]:
    return open_training_sets([make_images(tmp_path / "set", "a.png", "b.png", "c.png")], 4)


@pytest.fixture
def good(sets: list[TrainingSet], tmp_path: Path) -> PackedSet:
    return pack(sets, 4, tmp_path / "cache")


def flip(path: Path, byte: int) -> None:
    content = bytearray(path.read_bytes())
    content[byte] ^= 1
    path.write_bytes(content)


def edit(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def zero(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def as_before(folder: Path) -> None:
    """A pack of the version that had no digests."""
    index = json.loads((folder / "index.json").read_text())
    del index["packed_digests"], index["sha256"]
    (folder / "index.json").write_text(json.dumps(index))


_ANEW = "It is packed anew by whatever needs it"
_PIXELS = "is damaged: it does not hold the pixels of set/"
_INDEX = "index.json is damaged, or of another version"
DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "HR zeroed": (lambda folder: zero(folder / "hr.bin"), f"{_PIXELS}a.png. {_ANEW}"),
    "LR zeroed": (lambda folder: zero(folder / "lr.bin"), f"{_PIXELS}a.png. {_ANEW}"),
    "a bit of HR": (lambda folder: flip(folder / "hr.bin", 40_000), f"{_PIXELS}c.png. {_ANEW}"),
    "a bit of LR": (lambda folder: flip(folder / "lr.bin", 0), f"{_PIXELS}a.png. {_ANEW}"),
    "HR cut": (
        lambda folder: (folder / "hr.bin").write_bytes(b"1"), f"hr.bin is damaged: it should hold 46080 bytes. {_ANEW}",
    ),
    "LR gone": (lambda folder: (folder / "lr.bin").unlink(), f"lr.bin is damaged: it should hold 2880 bytes. {_ANEW}"),
    "an empty index": (lambda folder: (folder / "index.json").write_bytes(b""), _INDEX),
    "half an index": (lambda folder: (folder / "index.json").write_text('{"scale": 4'), _INDEX),
    "an index that is a list": (lambda folder: (folder / "index.json").write_text("[]"), f"{_INDEX} (it holds a list)"),
    "an edited index": (lambda folder: edit(folder / "index.json", scale=2), f"{_INDEX} (it was changed after it"),
    "an index of zeros": (lambda folder: zero(folder / "index.json"), _INDEX),
    "an index of before": (as_before, f"{_INDEX} (it has no digest)"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_pack_is_told_and_packed_anew(
    sets: list[TrainingSet], good: PackedSet, tmp_path: Path, capsys, name: str
):
    spoil, message = DAMAGES[name]
    before = [(good.folder / file).read_bytes() for file in ("hr.bin", "lr.bin", "index.json")]
    spoil(good.folder)
    assert find_pack(sets, 4, tmp_path / "cache") is None
    healed = pack(sets, 4, tmp_path / "cache")
    assert message in capsys.readouterr().err
    assert [(healed.folder / file).read_bytes() for file in ("hr.bin", "lr.bin", "index.json")] == before
    assert pack(sets, 4, tmp_path / "cache").folder == good.folder
    assert capsys.readouterr().err == ""


def test_a_running_process_keeps_the_pixels_that_it_has_mapped(
    sets: list[TrainingSet], good: PackedSet, tmp_path: Path
):
    before = good.image(0)
    (good.folder / "index.json").write_bytes(b"")
    pack(sets, 4, tmp_path / "cache")
    assert all(map(torch.equal, before, good.image(0)))


def journal_of_zeros(folder: Path) -> None:
    """As a crash of the machine leaves it: the journal says that all is done, and the pixels were never written."""
    index = json.loads((folder / "index.json").read_text())
    lines = [
        {"image": i, "digest": digest, "treatment": "", "packed": packed}
        for i, (digest, packed) in enumerate(zip(index["digests"], index["packed_digests"], strict=True))
    ]
    (folder / "journal.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (folder / "index.json").unlink()
    zero(folder / "hr.bin")


BEGUN: dict[str, Callable[[Path], object]] = {
    "pixels that never reached the disk": journal_of_zeros,
    "a journal of another version": lambda folder: (
        (folder / "index.json").unlink(),
        (folder / "journal.jsonl").write_text('{"image": 0, "digest": "x", "treatment": ""}\n'),
    ),
    "a journal of junk": lambda folder: (
        (folder / "index.json").unlink(),
        (folder / "journal.jsonl").write_bytes(b'[]\n3\n{"image": 1}\n\xff\xfe\n{"image": "0"}\n'),
    ),
    "no journal": lambda folder: (folder / "index.json").unlink(),
}


@pytest.mark.parametrize("name", BEGUN)
def test_a_pack_that_was_begun_is_right_in_the_end(sets: list[TrainingSet], good: PackedSet, tmp_path: Path, name: str):
    before = [(good.folder / file).read_bytes() for file in ("hr.bin", "lr.bin", "index.json")]
    BEGUN[name](good.folder)
    pack(sets, 4, tmp_path / "cache")
    assert [(good.folder / file).read_bytes() for file in ("hr.bin", "lr.bin", "index.json")] == before


@pytest.mark.parametrize(
    "note", [b"", b"[]", b'{"pack": "set-x4-0"}', b'{"pack": 3}', b"{", b"\xff", b'{"pack": "../../etc"}']
)
def test_a_damaged_note_on_which_pack_it_is_is_as_if_absent(
    sets: list[TrainingSet], good: PackedSet, tmp_path: Path, note: bytes
):
    (seen,) = (tmp_path / "cache" / "seen").iterdir()
    seen.write_bytes(note)
    assert find_pack(sets, 4, tmp_path / "cache") is None
    assert pack(sets, 4, tmp_path / "cache").folder == good.folder
    assert find_pack(sets, 4, tmp_path / "cache") is not None


def test_a_hundred_flipped_bits_in_sampled_pixels_are_all_noticed(good: PackedSet):
    path, rng = good.folder / "hr.bin", random.Random(0)
    for _ in range(100):
        byte = rng.randrange(path.stat().st_size)
        flip(path, byte)
        with pytest.raises(DamagedPack, match="does not hold the pixels of set/"):
            require_undamaged(PackedSet.open(good.folder))
        flip(path, byte)
    require_undamaged(PackedSet.open(good.folder))


def test_a_large_pack_is_checked_in_parts_that_cover_it_in_the_end(good: PackedSet, monkeypatch: pytest.MonkeyPatch):
    size, checked = good.hr.nbytes + good.lr.nbytes, set()
    for nanoseconds in range(3):
        monkeypatch.setattr(pack_check.time, "time_ns", lambda now=nanoseconds: now)
        part = pack_check._spread(3, size, size // 3)
        assert len(part) == 1
        checked |= set(part)
    assert checked == {0, 1, 2}
    assert list(pack_check._spread(3, size, None)) == list(pack_check._spread(3, size, size)) == [0, 1, 2]


def test_prepare_verify_reads_every_pixel(sets: list[TrainingSet], tmp_path: Path, capsys):
    call = ["--train-data", str(tmp_path / "set"), "--cache", str(tmp_path / "cache"), "--verify"]
    assert main(call) == 0
    assert main(call) == 0
    assert "packed before, every pixel verified" in capsys.readouterr().out
    (folder,) = (tmp_path / "cache" / "packs").iterdir()
    zero(folder / "hr.bin")
    assert main(call) == 0
    told = capsys.readouterr()
    assert f"{_PIXELS}a.png. {_ANEW}" in told.err
    assert "packed in " in told.out
