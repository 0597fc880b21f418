"""`load_runs` against the committed records: sizes and figures as the study's README and Table 3 print them."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import pytest
from made_records import made_record, scores_of, write_run

from safmn_bench.analysis.stats.frames import COST, RUN, SCORE, RunFrames, load_runs
from safmn_bench.models.errors import UserError

ROOT = Path(__file__).parents[3]
STUDY = ROOT / "results" / "ablation" / "cpu_amd_epyc-reduced_cpu"


@pytest.fixture(scope="module")
def study() -> RunFrames:
    return load_runs(str(STUDY))


def test_a_row_per_run_dataset_and_metric_and_another_per_image(study: RunFrames):
    assert len(study.scores) == 10 * 2 * 3 * 2  # networks, seeds, datasets, metrics
    assert len(study.images) == 10 * 2 * (5 + 14 + 100) * 2
    assert list(study.scores.columns) == [*RUN, *SCORE, *COST]
    assert list(study.images.columns) == [*RUN, *SCORE, "image"]
    assert not study.scores.duplicated(["variant", "scale", "seed", "dataset", "metric"]).any()
    assert not study.images.duplicated(["variant", "scale", "seed", "dataset", "metric", "image"]).any()
    assert study.scores.setting.nunique() == 1


def test_means_over_seeds_are_those_of_the_committed_table_3(study: RunFrames):
    means = study.scores.groupby(["variant", "dataset", "metric"]).score.mean()
    assert round(means["baseline", "B100", "psnr_y_db"], 3) == 26.745  # as the study's README prints it
    assert round(means["w_o_CCM", "Set5", "psnr_y_db"], 3) == 29.285
    with (STUDY / "table3.csv").open(newline="") as handle:
        rows = [row for row in csv.DictReader(handle) if row["measured_runs"]]
    assert len(rows) == 9  # n4 is in Table 4
    for row in rows:
        for dataset in ("Set5", "Set14", "B100"):
            for metric, field in (("psnr_y_db", "psnr_db"), ("ssim_y", "ssim")):
                figure = float(row[f"measured_{dataset}_{field}"])
                assert means[row["variant"], dataset, metric] == pytest.approx(figure, abs=1e-9), row["variant"]


def test_images_average_to_their_scores_and_bicubic_stands_beside_both(study: RunFrames):
    keys = ["variant", "seed", "dataset", "metric"]
    of_images = study.images.groupby(keys)[["score", "bicubic"]].mean()
    of_runs = study.scores.set_index(keys)[["score", "bicubic"]]
    assert (of_images - of_runs).abs().max().max() < 1e-9
    b100 = study.scores.query("dataset == 'B100' and metric == 'psnr_y_db'").bicubic
    assert [round(value, 3) for value in b100.unique()] == [25.961]


def test_an_image_without_a_number_is_nan_and_a_run_without_scores_has_no_row(tmp_path: Path):
    equal = scores_of(30.0, images=("a", "b"))
    equal["psnr_y_db"] = equal["images"]["a"]["psnr_y_db"] = None
    write_run(tmp_path, made_record("baseline", 0, {"Set5": equal}))
    write_run(tmp_path, made_record("sigmoid", 0, {"Set5": scores_of(29.0)}, bicubic={}))
    record = replace(made_record("w_o_LN", 0), status="collapsed", scores={})
    write_run(tmp_path, record)
    frames = load_runs(tmp_path)
    assert set(frames.scores.variant) == {"baseline", "sigmoid"}
    psnr = frames.scores.query("metric == 'psnr_y_db'").set_index("variant")
    assert psnr.score["baseline"] == 30.5  # of the finite image
    assert psnr.score["sigmoid"] == 29.0
    assert math.isnan(psnr.bicubic["sigmoid"])
    images = frames.images.query("metric == 'psnr_y_db' and variant == 'baseline'").set_index("image").score
    assert math.isnan(images["a"])
    assert images["b"] == 30.5


def test_an_empty_folder_is_told(tmp_path: Path):
    with pytest.raises(UserError, match="holds no finished run"):
        load_runs(tmp_path)


def test_every_column_is_documented_where_a_user_reads():
    told = (ROOT / "docs" / "reading.md").read_text()
    assert [name for name in (*RUN, *SCORE, *COST, "image") if f"`{name}`" not in told] == []
