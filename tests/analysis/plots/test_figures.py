"""Figures 1, 5, 6, 7: the numbers they show, the text in their SVG, labels that do not overlap, refusals."""

import math
import re
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from made_records import made_record, scores_of, write_run
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from torch import nn

from safmn_bench.ablations.image_quality import luma_plane
from safmn_bench.ablations.scoring.score import ImageScore
from safmn_bench.analysis.figures import main
from safmn_bench.analysis.plots import command as plots_command
from safmn_bench.analysis.plots import loss_curves, loss_differences, tradeoff, visual_comparison
from safmn_bench.analysis.plots.command import curves_of
from safmn_bench.analysis.plots.comparisons import delta_figure
from safmn_bench.analysis.plots.feature_maps import features
from safmn_bench.analysis.plots.label_placement import Anchor, Box, line_to, place
from safmn_bench.analysis.plots.loss_curves import Curve, band, smoothed
from safmn_bench.analysis.plots.style import COLOURS, label, save, style
from safmn_bench.analysis.plots.tradeoff_points import MEASURED, MIXED, PUBLISHED, Point, pareto_front, tradeoff_points
from safmn_bench.analysis.plots.visual_comparison import Crop, CropBox, crops_of
from safmn_bench.analysis.stats.entries import entries_from
from safmn_bench.analysis.stats.groups import measure
from safmn_bench.analysis.stats.profiles import Profiles
from safmn_bench.models.resize import bicubic_uint8, lr_from_hr
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.profiling.common.files import write_text
from safmn_bench.profiling.common.images import read_image

HOSTILE = r"<script>$x_1$ & %\frac"


def curve(*losses: float, seed: int = 0, collapsed_at: int | None = None) -> Curve:
    return Curve(seed, np.arange(1.0, len(losses) + 1), np.array(losses), collapsed_at)


def svg_text(path: Path) -> str:
    """All text of an SVG, unescaped."""
    found = re.findall(r"<text[^>]*>(.*?)</text>", path.read_text(), re.DOTALL)
    plain = " ".join(re.sub(r"<[^>]+>", "", text).strip() for text in found)
    return plain.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def point(label: str, cost: float, psnr: float, params_k: float = 100.0, source: str = PUBLISHED) -> Point:
    return Point(label=label, cost=cost, score=psnr, params_k=params_k, source=source)


def test_pareto_front_has_what_nothing_beats_in_both():
    points = [point(*one) for one in [("a", 1, 30.0), ("b", 2, 31.0), ("c", 3, 30.5), ("d", 4, 31.0), ("e", 4, 32.0)]]
    assert [one.label for one in pareto_front(points)] == ["a", "b", "e"]
    assert [one.label for one in pareto_front([point("x", 2, 30.0), point("y", 2, 31.0)])] == ["y"]


def test_published_front_at_x2_on_set5_is_that_of_table_1():
    points = tradeoff_points("flops", [], Profiles(), scale=2, dataset="Set5")
    assert len(points) == 15  # all rows of Table 1 at x2 but bicubic, which has no FLOPs
    assert [(p.label, p.cost, p.score) for p in pareto_front(points)] == [
        *(("ESPCN", 5, 36.83), ("FSRCNN", 6, 37.0), ("LapSRN", 30, 37.52), ("SAFMN", 52, 38.0)),
        ("ShuffleMixer", 91, 38.01),
    ]


def test_measured_points_have_measured_figures_and_mixed_ones_say_so():
    entries = entries_from(measure([made_record("w_o_FM", scores={"Set5": scores_of(31.5)})], 4), Profiles())
    points = tradeoff_points("flops", entries, Profiles(), scale=4, dataset="Set5")
    assert [p for p in points if p.source == MEASURED] == [point("w_o_FM", 13.55491584, 31.5, 239.52, MEASURED)]
    row = {"scale": "4", "median_ms": "7.5", "implementation": "eager", "dtype": "float32"}
    timed = Profiles(latency=[{"model": "imdn", **row}, {"model": "w_o_FM", **row}])
    points = tradeoff_points("latency", entries, timed, scale=4, dataset="Set5")
    assert [p for p in points if p.source != PUBLISHED] == [
        point("imdn (eager, float32)", 7.5, 32.21, 715, MIXED),
        point("w_o_FM (eager, float32)", 7.5, 31.5, 239.52, MEASURED),
    ]


def overlap(one: Box, other: Box) -> float:
    """The area that two boxes share."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.top, other.top) - max(one.bottom, other.bottom)
    return max(0.0, width) * max(0.0, height)


def test_labels_of_a_crowd_neither_overlap_nor_leave_the_frame():
    rng = np.random.default_rng(0)
    anchors = [Anchor(float(x), float(y), 5.0, 40.0, 8.0) for x, y in rng.uniform((100, 100), (300, 200), (15, 2))]
    frame = Box(0, 0, 400, 300)
    boxes = place(anchors, frame)
    assert all(overlap(a, b) == 0 for a, b in combinations(boxes, 2))
    assert all(overlap(box, frame) == pytest.approx(box.area) for box in boxes)
    assert all(overlap(box, anchor.box) == 0 for box in boxes for anchor in anchors)


@pytest.mark.parametrize("seed", [1, 6, 8, 9])
def test_lines_to_labels_run_through_no_other_label(seed: int):
    rng = np.random.default_rng(seed)
    anchors = [Anchor(float(x), float(y), 4.0, 40.0, 8.0) for x, y in rng.uniform((150, 120), (250, 180), (14, 2))]
    boxes = place(anchors, Box(0, 0, 400, 300))
    lines = [line_to(anchor, box) for anchor, box in zip(anchors, boxes, strict=True)]
    assert sum(map(bool, lines)) >= 4
    assert not [
        1
        for (i, line), (j, box) in product(enumerate(lines), enumerate(boxes))
        if i != j and any(overlap(box, part) for part in line)
    ]


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_names_in_figure_1_do_not_overlap(scale: int):
    points = tradeoff_points("flops", [], Profiles(), scale=scale, dataset="Set5")
    with style():
        figure = tradeoff.draw(points, x_title="x", y_title="y")
        extents = [text.get_window_extent() for text in figure.axes[0].texts]
    assert len(extents) == len(points)
    assert not [1 for a, b in combinations(extents, 2) if a.overlaps(b)]


def test_circle_area_is_proportional_to_parameters():
    assert tradeoff.area_points2(point("a", 1, 30, 800)) == 2 * tradeoff.area_points2(point("a", 1, 30, 400))


def test_smoothing_is_the_mean_within_the_window_and_passes_over_what_is_not_finite():
    assert smoothed(curve(1, 2, 3, 4, 8), 2) == pytest.approx([1.5, 2, 3, 5, 6])
    assert smoothed(curve(1, math.nan, 3), 2) == pytest.approx([1, 2, 3])
    assert smoothed(curve(5, 1, 3), 1) == pytest.approx([5, 1, 3])


def test_band_spans_the_seeds_as_far_as_all_of_them_reach():
    one = band([curve(1, 2, 3, seed=0), curve(3, 6, seed=1)], window=1)
    assert one.iterations.tolist() == [1, 2]
    assert (one.mean.tolist(), one.low.tolist(), one.high.tolist()) == ([2, 4], [1, 2], [3, 6])


def crosses(axes: Axes) -> list[tuple[float, float]]:
    marks = [line for line in axes.lines if line.get_marker() == "X"]
    return [(float(np.asarray(m.get_xdata())[0]), float(np.asarray(m.get_ydata())[0])) for m in marks]


def test_loss_figure_marks_a_collapse_at_its_iteration_on_its_own_curve():
    runs = {"baseline": [curve(*[1.0] * 9)], "w_o_LN": [curve(1, 1, 1, 1, 7, collapsed_at=5)]}
    with style():
        (axes,) = loss_curves.draw(runs, window=1).axes
    assert crosses(axes) == [(5, 7)]
    assert axes.get_legend_handles_labels()[1] == ["baseline (1 seed)", "w_o_LN * (1 seed)"]
    assert axes.get_ylim()[1] > 7


def test_a_crash_far_above_all_else_is_marked_at_the_top_and_does_not_set_the_scale():
    runs = {"baseline": [curve(*[1.0] * 9)], "fbn": [curve(1, 1, 1, 1e9, collapsed_at=4)]}
    with style():
        (axes,) = loss_curves.draw(runs, window=1).axes
    assert crosses(axes) == [(4, 30)]  # 30 medians
    assert 30 < axes.get_ylim()[1] < 40


def test_loss_axis_is_that_of_what_follows_the_first_tenth():
    """From 10 to 0.1 within the first tenth: not shown; ticks are plain numbers on a linear axis."""
    runs = {"baseline": [curve(*np.linspace(10, 0.1, 10), *np.linspace(0.1, 0.09, 90))]}
    with style():
        (axes,) = loss_curves.draw(runs, window=1).axes
    assert axes.get_ylim() == pytest.approx((0.09 / 1.02, 0.1 * 1.04), rel=0.01)
    assert axes.get_yscale() == "linear"
    assert len([tick for tick in axes.get_yticks() if 0.088 < tick < 0.104]) >= 3


def test_nine_networks_have_a_panel_each_on_common_scales():
    runs = {f"n{i}": [curve(*[1.0 + i] * 20)] for i in range(9)}
    with style():
        figure = loss_curves.draw(runs, window=1)
    shown = [axes for axes in figure.axes if axes.get_visible()]
    assert [axes.get_title() for axes in shown] == list(runs)
    assert len({axes.get_ylim() for axes in shown}) == 1


def test_the_difference_from_the_baseline_is_per_seed_so_what_seeds_share_cancels():
    """Both seeds have noise of their own, which baseline and network share; the network is 0.01 and 0.03 above."""
    noise = np.random.default_rng(0).normal(size=(2, 50))
    curves = {
        "baseline": [curve(*(1 + noise[s]), seed=s) for s in (0, 1)],
        "w_o_FM": [curve(*(1 + noise[s] + 0.01 + 0.02 * s), seed=s) for s in (0, 1)],
        "other": [curve(*[2.0] * 50, seed=7)],
    }
    found = loss_differences.differences(curves, "baseline")
    assert list(found) == ["w_o_FM"]
    one = band(found["w_o_FM"], window=5)
    assert (one.low, one.mean, one.high) == tuple(pytest.approx(np.full(50, v)) for v in (0.01, 0.02, 0.03))
    with style():
        figure = loss_differences.draw(curves, "baseline")
    assert figure is not None
    low, high = figure.axes[0].get_ylim()
    assert -0.01 < low < 0 < 0.03 < high < 0.04


def test_figure_7_has_a_last_panel_and_says_how_many_networks_it_leaves_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loss_curves, "MOST_PANELS", 9)
    runs = {name: [curve(3, 2, 1)] for name in ("baseline", *"abcdefghijk")}
    with style():
        figures = [loss_curves.draw(runs, window=1), loss_differences.draw(runs, "baseline")]
    told = [(sum(axes.get_visible() for axes in f.axes), f.get_supxlabel()) for f in figures if f is not None]
    assert told == [(9, "the first 9 of 12 networks"), (9, "the first 9 of 11 networks")]


def test_what_figure_7_leaves_out_stands_on_the_terminal_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    runs = [(write_run(tmp_path, record), record) for record in map(made_record, ("baseline", "n4", "n6"))]
    curves_of(runs, 4)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(plots_command, "MOST_PANELS", 2)
    assert list(curves_of(runs, 4)) == ["baseline", "n4", "n6"]
    assert "Figure 7 shows the first 2 of 3 networks" in " ".join(capsys.readouterr().err.split())


def test_panels_have_common_limits_without_sharing_axes_whose_time_grows_with_their_square():
    runs = {f"n{length}": [curve(*range(1, length + 1))] for length in range(3, 13)}
    with style():
        axes = loss_curves.draw(runs, window=1).axes[:10]
    assert len({(panel.get_xlim(), panel.get_ylim()) for panel in axes}) == 1
    assert axes[0].get_xlim() == pytest.approx((0.45, 12.55))
    assert all(panel.get_shared_x_axes().get_siblings(panel) == [panel] for panel in axes)


def test_without_a_baseline_there_is_no_difference_to_draw():
    assert loss_differences.draw({"a": [curve(1, 2)], "b": [curve(2, 3)]}, "baseline") is None


def test_legend_of_eight_networks_stays_on_the_page():
    runs = {f"some_variant_{i}_lr1e-4": [curve(*[1.0 + i] * 9), curve(*[1.1 + i] * 9)] for i in range(8)}
    with style():
        figure = loss_curves.draw(runs, window=1)
        figure.draw_without_rendering()
        box = figure.legends[0].get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert box.y1 <= figure.axes[0].get_window_extent().y0


def test_figure_7_by_the_command_has_its_names_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    losses = {i: 1 / i for i in range(1, 60)}
    for record in (made_record("baseline"), made_record("baseline", 1), made_record(HOSTILE)):
        write_run(tmp_path / "runs", record, losses)
    out = tmp_path / "out"
    assert main(["--figure", "7", "--runs", str(tmp_path / "runs"), "--out", str(out)]) == 0
    names = [f"{name}.{kind}" for name in ("figure7", "figure7_differences") for kind in ("pdf", "svg", "png")]
    assert sorted(path.name for path in out.iterdir()) == sorted(names)
    assert "minus that of baseline" in svg_text(out / "figure7_differences.svg")
    text = svg_text(out / "figure7.svg")
    assert f"{HOSTILE} (1 seed)" in text
    assert "baseline (2 seeds)" in text
    assert "training loss, mean over 1 iteration" in text
    assert main(["--figure", "7", "--runs", str(tmp_path / "runs"), "--variants", "baselin"]) == 2
    assert "No run of variant 'baselin'. Did you mean 'baseline'" in capsys.readouterr().err


def test_the_papers_norms_are_one_call(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name in ("baseline", "w_o_FM", "w_o_LN", "l2_norm"):
        write_run(tmp_path / "runs", made_record(name), {i: 1 / i for i in range(1, 60)})
    call = ["--figure", "7", "--norms", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]
    assert main(call) == 0
    text = svg_text(tmp_path / "figure7.svg")
    assert [name in text for name in ("baseline", "w_o_LN", "l2_norm", "w_o_FM")] == [True, True, True, False]
    assert main([*call, "--scale", "2"]) == 2
    assert "There is no run at scale 2" in capsys.readouterr().err


def test_figure_1_by_the_command_shows_published_and_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    write_run(tmp_path / "runs", made_record("w_o_FM", scores={"Set5": scores_of(31.5)}))
    call = ["--figure", "1", "--scale", "4", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path)]
    assert main(call) == 0
    text = svg_text(tmp_path / "figure1.svg")
    for words in ("ShuffleMixer", "w_o_FM", "measured here", "Pareto front", "FLOPs (MACs) [G]", "500 K parameters"):
        assert words in text
    assert "Set5 x4, PSNR of luma [dB]" in text
    assert main([*call, "--dataset", "B100"]) == 0
    assert "Nothing measured is drawn for B100; there are scores on Set5" in capsys.readouterr().err


def small_safmn(**changes: object) -> SAFMN:
    torch.manual_seed(0)
    return SAFMN(SAFMNConfig(dim=8, n_blocks=2, **changes), scale=2).eval()  # type: ignore[arg-type]


def test_features_are_those_of_the_block_and_levels_are_blocks_of_equal_pixels():
    lr = torch.randint(0, 256, (3, 32, 24), dtype=torch.uint8)
    network = small_safmn()
    found = features(network, lr, 2)
    assert [level.shape for level in found.levels] == [(32, 24)] * 4
    last = found.levels[3]  # 4 x 3 values, each shown as 8 x 8 pixels
    assert np.array_equal(last, np.kron(last[::8, ::8], np.ones((8, 8), np.float32)))
    with torch.no_grad():
        first = network.feats[0](network.to_feat(lr[None] / 255.0))
        block = network.feats[1]
        expected = block.safm(block.norm1(first))[0].abs().mean(0)  # type: ignore[operator]
    assert torch.allclose(torch.from_numpy(found.attended), expected, atol=1e-6)
    assert len(features(small_safmn(levels=1), lr, 1).levels) == 1


@pytest.fixture
def picture_file(make_images, tmp_path: Path) -> Path:
    return make_images(tmp_path / "images", "photo.png", height=48, width=64) / "photo.png"


class Nearest(nn.Module):
    """Nearest-neighbour enlargement as a network."""

    scale = 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)


def test_crops_are_the_box_of_each_and_their_scores_of_the_whole_image(picture_file: Path):
    box = CropBox(10, 20, 30, 16)
    pair, crops = crops_of(picture_file, box, [("nearest", Nearest())], 2, torch.device("cpu"))
    hr = read_image(picture_file).rgb
    assert [crop.label for crop in crops] == ["HR", "bicubic", "nearest"]
    assert torch.equal(crops[0].rgb, hr[:, 20:36, 10:40])
    lr = lr_from_hr(hr, 2)
    assert torch.equal(crops[1].rgb, bicubic_uint8(lr, 48, 64)[:, 20:36, 10:40])
    nearest = lr.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)
    assert torch.equal(crops[2].rgb, nearest[:, 20:36, 10:40])
    whole = [luma_plane(rgb)[2:-2, 2:-2] for rgb in (nearest, hr)]  # float64, 0-255
    error = ((whole[0] - whole[1]) ** 2).mean().item()
    assert crops[2].score is not None
    assert crops[2].score["psnr_y_db"] == pytest.approx(10 * math.log10(255**2 / error))
    assert torch.equal(pair.hr, hr)


def test_caption_has_psnr_and_ssim_and_hr_their_names():
    rgb = torch.zeros(3, 8, 8, dtype=torch.uint8)
    score = ImageScore("a", {"psnr_y_db": 34.567, "ssim_y": 0.94786})
    assert visual_comparison.caption(Crop("safmn", rgb, score), 1.0) == "safmn\n34.57 / 0.9479"
    assert visual_comparison.caption(Crop("HR", rgb, None), 1.0) == "HR\nPSNR [dB] / SSIM"


def inside(figure: Figure, axes: Axes) -> bool:
    """Whether the axes with their text are on the page."""
    box = axes.get_tightbbox()
    assert box is not None
    return box.x0 >= -1 and box.y0 >= -1 and box.x1 <= figure.bbox.x1 + 1 and box.y1 <= figure.bbox.y1 + 1


@pytest.mark.parametrize(("height", "width", "others"), [(48, 64, 4), (96, 40, 2), (40, 160, 7), (64, 64, 11)])
def test_panels_of_figure_6_stay_on_the_page_and_apart(height: int, width: int, others: int, tmp_path: Path):
    hr = torch.zeros(3, height, width, dtype=torch.uint8)
    box = CropBox(4, 4, 24, 16)
    score = ImageScore("a", {"psnr_y_db": 30.0, "ssim_y": 0.9})
    crops = [Crop("HR", box.of(hr), None)] + [Crop(f"network {i}", box.of(hr), score) for i in range(others)]
    with style():
        figure = visual_comparison.draw(hr, box, crops, title="photo")
        save(figure, tmp_path, "f")
        assert all(inside(figure, axes) for axes in figure.axes)
        boxes = [axes.get_tightbbox() for axes in figure.axes]
    assert not [1 for a, b in combinations(boxes, 2) if a and b and a.padded(-1).overlaps(b.padded(-1))]


def test_figures_5_and_6_by_the_command_from_a_runs_folder(picture_file: Path, tmp_path: Path):
    write_text(tmp_path / "tiny.yaml", "model: {dim: 8, n_blocks: 2}\n")
    folder = write_run(tmp_path / "runs", made_record("tiny", scale=2))
    torch.save({"params": small_safmn().state_dict()}, folder.weights)
    call = ["--models", str(tmp_path / "tiny.yaml"), "--scale", "2", "--runs", str(tmp_path / "runs")]
    call += ["--image", str(picture_file), "--out", str(tmp_path / "out"), "--device", "cpu"]
    assert main(["--figure", "5", "6", "--box", "8", "8", "24", "16", *call]) == 0
    five = svg_text(tmp_path / "out" / "figure5.svg")
    assert "tiny x2, block 1, photo" in five
    for words in ("(a) LR input", "(e) level 4, 1/8 of the size", "(f) aggregated", "(g) attended output"):
        assert words in five
    assert re.search(r"bicubic \d\d\.\d\d / 0\.\d{4}", svg_text(tmp_path / "out" / "figure6.svg"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["6", "--image", "{image}", "--box", "60", "8", "24", "16"], "reaches beyond"),
        (["6", "--image", "{image}"], "Figure 6 needs --box"),
        (["5", "--image", "{image}"], "Figure 5 needs --models NAME"),
        (["5", "--image", "{image}", "--models", "safmn"], "Give --weights FILE"),
        (["7"], "Figure 7 needs --runs DIR"),
        (["1", "--dataset", "Set55"], "Did you mean 'Set5'"),
    ],
)
def test_what_a_figure_lacks_is_said_in_one_paragraph(
    options: list[str], words: str, picture_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    call = [option.format(image=picture_file) for option in options]
    assert main(["--figure", *call, "--out", str(tmp_path / "out"), "--scale", "2"]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_published_and_measured_points_differ_in_shape_fill_and_colour():
    kinds = (PUBLISHED, MEASURED, MIXED)
    points = [Point(label=kind, cost=1.0 + i, score=30.0, params_k=200.0, source=kind) for i, kind in enumerate(kinds)]
    figure = tradeoff.draw(points, x_title="x", y_title="y", trained="3,000 iterations")
    drawn: list[Any] = [one for one in figure.axes[0].collections if len(np.asarray(one.get_offsets())) == 1]
    filled = [one for one in drawn if one.get_facecolor().size]
    looks = {
        (one.get_paths()[0].vertices.shape, tuple(one.get_edgecolor()[0][:3])) for one in drawn if one not in filled
    }
    corners = {tuple(one.get_paths()[0].vertices[0].round(3)) for one in drawn}
    assert len(looks) == len(corners) == 3
    assert len(filled) == 2  # measured, and of both kinds
    titles = [text.get_text() for text in figure.legends[0].get_texts()]
    assert titles[:2] == ["published after full training", "measured here after 3,000 iterations"]


def test_many_measured_networks_have_numbers_and_a_list_beside_the_axes():
    points = [
        Point(label=f"n{i}", cost=1.0 + i, score=30.0 + i / 10, params_k=200.0, source=MEASURED) for i in range(24)
    ]
    paper = Point(label="SAFMN", cost=14.0, score=32.0, params_k=240.0, source=PUBLISHED)
    with style():
        figure = tradeoff.draw([paper, *points], x_title="x", y_title="y")
    assert [text.get_text() for text in figure.axes[0].texts] == ["SAFMN", *map(str, range(1, 25))]
    (listed,) = [legend for legend in figure.legends if len(legend.get_texts()) == 24]
    assert [text.get_text() for text in listed.get_texts()][:2] == ["1  n0", "2  n1"]
    box = listed.get_window_extent()
    assert box.y0 >= 0
    assert box.x1 <= figure.bbox.x1


def test_labels_are_ones_own_while_a_figure_is_drawn():
    with style({"w_o_FM": "without modulation"}):
        assert label("w_o_FM") == "without modulation"
        assert label("bn") == "bn"
    assert label("w_o_FM") == "w_o_FM"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--figure", "2"], "is made by lam: safmn-bench lam --models NAME"),
        (["--figure", "7", "--labels", "bn"], "--labels 'bn' is not name=Label"),
    ],
)
def test_figure_2_points_to_lam_and_a_label_needs_a_name(
    options: list[str], words: str, capsys: pytest.CaptureFixture[str]
):
    assert main(options) == 2
    assert words in capsys.readouterr().err


def test_published_differences_stand_as_diamonds_beside_those_measured_of_the_networks_that_have_one():
    records = [
        made_record(name, seed, {"B100": scores_of(mean + 0.01 * seed)})
        for name, mean in {"baseline": 26.0, "n4": 25.9, "mine": 25.8}.items() for seed in (0, 1)
    ]  # fmt: skip
    axes = delta_figure(measure(records, 4), "B100", {"n4": -0.22}, "published, DIV2K_val").axes[0]
    (diamonds,) = [line for line in axes.get_lines() if line.get_marker() == "D"]
    assert [text.get_text() for text in axes.get_yticklabels()] == ["mine", "n4"]
    assert np.asarray(diamonds.get_xydata()).tolist() == [[-0.22, 1.0]]
    assert [text.get_text() for text in axes.figure.legends[0].get_texts()][-1] == "published, DIV2K_val"


def test_differences_by_another_training_are_squares_below_with_their_own_intervals():
    """Filled, as circles are, where they stand among all."""
    records = [
        made_record(name, seed, {"B100": scores_of(mean + 0.01 * seed)})
        for name, mean in {"baseline": 26.0, "n4": 25.9, "mine": 25.8}.items() for seed in (0, 1)
    ]  # fmt: skip
    rows, key = measure(records, 4), ("B100", "psnr_y_db")
    stands = rows[1].comparisons[key]
    there = {
        "n4": replace(stands, difference=-0.05, half_width=0.02),
        "mine": replace(stands, difference=-0.3, half_width=0.4, p_holm=0.5),
    }
    figure = delta_figure(rows, "B100", {"n4": -0.22}, "published, DIV2K_val", there, "training longer")
    squares = [line for line in figure.axes[0].get_lines() if line.get_marker() == "s"]
    places = [np.asarray(square.get_xydata())[0].tolist() for square in squares]
    assert places == [[-0.3, pytest.approx(-0.25)], [-0.05, pytest.approx(0.75)]]
    assert [square.get_markerfacecolor() for square in squares] == ["none", COLOURS[6]]
    bars = [bar for bar in figure.axes[0].collections if isinstance(bar, LineCollection)]
    widths = [bar.get_segments()[0][:, 0].tolist() for bar in bars]
    assert widths[2:] == [pytest.approx([-0.7, 0.1]), pytest.approx([-0.07, -0.03])]
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told[-2:] == ["measured here: training longer", "published, DIV2K_val"]


def test_a_difference_that_stands_only_by_itself_is_no_filled_circle():
    records = [
        made_record(name, seed, {"B100": scores_of(mean + 0.01 * seed)})
        for name, mean in {"baseline": 26.0, "n4": 25.5, "mine": 25.0}.items() for seed in (0, 1)
    ]  # fmt: skip
    rows, key = measure(records, 4), ("B100", "psnr_y_db")
    alone = [
        replace(row, comparisons={key: replace(row.comparisons[key], p_holm=0.2)}) if row.name == "n4" else row
        for row in rows
    ]
    assert [row.comparisons[key].verdict for row in alone if row.comparisons] == ["(alone)", ""]
    figure = delta_figure(alone, "B100", {"n4": -0.22}, "published")
    circles = [line for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    assert [circle.get_markerfacecolor() for circle in circles] == [COLOURS[0], "none"]  # mine, n4
    told = [text.get_text() for text in figure.legends[0].get_texts()]
    assert told == ["measured here: stands among all", "measured here: stands only by itself", "published"]
