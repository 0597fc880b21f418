"""Packs: the pixels of the files, the same bytes whatever interrupts, found again by content."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from safmn_bench.ablations.data import pack_writer
from safmn_bench.ablations.data.lr_choice import LRChoice
from safmn_bench.ablations.data.pack import PackedSet, find_pack, pack
from safmn_bench.ablations.data.training_sets import open_training_sets
from safmn_bench.ablations.prepare import main
from safmn_bench.models.errors import UserError
from safmn_bench.models.keeping import cache_folder
from safmn_bench.models.resize import lr_from_hr
from safmn_bench.profiling.common import locks
from safmn_bench.profiling.common.images import pixel_digest, read_image
from safmn_bench.profiling.common.locks import Busy, held, is_held

Make = Callable[..., Path]
DATA = ("hr.bin", "lr.bin", "index.json")


def images(make_images: Make, folder: Path) -> Path:
    make_images(folder, "a.png", "b.png", height=65, width=82)
    return make_images(folder, "c.png", "d.jpg", seed=5, height=40, width=33)


def bytes_of(packed: PackedSet) -> list[bytes]:
    return [(packed.folder / name).read_bytes() for name in DATA]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_pack_holds_the_pixels_of_the_files(make_images: Make, tmp_path: Path, scale: int):
    folder = images(make_images, tmp_path / "set")
    packed = pack(open_training_sets([folder], scale), scale, tmp_path / "cache")
    assert packed.names == ["set/a.png", "set/b.png", "set/c.png", "set/d.jpg"]
    assert packed.hr_offset.dtype == packed.lr_width.dtype == np.int64
    for i, name in enumerate(("a.png", "b.png", "c.png", "d.jpg")):
        lr, hr = packed.image(i)
        whole = read_image(folder / name).rgb
        assert torch.equal(hr, whole[:, : hr.shape[1], : hr.shape[2]])
        assert hr.shape[1:] == tuple(side // scale * scale for side in whole.shape[1:])
        assert torch.equal(lr, lr_from_hr(hr, scale))
        assert packed.digests[i] == pixel_digest(whole)
    assert len(packed.hr) == packed.hr_offset[-1] + packed.image(3)[1].numel()


def test_flat_arrays_are_rows_of_interleaved_pixels_ready_for_torch(make_images: Make, tmp_path: Path):
    packed = pack(open_training_sets([images(make_images, tmp_path / "set")], 4), 4, tmp_path / "cache")
    _, hr = packed.image(1)
    start, width = int(packed.hr_offset[1]), int(packed.lr_width[1]) * 4
    pixels = torch.from_numpy(np.asarray(packed.hr)).view(-1, 3)
    assert torch.equal(pixels[start // 3 + 7 * width + 5], hr[:, 7, 5])


def test_given_lr_is_packed_as_it_is(make_images: Make, tmp_path: Path):
    make_images(tmp_path / "S" / "HR", "a.png")
    make_images(tmp_path / "S" / "LR_bicubic" / "X4", "ax4.png", seed=9, height=16, width=20)
    sets = open_training_sets([tmp_path / "S"], 4, LRChoice(is_bicubic=False))
    packed = pack(sets, 4, tmp_path / "cache")
    assert torch.equal(packed.image(0)[0], read_image(tmp_path / "S/LR_bicubic/X4/ax4.png").rgb)
    assert packed.sets == [{"name": "S", "images": 1, "lr": "given", "note": ""}]


def test_number_of_workers_does_not_change_a_byte(make_images: Make, tmp_path: Path):
    sets = open_training_sets([images(make_images, tmp_path / "set")], 4)
    assert bytes_of(pack(sets, 4, tmp_path / "1", workers=1)) == bytes_of(pack(sets, 4, tmp_path / "4", workers=4))


def test_complete_pack_is_found_without_decoding(make_images: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sets = open_training_sets([images(make_images, tmp_path / "set")], 4)
    assert find_pack(sets, 4, tmp_path / "cache") is None
    pack(sets, 4, tmp_path / "cache")
    monkeypatch.setattr(pack_writer, "read_image", None)
    assert find_pack(sets, 4, tmp_path / "cache") is not None
    pack(sets, 4, tmp_path / "cache")


def test_changed_image_is_noticed_and_an_equal_copy_is_not_packed_again(make_images: Make, tmp_path: Path):
    folder, cache = images(make_images, tmp_path / "set"), tmp_path / "cache"
    first = pack(open_training_sets([folder], 4), 4, cache)
    shutil.copytree(folder, tmp_path / "copy" / "set")  # other path and times, same content
    assert pack(open_training_sets([tmp_path / "copy" / "set"], 4), 4, cache).folder == first.folder
    make_images(folder, "b.png", seed=77, height=65, width=82)
    changed = pack(open_training_sets([folder], 4), 4, cache)
    assert changed.folder != first.folder
    assert torch.equal(changed.image(1)[1], read_image(folder / "b.png").rgb[:, :64, :80])


def test_verify_notices_what_keeps_size_and_time(make_images: Make, tmp_path: Path):
    folder, cache = make_images(tmp_path / "set", "a.bmp"), tmp_path / "cache"
    first = pack(open_training_sets([folder], 4), 4, cache)
    before = (folder / "a.bmp").stat()
    make_images(folder, "a.bmp", seed=3)
    os.utime(folder / "a.bmp", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert pack(open_training_sets([folder], 4), 4, cache).folder == first.folder
    assert pack(open_training_sets([folder], 4), 4, cache, verify=True).folder != first.folder


def test_interrupted_pack_goes_on_where_it_was(make_images: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sets = open_training_sets([images(make_images, tmp_path / "set")], 4)
    whole = bytes_of(pack(sets, 4, tmp_path / "whole"))

    def interrupt(stage: str, done: int, total: int) -> None:
        if (stage, done) == ("packing", 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(sets, 4, tmp_path / "cache", workers=1, progress=interrupt)
    (folder,) = (tmp_path / "cache" / "packs").iterdir()
    with (folder / "journal.jsonl").open("a") as journal:
        journal.write('{"image": 3, "dig')  # a line cut short
    decoded: list[str] = []
    monkeypatch.setattr(pack_writer, "read_image", lambda path: decoded.append(path.name) or read_image(path))
    assert bytes_of(pack(sets, 4, tmp_path / "cache")) == whole
    assert sorted(decoded) == ["c.png", "d.jpg"]
    assert not (folder / "journal.jsonl").exists()


def test_killed_prepare_finishes_with_the_same_bytes(make_images: Make, tmp_path: Path):
    folder = make_images(tmp_path / "set", *(f"{i}.png" for i in range(24)), height=400, width=500)
    whole = bytes_of(pack(open_training_sets([folder], 4), 4, tmp_path / "whole"))
    cache = tmp_path / "cache"
    command = [sys.executable, "-c", "from safmn_bench.ablations.prepare import main; main()"]
    process = subprocess.Popen([*command, "--train-data", folder, "--cache", cache, "--workers", "1"])
    while not list(cache.glob("packs/*/hr.bin")):
        time.sleep(0.01)
    time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not list(cache.glob("packs/*/index.json"))
    assert bytes_of(pack(open_training_sets([folder], 4), 4, cache)) == whole


def test_damaged_pack_is_refused(make_images: Make, tmp_path: Path):
    packed = pack(open_training_sets([images(make_images, tmp_path / "set")], 4), 4, tmp_path / "cache")
    os.truncate(packed.folder / "lr.bin", 100)
    with pytest.raises(UserError, match=r"lr.bin is damaged: it should hold 2400 bytes. It is packed anew"):
        PackedSet.open(packed.folder)


def test_full_disk_is_told_and_loses_nothing(make_images: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    sets = open_training_sets([images(make_images, tmp_path / "set")], 4)
    written = 0

    def full_after_three(file: int, data: memoryview, offset: int, pwrite=os.pwrite) -> int:
        nonlocal written
        written += 1
        if written > 3:
            raise OSError(28, "No space left on device")
        return pwrite(file, data, offset)

    monkeypatch.setattr(pack_writer.os, "pwrite", full_after_three)
    with pytest.raises(UserError, match="Cannot write the pack: No space left on device"):
        pack(sets, 4, tmp_path / "cache", workers=1)
    (folder,) = (tmp_path / "cache" / "packs").iterdir()
    assert len((folder / "journal.jsonl").read_text().splitlines()) == 1
    monkeypatch.undo()
    assert bytes_of(pack(sets, 4, tmp_path / "cache")) == bytes_of(pack(sets, 4, tmp_path / "whole"))


def test_too_little_room_is_told_before_anything_is_written(make_images: Make, tmp_path: Path, monkeypatch):
    sets = open_training_sets([images(make_images, tmp_path / "set")], 4)
    monkeypatch.setattr(pack_writer.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(UserError, match=r"needs 0.00 GB more .* Choose a larger disk with --cache"):
        pack(sets, 4, tmp_path / "cache")
    assert not list(tmp_path.glob("cache/packs/*/*.bin"))


def test_huge_images_get_fewer_workers():
    sizes = np.array([10_000], dtype=np.int64)
    assert pack_writer.default_workers(pack_writer.Places(2, sizes, sizes)) == 1


def test_cache_is_named_by_option_then_environment_then_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("SAFMN_BENCH_CACHE", "/named")
    assert cache_folder(tmp_path) == tmp_path
    assert cache_folder() == Path("/named")
    monkeypatch.delenv("SAFMN_BENCH_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert cache_folder() == Path("/xdg/safmn-bench")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert cache_folder() == Path("/home/me/.cache/safmn-bench")


def test_prepare_packs_every_scale_and_says_where(make_images: Make, tmp_path: Path, capsys):
    folder = images(make_images, tmp_path / "set")
    options = ["--train-data", str(folder), "--cache", str(tmp_path / "cache"), "--scale", "2", "4"]
    assert main(options) == 0
    assert "4 images, 0 MB, packed in" in capsys.readouterr().out
    assert main(options) == 0
    assert "packed before" in capsys.readouterr().out
    assert len(list((tmp_path / "cache" / "packs").iterdir())) == 2


def test_a_pack_is_locked_as_a_run_is_and_that_of_the_dead_is_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Flock held on this machine alone where the cache lies on a network file system."""
    monkeypatch.setattr(locks, "WATCH_S", 0.3)
    folder = tmp_path / "packs" / "one"
    lock = tmp_path / "locks" / "one"
    with pack_writer.locked(folder):
        assert is_held(lock)
        with pytest.raises(Busy), held(lock):
            pass
    assert not lock.exists()
    lock.write_text('{"host": "elsewhere/1/2", "pid": 1, "since": "then", "token": "a"}')
    os.utime(lock, (1.0, 1.0))
    with pack_writer.locked(folder):
        assert is_held(lock)
