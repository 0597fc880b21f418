"""What a benchmark holds decides a run's configuration; folders from before that was written still go on."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml
from short_runs import arguments, folder_of

from safmn_bench.ablations.data.benchmarks import open_benchmark
from safmn_bench.ablations.data.lr_choice import LRChoice
from safmn_bench.ablations.run import main
from safmn_bench.ablations.scoring.score import Protocol, comparable, protocol_of
from safmn_bench.models.resize import lr_from_hr
from safmn_bench.profiling.common.images import read_image, write_png


@pytest.fixture
def scored(photographs: Path, tmp_path: Path) -> Path:
    """A benchmark with LR as bicubic makes it."""
    for name in ("0.png", "1.png"):
        (tmp_path / "B" / "HR").mkdir(parents=True, exist_ok=True)
        (tmp_path / "B" / "LR_x4").mkdir(parents=True, exist_ok=True)
        hr = read_image(photographs / "score" / name).rgb
        write_png(tmp_path / "B/HR" / name, hr)
        write_png(tmp_path / "B/LR_x4" / name, lr_from_hr(hr, 4))
    return tmp_path / "B"


def test_content_is_of_pixels_wherever_they_lie(scored: Path, photographs: Path):
    read, made = open_benchmark(scored, 4), open_benchmark(scored, 4, LRChoice(made=True))
    elsewhere = open_benchmark(photographs / "score", 4)
    assert read.content() == made.content() == elsewhere.content()
    assert read.content() != open_benchmark(scored, 2).content()


def test_other_lr_is_another_content(scored: Path):
    before = open_benchmark(scored, 4).content()
    lr = read_image(scored / "LR_x4/0.png").rgb.clone()
    lr[0, 0, 0] ^= 1
    write_png(scored / "LR_x4/0.png", lr)
    after = open_benchmark(scored, 4).content()
    assert (after.hr, after.lr == before.lr) == (before.hr, False)


# name: (choice, what the protocol says of LR, whether it compares with LR made here)
SAID = {
    "made": (LRChoice(made=True), "LR by MATLAB-style bicubic;", True),
    "read": (LRChoice(), "LR by MATLAB-style bicubic (read from files: B);", True),
    "not bicubic": (
        LRChoice(is_bicubic=False),
        "LR of B as given (not bicubic), else by MATLAB-style bicubic (read from files: B);",
        False,
    ),
}


@pytest.mark.parametrize("name", SAID)
def test_protocol_says_where_lr_came_from(scored: Path, name: str):
    choice, words, compares = SAID[name]
    text = protocol_of([open_benchmark(scored, 4, choice)], 4).text
    assert words in text
    assert (comparable(text) == Protocol(scale=4).text) == compares


def test_record_holds_lr_and_digests_and_other_lr_is_another_configuration(
    photographs: Path, small_variant: Path, scored: Path, tmp_path: Path, capsys
):
    call = [*arguments(photographs, small_variant, tmp_path / "out"), "--benchmarks", str(scored)]
    assert main(call) == 0
    record = json.loads((folder_of(tmp_path / "out", "one_block") / "record.json").read_text())
    assert record["data"]["lr"] == {"B": "LR read from B/LR_x4"}
    assert set(record["data"]["content"]["B"]) == {"hr", "lr"}
    assert main([*call, "--lr", "made"]) == 0  # the same pixels: finished already
    lr = lr_from_hr(read_image(scored / "HR/0.png").rgb, 4)
    write_png(scored / "LR_x4/0.png", torch.roll(lr, 1, 1))
    capsys.readouterr()
    assert main([*call, "--lr-is-not-bicubic"]) != 0
    assert "holds a run of another configuration (data.content.B.lr:" in capsys.readouterr().err


def test_a_folder_from_before_contents_were_written_goes_on(
    photographs: Path, small_variant: Path, tmp_path: Path, capsys
):
    call = arguments(photographs, small_variant, tmp_path)
    assert main(call) == 0
    folder = folder_of(tmp_path, "one_block")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    del config["data"]["content"]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
    record = json.loads((folder / "record.json").read_text())
    del record["data"]["content"], record["data"]["lr"], record["sha256"]
    (folder / "record.json").write_text(json.dumps(record | {"config_hash": "of before"}))
    assert main(call) == 0
    assert json.loads((folder / "record.json").read_text())["config_hash"] == "of before"


def test_another_process_knows_the_content_without_reading(scored: Path):
    benchmark = open_benchmark(scored, 4)
    content = benchmark.content()
    remade, values = benchmark.__reduce__()
    for path in scored.rglob("*.png"):
        path.unlink()
    assert remade(*values).content() == content
    assert replace(content, hr="") != content
