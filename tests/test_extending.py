"""What it takes to add something: the proof, for each kind, that one entry reaches everything that walks over it."""

import csv
import json
from pathlib import Path

import pytest
import torch
from made_records import made_record, scores_of, write_run
from short_runs import arguments, folder_of
from torch import nn

from safmn_bench.ablations.evaluate import main as evaluate
from safmn_bench.ablations.metrics import METRICS, Compared, Digits, Metric
from safmn_bench.ablations.record import RunFolder
from safmn_bench.ablations.run import main as run
from safmn_bench.ablations.scoring.score import Protocol, comparable
from safmn_bench.analysis.findings.rows import budgets, ranking
from safmn_bench.analysis.findings.runs import read_study
from safmn_bench.analysis.report import main as report
from safmn_bench.analysis.stats.entries import FIGURES, Figure
from safmn_bench.analysis.stats.groups import measure
from safmn_bench.analysis.stats.reading import find_runs
from safmn_bench.analysis.tables import main as tables
from safmn_bench.models.blocks import NORMS
from safmn_bench.models.catalog import MODELS, Model
from safmn_bench.profiling.complexity import main as complexity


def mean_absolute_error(pair: Compared) -> float:
    """In grey levels, of R, G and B; written for small images here, with its own way of leaving the border out."""
    inside = (slice(None), *[slice(pair.border_px, -pair.border_px)] * 2)
    return (pair.sr[inside].double() - pair.hr[inside].double()).abs().mean().item()


MAE = Metric(
    name="mae_rgb", label="MAE-RGB", title="MAE", field="mae", unit="levels", digits=Digits(3, 3, 3, 3), better=-1,
    function=mean_absolute_error, definition="MAE (grey levels) over R, G and B",
)  # fmt: skip


@pytest.fixture
def mae(monkeypatch: pytest.MonkeyPatch) -> Metric:
    """The entry: nothing else is told of the metric."""
    monkeypatch.setitem(METRICS, MAE.name, MAE)
    return MAE


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_a_metric_is_one_entry_record_validation_and_sweep(
    mae: Metric, photographs: Path, small_variant: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    out = tmp_path / "out"
    assert run([*arguments(photographs, small_variant, out), "--metrics", "mae_rgb"]) == 0
    folder = RunFolder(folder_of(out, "one_block"))
    record = json.loads(folder.record.read_text())
    for scores in (record["scores"]["score"], record["bicubic"]["score"]):
        assert list(scores) == ["psnr_y_db", "ssim_y", "mae_rgb", "images"]
        assert [list(image) for image in scores["images"].values()] == [["psnr_y_db", "ssim_y", "mae_rgb"]] * 2
        assert 0 < scores["mae_rgb"] < 128
    assert record["protocol"].endswith(" Further: MAE (grey levels) over R, G and B.")
    assert "metrics:\n- mae_rgb\n" in folder.config.read_text()
    assert list(rows_of(folder.validation)[0]) == ["iteration", "dataset", "psnr_y_db", "ssim_y", "mae_rgb"]
    (line,) = rows_of(out / "sweep.csv")
    assert float(line["score_mae_rgb"]) == record["scores"]["score"]["mae_rgb"]
    assert "MAE" in capsys.readouterr().out

    scored, weights = tmp_path / "scores.csv", str(folder.weights)
    call = ["--model", str(small_variant), "--weights", weights, "--benchmarks", str(photographs / "score")]
    assert evaluate([*call, "--metrics", "mae_rgb", "--csv", str(scored)]) == 0
    (mean,) = (row for row in rows_of(scored) if row["image"] == "mean")
    assert float(mean["mae_rgb"]) == pytest.approx(record["scores"]["score"]["mae_rgb"], abs=1e-3)
    assert "MAE-RGB [levels]" in capsys.readouterr().out

    assert run(arguments(photographs, small_variant, out)) == 2  # without it, it would be another configuration
    assert "metrics: ['mae_rgb'] there, None asked for" in capsys.readouterr().err


def made_runs(out: Path) -> None:
    """Three networks, two seeds each, scored by the metric too: w_o_FM's is better, w_o_MR's worse."""
    for variant, db, error in (("baseline", 30.0, 4.0), ("w_o_FM", 29.9, 3.5), ("w_o_MR", 29.5, 4.6)):
        for seed in (0, 1):
            scores = scores_of(db + 0.01 * seed)
            images = {
                name: {**image, "mae_rgb": error + 0.1 * place + 0.001 * seed}
                for place, (name, image) in enumerate(scores["images"].items())
            }
            mean = sum(image["mae_rgb"] for image in images.values()) / len(images)
            changes = {"scores": {"Manga109": {**scores, "mae_rgb": mean, "images": images}}}
            enlarged = scores_of(24.89)
            of_bicubic = {name: {**image, "mae_rgb": 9.0} for name, image in enlarged["images"].items()}
            changes["bicubic"] = {"Manga109": {**enlarged, "mae_rgb": 9.0, "images": of_bicubic}}
            protocol = Protocol(scale=4, further=("mae_rgb",)).text
            write_run(out, made_record(variant, seed, protocol=protocol, **changes))


def test_a_metric_is_one_entry_table_3_report_and_statistics(mae: Metric, tmp_path: Path):
    made_runs(tmp_path)
    for form, name in (("csv", "3.csv"), ("markdown", "3.md"), ("latex", "3.tex")):
        call = ["--table", "3", "--runs", str(tmp_path), "--format", form, "--out", str(tmp_path / name)]
        assert tables(call) == 0
    by_variant = {row["variant"]: row for row in rows_of(tmp_path / "3.csv")}
    assert float(by_variant["baseline"]["measured_Manga109_mae"]) == pytest.approx(4.2505)
    assert float(by_variant["w_o_FM"]["measured_Manga109_mae_delta"]) == pytest.approx(-0.5)
    assert by_variant["w_o_FM"]["measured_Manga109_mae_delta_verdict"] == ""  # it stands
    assert r"measured: Manga109 MAE \[levels\]" in (tmp_path / "3.md").read_text()
    assert "**3.751**" in (tmp_path / "3.md").read_text()  # the least is best
    assert "MAE" in (tmp_path / "3.tex").read_text()

    rows = {row.name: row for row in measure([record for _, record in find_runs(tmp_path)], 4)}
    judged = rows["w_o_MR"].comparisons["Manga109", "mae_rgb"]
    assert (judged.difference, judged.verdict, judged.seeds, judged.images) == (pytest.approx(0.6), "", 2, 6)

    study = read_study(tmp_path)
    assert {row["metric"] for row in budgets(study)} == {"psnr_y_db", "ssim_y", "mae_rgb"}
    assert {row["metric"] for row in ranking(study)} == {"psnr_y_db", "ssim_y"}  # the paper has no figure of it

    assert report(["--runs", str(tmp_path), "--no-lam", "--images", "0", "--out", str(tmp_path / "page")]) == 0
    page = (tmp_path / "page" / "index.html").read_text()
    assert "Manga109 MAE-RGB" in page
    assert "Δ MAE-RGB" in page
    assert "-0.500" in page


def test_runs_with_and_without_a_further_metric_compare_in_what_they_share(tmp_path: Path):
    protocol = Protocol(scale=4, further=("psnr_rgb_db",)).text
    more = {"Manga109": {**scores_of(29.5), "psnr_rgb_db": 28.0}}
    for image in more["Manga109"]["images"].values():
        image["psnr_rgb_db"] = 28.0
    records = [made_record("baseline", 0), made_record("w_o_FM", 0, more, protocol=protocol)]
    rows = {row.name: row for row in measure(records, 4)}
    assert rows["baseline"].setting == rows["w_o_FM"].setting
    assert comparable(protocol) == Protocol(scale=4).text
    assert rows["w_o_FM"].comparisons["Manga109", "psnr_y_db"].difference == pytest.approx(-0.5)
    assert ("Manga109", "psnr_rgb_db") not in rows["w_o_FM"].comparisons


def test_a_column_of_table_3_is_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    hours = Figure(of=lambda one: sum(r.train_seconds for r in one.records), title="training", unit="[h]", digits=2,
                   divisor=3600)  # fmt: skip
    monkeypatch.setitem(FIGURES, "train_seconds", hours)
    for seed in (0, 1):
        write_run(tmp_path, made_record("w_o_FM", seed, train_seconds=4500.0))
    for form, name in (("csv", "3.csv"), ("markdown", "3.md"), ("latex", "3.tex")):
        call = ["--table", "3", "--runs", str(tmp_path), "--format", form, "--out", str(tmp_path / name)]
        assert tables(call) == 0
    (row,) = (row for row in rows_of(tmp_path / "3.csv") if row["variant"] == "w_o_FM")
    assert row["measured_train_seconds"] == "9000.0"
    assert r"measured: training \[h\]" in (tmp_path / "3.md").read_text()
    assert "| 2.50 |" in (tmp_path / "3.md").read_text()
    assert "training" in (tmp_path / "3.tex").read_text()


class Halved(nn.Module):
    """A norm without parameters."""

    def __init__(self, dim: int) -> None:
        super().__init__()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / 2


def test_a_norm_is_one_entry_from_a_variant_file_to_its_record(
    monkeypatch: pytest.MonkeyPatch, photographs: Path, tmp_path: Path
):
    monkeypatch.setitem(NORMS, "halved", Halved)
    variant = tmp_path / "halved.yaml"
    variant.write_text("model: {n_blocks: 1, dim: 8, norm: halved}\n")
    assert run(arguments(photographs, variant, tmp_path / "out")) == 0
    record = json.loads(RunFolder(folder_of(tmp_path / "out", "halved")).record.read_text())
    assert record["config"]["norm"] == "halved"
    assert record["status"] == "finished"
    # by hand, of one block of dim 8 at x4: 3x3 convolutions 3 -> 8 and 8 -> 48; four 3x3 depthwise on 2 channels, a 1x1
    # on 8; 3x3 8 -> 16 and 1x1 16 -> 8; and nothing for the norm
    assert record["params"] == (224 + 3504) + (4 * 20 + 72) + (1168 + 136)


class Tripled(nn.Module):
    """A network of the literature, as models/peers has one."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.scale = scale
        self.body = nn.Conv2d(3, 3 * scale**2, 3, 1, 1)

    def forward(self, rgb: torch.Tensor) -> torch.Tensor:
        return nn.functional.pixel_shuffle(self.body(rgb), self.scale)


def test_a_peer_is_one_entry_counted_trained_scored_and_in_table_1(
    monkeypatch: pytest.MonkeyPatch, photographs: Path, tmp_path: Path
):
    peer = Model(name="tripled", label="Tripled", scales=(2, 3, 4), build=lambda scale: Tripled(scale))
    monkeypatch.setitem(MODELS, "tripled", peer)
    assert complexity(["--models", "tripled", "--csv", str(tmp_path / "counts.csv")]) == 0
    (counts,) = rows_of(tmp_path / "counts.csv")
    assert (counts["model"], counts["params"]) == ("Tripled", str(28 * 48))
    assert counts["flops"] == str(27 * 48 * 320 * 180)

    out = tmp_path / "out"
    call = arguments(photographs, "-", out)
    call[:2] = ["--model", "TRIPLED"]
    assert run(call) == 0
    weights = RunFolder(folder_of(out, "tripled")).weights
    scored = ["--benchmarks", str(photographs / "score"), "--csv", str(tmp_path / "scores.csv")]
    assert evaluate(["--model", "tripled", "--weights", str(weights), *scored]) == 0
    assert {row["model"] for row in rows_of(tmp_path / "scores.csv")} == {"tripled"}
    assert tables(["--table", "1", "--runs", str(out), "--format", "csv", "--out", str(tmp_path / "1.csv")]) == 0
    assert [row["measured_params"] for row in rows_of(tmp_path / "1.csv") if row["method"] == "tripled"] == ["1344"]
