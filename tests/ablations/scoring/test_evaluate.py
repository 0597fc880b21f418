"""evaluate.py by its contract: CSV, images, table, refusals."""

import contextlib
import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from safmn_bench.ablations.data.benchmarks import Pair
from safmn_bench.ablations.evaluate import main
from safmn_bench.ablations.scoring import score
from safmn_bench.models.peers.bicubic import Bicubic
from safmn_bench.models.resize import lr_from_hr
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.profiling.common.images import read_image

Make = Callable[..., Path]
SCRIPT = Path(__file__).parents[3] / "ablations" / "evaluate.py"


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_bicubic_writes_the_csv_of_the_contract_and_images(make_images: Make, tmp_path: Path, capsys):
    first = make_images(tmp_path / "A", "a1.png", "a2.png")
    second = make_images(tmp_path / "B" / "HR", "b.png")
    out, images = tmp_path / "new" / "s.csv", tmp_path / "sr"
    options = ["--csv", str(out), "--save-images", str(images)]
    assert main(["--model", "bicubic", "--scale", "2", "--benchmarks", str(first), str(second), *options]) == 0
    assert out.read_text().splitlines()[0] == "model,scale,weights,dataset,image,psnr_y_db,ssim_y"
    rows = rows_of(out)
    assert [(r["dataset"], r["image"]) for r in rows] == [
        *(("A", name) for name in ("a1", "a2", "mean")),
        *(("B", name) for name in ("b", "mean")),
    ]
    assert {(r["model"], r["scale"], r["weights"]) for r in rows} == {("bicubic", "2", "")}
    a1, a2, mean = (float(r["psnr_y_db"]) for r in rows[:3])
    assert mean == pytest.approx((a1 + a2) / 2, abs=1e-12)
    saved = read_image(images / "A" / "a1.png").rgb
    assert torch.equal(saved, Bicubic(scale=2).enlarge_uint8(lr_from_hr(read_image(first / "a1.png").rgb, 2)))
    printed = capsys.readouterr().out
    assert "Protocol x2: PSNR (dB) and SSIM of luma (BT.601, 16-235" in printed
    assert "LR made from HR by MATLAB-style bicubic" in printed


def test_variant_from_yaml_scores_its_weights_and_says_what_was_picked(make_images: Make, tmp_path: Path, capsys):
    (tmp_path / "tiny.yaml").write_text("model: {dim: 8, n_blocks: 1}\n")
    state = SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=3).state_dict()
    torch.save({"params": state, "params_ema": state}, tmp_path / "w.pth")
    folder = make_images(tmp_path / "A", "a.png")
    options = ["--weights", str(tmp_path / "w.pth"), "--csv", str(tmp_path / "s.csv"), "--tile", "8"]
    data = ["--benchmarks", str(folder)]
    assert main(["--model", str(tmp_path / "tiny.yaml"), "--scale", "3", *data, *options]) == 0
    assert {r["model"] for r in rows_of(tmp_path / "s.csv")} == {"tiny"}
    printed = capsys.readouterr().out
    assert "key `params_ema` (also there: params)" in " ".join(printed.split())
    assert "A/a was scored in tiles of 8 LR pixels with an overlap of 24" in printed
    assert "Scored in its fast form" in printed
    assert json.loads((tmp_path / "s.csv.json").read_text())["form"] == "fast form"


def test_scores_without_benchmarks_are_of_the_embedded_photographs(capsys):
    assert main(["--model", "Bicubic", "--scale", "4"]) == 0
    assert "astronaut" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--model", "w_o_MRR"], "No variant or model 'w_o_MRR'. Did you mean 'w_o_MR'"),
        (["--model", "safmn"], "safmn needs --weights FILE"),
        (["--model", "bicubic", "--weights", "x.pth"], "bicubic has no weights"),
        (["--model", "bicubic", "--device", "gpu"], "No device 'gpu'. Allowed: auto, cpu, cuda"),
        (["--model", "bicubic", "--device", "cuda:99"], "Device 'cuda:99' is not there"),
        (["--model", "bicubic", "--csv", "."], "it is a folder"),
        (["--model", "bicubic", "--benchmarks", "nowhere"], "Benchmark folder nowhere does not exist"),
        (["--model", "safmn", "--weights", "nowhere.pth"], "Cannot read nowhere.pth: No such file"),
    ],
)
def test_wrong_calls_are_one_paragraph_and_status_2(options: list[str], message: str, capsys):
    assert main(options) == 2
    error = capsys.readouterr().err
    assert message in " ".join(error.split())
    assert len(error.splitlines()) == 1


def test_script_says_how_to_install_where_the_package_is_missing(tmp_path: Path):
    command = [sys.executable, "-S", "-E", str(SCRIPT), "--help"]  # -S: no site-packages
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 2
    assert "make setup" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_rows_of_a_stopped_evaluation_stay_in_the_partial_file(make_images: Make, tmp_path: Path, monkeypatch, capsys):
    """The second image is never scored: the first one's row is kept, and no whole CSV is pretended."""
    folder, rows = make_images(tmp_path / "Two", "a.png", "b.png"), tmp_path / "scores.csv"
    whole = score.image_score

    def stopped(pair: Pair, sr: torch.Tensor, protocol: score.Protocol) -> score.ImageScore:
        if pair.name == "b":
            raise KeyboardInterrupt
        return whole(pair, sr, protocol)

    monkeypatch.setattr(score, "image_score", stopped)
    with contextlib.suppress(KeyboardInterrupt):
        main(["--model", "bicubic", "--scale", "2", "--benchmarks", str(folder), "--csv", str(rows), "--device", "cpu"])
    assert not rows.exists()
    lines = (tmp_path / "scores.csv.partial").read_text().splitlines()
    assert [line.split(",")[4] for line in lines] == ["image", "a"]
    assert "scores.csv.partial keeps the rows that were done: 1." in capsys.readouterr().err
