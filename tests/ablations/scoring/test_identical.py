"""Images that are reproduced exactly have no finite PSNR: one rule for the mean, the same at every door."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from made_records import made_record, write_run

from safmn_bench.ablations import evaluate
from safmn_bench.ablations.metrics import METRICS, finite_mean
from safmn_bench.ablations.record import RunFolder
from safmn_bench.ablations.records import read_record
from safmn_bench.ablations.scoring.score import ImageScore, Scores
from safmn_bench.ablations.sweeps.summary import print_summary
from safmn_bench.analysis import report, study, tables
from safmn_bench.profiling.common.images import write_png

INF = float("inf")
# (PSNR of each image, mean, what it is of)
MEANS: list[tuple[list[float], float, str]] = [
    ([30.0, 32.0], 31.0, "mean of 2"),
    ([30.0, INF], 30.0, "mean of 1 finite images; 1 identical"),
    ([INF, 30.0, 32.0, INF], 31.0, "mean of 2 finite images; 2 identical"),
    ([INF, INF], INF, "mean of 0 finite images; 2 identical"),
]


def scores_of(values: list[float]) -> Scores:
    images = [ImageScore(str(i), {"psnr_y_db": value, "ssim_y": 1.0}) for i, value in enumerate(values)]
    return Scores("Set", tuple(images))


@pytest.mark.parametrize(("values", "mean", "words"), MEANS)
def test_the_mean_is_of_the_finite_images_and_says_so(values: list[float], mean: float, words: str):
    found = scores_of(values)
    assert (found["psnr_y_db"], found["ssim_y"], found.mean_of) == (mean, 1.0, words)
    written = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert written["psnr_y_db"] == (None if mean == INF else mean)
    assert [image["psnr_y_db"] for image in written["images"].values()] == [None if v == INF else v for v in values]
    assert finite_mean(image["psnr_y_db"] for image in written["images"].values()) == mean


def test_records_from_before_get_the_same_mean(tmp_path: Path):
    old = scores_of([30.0, INF]).to_dict() | {"psnr_y_db": None}
    folder = write_run(tmp_path, made_record(scores={"Manga109": old}, bicubic={"Manga109": old}))
    record = read_record(RunFolder(folder.path))
    assert record is not None
    assert record.scores["Manga109"]["psnr_y_db"] == record.bicubic["Manga109"]["psnr_y_db"] == 30.0


def runs(folder: Path, values: list[float]) -> Path:
    """Three networks, two seeds each; the second network reproduces images."""
    for variant in ("baseline", "w_o_FM", "w_SE"):
        for seed in (0, 1):
            own = values if variant == "w_o_FM" else [30.0 + seed / 10] * len(values)
            scores: dict[str, Any] = {"Manga109": scores_of(own).to_dict()}
            bicubic = {"Manga109": scores_of([24.0] * (len(values) - 1) + [INF]).to_dict()}
            data = {"train": {"sets": [], "images": 3, "content": "c"}, "placement": "in memory"}
            changes = {"bicubic": bicubic, "config_hash": f"{variant}{seed}", "data": data}
            write_run(folder, made_record(variant, seed, scores=scores, **changes))
    return folder


@pytest.mark.parametrize("values", [[31.0, INF, 32.0], [INF, INF, INF]], ids=["some", "all"])
def test_nothing_ends_in_a_trace_over_it(tmp_path: Path, values: list[float], capsys):
    folder = runs(tmp_path / "runs", values)
    for form in ("csv", "markdown", "latex"):
        assert tables.main(["--table", "3", "--runs", str(folder), "--format", form]) == 0
    count = sum(value == INF for value in values)
    said = f"Identical to HR, and left out of the mean PSNR: w_o_FM on Manga109 ({count} of 3 images)."
    assert said in capsys.readouterr().out.replace("\\_", "_")
    assert report.main(["--runs", str(folder), "--images", "0", "--no-lam", "--out", str(tmp_path / "page")]) == 0
    assert said in (tmp_path / "page" / "index.html").read_text()
    assert study.main(["--runs", str(folder), "--records-only"]) == 0
    assert "Identical to HR" in (folder / "README.md").read_text()
    records = [record for path in folder.rglob("record.json") if (record := read_record(RunFolder(path.parent)))]
    print_summary(records)


def test_evaluate_prints_the_rule_and_writes_inf_for_the_image_alone(tmp_path: Path, capsys):
    flat, rough = torch.full((3, 64, 64), 100, dtype=torch.uint8), torch.randint(0, 256, (3, 64, 64)).to(torch.uint8)
    (tmp_path / "S").mkdir()
    write_png(tmp_path / "S/flat.png", flat)
    write_png(tmp_path / "S/rough.png", rough)
    call = ["--model", "bicubic", "--scale", "2", "--benchmarks", str(tmp_path / "S"), "--csv", str(tmp_path / "s.csv")]
    assert evaluate.main(call) == 0
    assert "mean of 1 finite images; 1 identical" in capsys.readouterr().out
    rows = [line.split(",") for line in (tmp_path / "s.csv").read_text().splitlines()]
    assert [row[4] for row in rows[1:]] == ["flat", "rough", "mean"]
    assert (rows[1][5], rows[3][5]) == ("inf", rows[2][5])
    assert set(METRICS) >= {"psnr_y_db", "ssim_y"}
