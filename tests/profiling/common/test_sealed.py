"""Sealed JSON, and what is remembered: what does not serve is made again; no flipped bit gives another number."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from safmn_bench.ablations.data.benchmarks import Benchmark, open_benchmarks
from safmn_bench.ablations.runs import running
from safmn_bench.ablations.runs.running import bicubic_scores
from safmn_bench.ablations.scoring.score import Protocol
from safmn_bench.models.keeping import cache_folder
from safmn_bench.models.variants import VARIANTS
from safmn_bench.profiling.common import sealed
from safmn_bench.profiling.common.sealed import Damaged, read_sealed, recalled, remember, write_sealed
from safmn_bench.profiling.counting import flops

VALUES = {"text": "caf\udce9 ä", "number": 0.1 + 0.2, "many": [1, 2.5, None, True], "in": {"b": 1, "a": {}}}


def test_what_is_sealed_reads_back_as_it_was(tmp_path: Path):
    write_sealed(tmp_path / "a.json", VALUES)
    assert read_sealed(tmp_path / "a.json") == VALUES


def test_the_order_of_keys_and_blanks_are_no_damage(tmp_path: Path):
    write_sealed(tmp_path / "a.json", VALUES)
    values = json.loads((tmp_path / "a.json").read_text())
    (tmp_path / "a.json").write_text(json.dumps(dict(reversed(values.items()))))
    assert read_sealed(tmp_path / "a.json") == VALUES


def test_a_digest_may_be_missing_where_none_is_required(tmp_path: Path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_sealed(tmp_path / "a.json", required=False) == {"a": 1}
    with pytest.raises(Damaged, match="it has no digest"):
        read_sealed(tmp_path / "a.json")


JUNK: dict[str, bytes] = {
    "nothing": b"",
    "half": b'{"psnr_y_db": 30.0, ',
    "a list": b"[]",
    "null": b"null",
    "zeros": bytes(100),
    "no UTF-8": b"\xff\xfe",
    "NaN": b'{"psnr_y_db": NaN}',
    "no digest": b'{"psnr_y_db": 30.0, "ssim_y": 0.9, "images": {}}',
    "a wrong digest": b'{"psnr_y_db": 30.0, "ssim_y": 0.9, "images": {}, "sha256": "00"}',
    "brackets without end": b"[" * 50_000,
}


@pytest.fixture
def benchmark(photographs: Path) -> Benchmark:
    return open_benchmarks([photographs / "score"], 4)[0]


@pytest.fixture
def memory(benchmark: Benchmark, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that remembers bicubic on the benchmark."""
    monkeypatch.setenv("SAFMN_BENCH_CACHE", str(tmp_path / "cache"))
    bicubic_scores(benchmark, Protocol(scale=4))
    (path,) = (cache_folder() / "bicubic").iterdir()
    return path


@pytest.mark.parametrize("name", JUNK)
def test_bicubic_is_scored_again_where_the_memory_does_not_serve(benchmark: Benchmark, memory: Path, name: str):
    whole = memory.read_bytes()
    memory.write_bytes(JUNK[name])
    scores = bicubic_scores(benchmark, Protocol(scale=4))
    assert memory.read_bytes() == whole
    assert scores == {key: value for key, value in json.loads(whole).items() if key != "sha256"}


def test_sealed_memory_of_another_shape_is_scored_again(benchmark: Benchmark, memory: Path):
    whole = memory.read_bytes()
    for values in ({}, {"psnr_y_db": "30", "images": {}}, {"images": 3}, {"psnr_y_db": 30.0, "images": {"a": 1}}):
        write_sealed(memory, values)
        bicubic_scores(benchmark, Protocol(scale=4))
        assert memory.read_bytes() == whole


def test_a_hundred_flipped_bits_in_the_memory_of_bicubic_give_no_other_score(
    benchmark: Benchmark, memory: Path, monkeypatch: pytest.MonkeyPatch
):
    """Scoring again is exchanged for a mark: what is recalled is right, or nothing is."""
    content, right, again = memory.read_bytes(), bicubic_scores(benchmark, Protocol(scale=4)), []
    monkeypatch.setattr(running, "recalled", lambda path, read: recalled(path, read) or again.append(path) or right)
    rng = random.Random(0)
    for _ in range(100):
        bit, flipped = rng.randrange(8 * len(content)), bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        memory.write_bytes(flipped)
        assert bicubic_scores(benchmark, Protocol(scale=4)) == right
    assert len(again) >= 60


@pytest.mark.parametrize("name", JUNK)
def test_a_count_is_made_again_where_the_memory_does_not_serve(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    counted = flops.complexity(VARIANTS["w_o_CCM"], 4)
    monkeypatch.setenv("SAFMN_BENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(flops, "count", lambda *_: counted)
    flops.complexity(VARIANTS["w_o_CCM"], 4)
    (memory,) = (tmp_path / "complexity").iterdir()
    memory.write_bytes(JUNK[name])
    assert flops.complexity(VARIANTS["w_o_CCM"], 4) == counted
    assert flops.recalled(memory, flops._counted) == counted


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_regular_file_is_not_recalled(tmp_path: Path, make: Callable[[Path], object]):
    make(tmp_path / "a.json")
    assert recalled(tmp_path / "a.json", dict) is None


def test_a_cache_that_cannot_be_written_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(sealed, "_told", set())
    (tmp_path / "cache").write_text("")
    for name in ("a", "b"):
        remember(tmp_path / "cache" / name, {"a": 1})
    error = capsys.readouterr().err
    assert error.count("note: nothing is remembered, and all is computed again next time. Cannot write") == 1
