"""FILE.csv.json: a measurement with its command, checksums, machine, versions, commit and date."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import torch

from safmn_bench.ablations.evaluate import main as evaluate
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.profiling.common.provenance import is_of, shortened
from safmn_bench.profiling.complexity import main as complexity


def test_scores_have_their_provenance_beside_them(make_images: Callable[..., Path], tmp_path: Path):
    (tmp_path / "tiny.yaml").write_text("model: {dim: 8, n_blocks: 1}\n")
    weights, scores = tmp_path / "w.pth", tmp_path / "scores.csv"
    torch.save({"params": SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2).state_dict()}, weights)
    photographs = make_images(tmp_path / "A", "a.png")
    options = ["--model", str(tmp_path / "tiny.yaml"), "--scale", "2", "--weights", str(weights)]
    assert evaluate([*options, "--benchmarks", str(photographs), "--csv", str(scores)]) == 0
    found = json.loads((tmp_path / "scores.csv.json").read_text())
    assert found["command"] == (
        "python ablations/evaluate.py --model tiny.yaml --scale 2 --weights w.pth --benchmarks A --csv scores.csv"
    )
    assert found["csv_sha256"] == hashlib.sha256(scores.read_bytes()).hexdigest()
    assert found["files"] == {"weights": {"name": "w.pth", "sha256": hashlib.sha256(weights.read_bytes()).hexdigest()}}
    assert found["machine"]["device"] == "cpu"
    assert found["versions"]["torch"] == torch.__version__
    assert {"commit", "date"} <= set(found)
    assert is_of(scores)
    scores.write_text(scores.read_text() + "\n")
    assert not is_of(scores)


def test_counts_have_their_provenance_beside_them(tmp_path: Path):
    (tmp_path / "tiny.yaml").write_text("model: {dim: 8, n_blocks: 1}\n")
    counts = tmp_path / "counts.csv"
    assert complexity(["--models", str(tmp_path / "tiny.yaml"), "--csv", str(counts)]) == 0
    found = json.loads((tmp_path / "counts.csv.json").read_text())
    assert found["command"] == "python profiling/complexity.py --models tiny.yaml --csv counts.csv"
    assert found["files"] == {}


def test_paths_are_told_by_their_last_part():
    assert [shortened(one) for one in ("/a/b/Set5/", "../w.pth", "--scale", "2")] == ["Set5", "w.pth", "--scale", "2"]
