"""Conventions that public results use beside the usual protocol: self-ensemble, and HR cropped to a multiple of 12."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from safmn_bench.ablations.data.benchmarks import cropped, open_benchmark
from safmn_bench.ablations.evaluate import main
from safmn_bench.ablations.scoring.score import Protocol, SelfEnsemble, score
from safmn_bench.analysis.stats.entries import entries_from
from safmn_bench.analysis.stats.profiles import read_profiles
from safmn_bench.models.resize import lr_from_hr
from safmn_bench.models.safmn import SAFMN, SAFMNConfig

Make = Callable[..., Path]


class Slanted(nn.Module):
    """Nearest enlargement of the image moved right by one pixel: different in every orientation."""

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return rgb.roll(1, -1).repeat_interleave(2, -1).repeat_interleave(2, -2)


def test_self_ensemble_turns_every_orientation_back():
    rgb = torch.rand(1, 3, 4, 6)
    moved = [rgb.roll(shift, axis) for axis in (-1, -2) for shift in (1, -1)]  # each of the four directions, twice
    expected = torch.stack(moved).mean(0).repeat_interleave(2, -1).repeat_interleave(2, -2)
    assert torch.allclose(SelfEnsemble(Slanted())(rgb), expected, atol=1e-6)


def test_self_ensemble_leaves_the_network_in_its_mode(make_images: Make, tmp_path: Path):
    network = SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2).eval()
    benchmark = open_benchmark(make_images(tmp_path / "A", "a.png"), 2)
    score(network, benchmark, Protocol(scale=2, self_ensemble=True), torch.device("cpu"))
    assert not network.training


def test_both_stand_in_the_protocols_text_and_in_the_usual_one_neither():
    text = Protocol(scale=2, self_ensemble=True, crop_multiple=12).text
    assert "the mean over the eight flips and rotations of LR (self-ensemble)" in text
    assert "HR cropped to a multiple of 12, LR by MATLAB-style bicubic" in text
    assert Protocol(scale=4, crop_multiple=4).conventions == Protocol(scale=4).conventions == ""
    assert Protocol(scale=4, crop_multiple=4).text == Protocol(scale=4).text


def test_hr_is_cropped_and_lr_made_of_what_is_left(make_images: Make, tmp_path: Path):
    benchmark = cropped(open_benchmark(make_images(tmp_path / "A", "a.png", height=50, width=66), 2), 12)
    (pair,) = benchmark.pairs()
    assert pair.hr.shape == (3, 48, 60)
    assert torch.equal(pair.lr, lr_from_hr(pair.hr, 2))


def test_given_lr_is_kept_where_nothing_is_cropped(shared: Callable[[str], Path]):
    folder = shared("data/benchmarks/Set5")
    usual = {pair.name: pair for pair in open_benchmark(folder, 2).pairs()}
    for pair in cropped(open_benchmark(folder, 2), 12).pairs():
        other = usual[pair.name]
        assert pair.hr.shape == tuple([3, *(side // 12 * 12 for side in other.hr.shape[1:])])
        if pair.hr.shape == other.hr.shape:
            assert torch.equal(pair.lr, other.lr)


@pytest.mark.parametrize(("multiple", "words"), [(9, "is no multiple of the scale 2"), (60, "is too small")])
def test_a_multiple_that_cannot_be_is_refused(multiple: int, words: str, make_images: Make, tmp_path: Path, capsys):
    folder = make_images(tmp_path / "A", "a.png", height=50, width=66)
    call = ["--model", "bicubic", "--scale", "2", "--benchmarks", str(folder), "--crop-multiple", str(multiple)]
    assert main(call) == 2
    assert words in capsys.readouterr().err


def test_such_scores_are_told_apart_and_never_fill_a_row_of_the_paper(make_images: Make, tmp_path: Path, capsys):
    (tmp_path / "tiny.yaml").write_text("model: {dim: 8, n_blocks: 1}\n")
    torch.save(SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2).state_dict(), tmp_path / "w.pth")
    folder = make_images(tmp_path / "A", "a.png", height=50, width=66)
    call = ["--model", str(tmp_path / "tiny.yaml"), "--weights", str(tmp_path / "w.pth"), "--scale", "2"]
    call += ["--benchmarks", str(folder)]
    files = [tmp_path / "usual.csv", tmp_path / "plus.csv"]
    assert main([*call, "--csv", str(files[0])]) == 0
    assert main([*call, "--csv", str(files[1]), "--self-ensemble", "--crop-multiple", "12"]) == 0
    assert "(self-ensemble)" in capsys.readouterr().out
    with files[1].open(newline="") as handle:
        assert {row["conventions"] for row in csv.DictReader(handle)} == {
            "self-ensemble; HR cropped to a multiple of 12"
        }
    usual, plus = entries_from([], read_profiles(files))
    assert (usual.main, usual.label, plus.main) == (True, "tiny (w.pth)", False)
    assert plus.label == "tiny (w.pth, self-ensemble; HR cropped to a multiple of 12)"
    assert usual.scores != plus.scores
