"""Local attribution maps: analytic checks, the diffusion index, captum's habits, and the command."""

import copy
import csv
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
import PIL.Image
import pytest
import torch
from made_looks import made_look
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from scipy.stats import gaussian_kde
from torch import nn
from trial_runs import record, write_run

from safmn_bench.analysis.attribution import command as lam_command
from safmn_bench.analysis.attribution import figure as lam_figure
from safmn_bench.analysis.attribution.attribute import (
    choose_step_batch,
    grid_windows,
    look,
    picture_of,
    step_bytes,
)
from safmn_bench.analysis.attribution.diffusion_index import density, diffusion_index, magnitude_map
from safmn_bench.analysis.attribution.local_attribution import (
    LocalAttributionMap,
    filtered,
    gaussian_kernels,
)
from safmn_bench.analysis.attribution.methods import METHODS, Attributed, Method
from safmn_bench.analysis.attribution.objective import Window, WindowDetail
from safmn_bench.analysis.attribution.window_attribution import Attribution, attribute
from safmn_bench.analysis.lam import main
from safmn_bench.analysis.networks import Subject, freeze
from safmn_bench.models.errors import UserError
from safmn_bench.models.fast import FastLayerNorm2d, FastSAFM
from safmn_bench.models.peers.bicubic import Bicubic
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.models.weights import load_weights
from safmn_bench.profiling.common.provenance import is_of
from safmn_bench.profiling.common.sample_images import embedded_paths

CPU = torch.device("cpu")


def lr_image(height: int = 16, width: int = 20, seed: int = 0) -> torch.Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def lam(network: nn.Module, lr: torch.Tensor, window: Window, *, steps: int = 50, batch: int = 10) -> Attribution:
    return attribute(freeze(network), lr, window, method="lam", steps=steps, batch=batch)


# --- The path ---


def test_kernels_follow_the_specification():
    kernels = gaussian_kernels(50)
    assert kernels.shape == (51, 9, 9)
    # sigma 1.2 + 1e-5: exp(-d^2 / 2.88...) by hand: centre 1, neighbour 0.706651, sum of 9x9 = (3.0079...)^2
    ratio = kernels[0, 4, 5] / kernels[0, 4, 4]
    assert float(ratio) == pytest.approx(np.exp(-1 / (2 * 1.20001**2)), rel=1e-12)
    assert kernels.sum(dim=(1, 2)).tolist() == pytest.approx([1.0] * 51, abs=1e-14)
    one = torch.zeros(9, 9, dtype=torch.float64)
    one[4, 4] = 1.0
    assert torch.equal(kernels[50], one)


def test_path_starts_blurred_and_ends_exactly_at_the_image():
    x = lr_image()
    points = filtered(x, gaussian_kernels(50))
    assert torch.equal(points[50].float(), x)
    assert float(points[0].var()) < 0.5 * float(x.var())


def test_borders_are_mirrored_without_the_edge():
    row = torch.arange(12, dtype=torch.float32).expand(1, 1, 12, 12)
    kernel = torch.zeros(1, 9, 9, dtype=torch.float64)
    kernel[0, 4, 2] = 1.0  # takes the value two pixels to the left
    assert filtered(row, kernel)[0, 0, 0, 0].tolist() == [2.0, 1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]


def test_even_kernel_is_refused():
    with pytest.raises(ValueError, match="size=8 is even"):
        gaussian_kernels(50, size=8)


# --- The objective ---


def test_detail_of_a_known_picture():
    sr = torch.zeros(1, 3, 4, 4)
    sr[0, 0, 1, 1] = 3.0  # alone in channel 0
    sr[0, 1, 2, 1], sr[0, 1, 1, 2] = 3.0, 4.0  # below and right of (1, 1) in channel 1
    detail = WindowDetail(nn.Identity())
    assert float(detail(sr, Window(1, 1, 1))) == pytest.approx(18**0.5 + 5.0)


def test_detail_reads_one_row_and_column_more_than_the_window():
    sr = lr_image(24, 24).requires_grad_()
    WindowDetail(nn.Identity())(sr, Window(3, 5, 16)).backward()
    assert sr.grad is not None
    rows, columns = sr.grad[0, 0].nonzero(as_tuple=True)
    assert (int(rows.min()), int(rows.max()), int(columns.min()), int(columns.max())) == (5, 21, 3, 19)


def test_flat_pixels_count_as_undefined_and_spoil_nothing():
    x = lr_image(12, 12)
    x[..., 4:7, 4:7] = 0.5  # pixels (4..5, 4..5) equal their lower and right neighbours
    x.requires_grad_()
    detail = WindowDetail(nn.Identity())
    detail(x, Window(2, 2, 8)).backward()
    assert detail.undefined == 3 * 4
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad[0, 0, 2, 2] != 0
    assert x.grad[0, 0, 5, 5] == 0  # it and what it is compared with are flat


@pytest.mark.parametrize(
    ("window", "message"),
    [
        (Window(48, 0, 16), r"Window 48 0 16 leaves p, whose SR image is 64x48 .*17x17 pixels: x in 0..47 and y in"),
        (Window(0, 32, 16), "y in 0..31"),
        (Window(-1, 0, 16), "leaves p"),
        (Window(0, 0, 48), "no place at this size"),
        (Window(0, 0, 0), "the size is in SR pixels, 1 or more"),
    ],
)
def test_window_that_leaves_the_image_is_refused(window: Window, message: str):
    with pytest.raises(UserError, match=message):
        window.require_inside(48, 64, "p")


# --- The attribution ---


def test_lam_of_a_3x3_convolution_is_zero_outside_its_receptive_field():
    torch.manual_seed(0)
    found = lam(nn.Conv2d(3, 3, 3, padding=1), lr_image(24, 24), Window(8, 6, 4)).values
    inside = torch.zeros(24, 24, dtype=torch.bool)
    inside[5:12, 7:14] = True  # the window's 5x5 pixels from (8, 6), one more on each side
    inside[11, 13] = False  # only the last pixel reaches it, and that is neither below nor right of one in the window
    assert (found[:, ~inside] == 0).all()
    assert (found[:, inside] != 0).all()


def test_lam_of_a_linear_objective_is_its_telescoped_sum_at_any_number_of_steps():
    class Ramp(nn.Module):
        """s = ramp along x + 0.1 x: m is s[x+1] - s[x] exactly where rows are equal."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.arange(x.shape[-1], dtype=x.dtype) + 0.1 * x.mean(dim=2, keepdim=True).expand_as(x)

    x, window = lr_image(12, 12), Window(4, 4, 4)
    for steps in (1, 7, 50):
        found = lam(Ramp(), x, window, steps=steps)
        assert found.completeness_gap == pytest.approx(0.0, abs=2e-3)  # float32 rounding of F
        blurred = filtered(x, gaussian_kernels(steps)[:1])[0]
        # F = sum over rows and channels of s at column 8 less s at column 4; each of 4 rows sees the same column mean
        rise = (x.double() - blurred)[0].mean(dim=1)  # (3, 12)
        expected = 4 * 0.1 * float((rise[:, 8] - rise[:, 4]).sum())
        assert float(found.values.double().sum()) == pytest.approx(expected, rel=1e-5)


def test_completeness_gap_shrinks_with_more_steps():
    torch.manual_seed(0)
    network = SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2)
    gaps = [lam(network, lr_image(), Window(8, 8, 8), steps=steps).completeness_gap for steps in (5, 20, 80)]
    sizes = [abs(gap) for gap in gaps if gap is not None]
    assert sizes[0] > 2 * sizes[1] > 4 * sizes[2] > 0


def test_attribution_is_that_of_a_plain_loop_one_step_at_a_time():
    torch.manual_seed(0)
    network, x, window = SAFMN(SAFMNConfig(dim=8, n_blocks=2), scale=2), lr_image(), Window(10, 6, 8)
    kernels = gaussian_kernels(20)
    expected = torch.zeros(3, *x.shape[-2:], dtype=torch.float64)
    for k in range(1, 21):
        point = filtered(x, kernels[k : k + 1])[0].float().requires_grad_()
        s = network(point)[0, :, 6:15, 10:19]
        (((s[:, :-1, :-1] - s[:, 1:, :-1]) ** 2 + (s[:, :-1, :-1] - s[:, :-1, 1:]) ** 2) ** 0.5).sum().backward()
        assert point.grad is not None
        expected += (point.grad * (filtered(x, kernels[k : k + 1]) - filtered(x, kernels[k - 1 : k]))[0])[0]
    found = lam(network, x, window, steps=20, batch=1).values
    assert float((found - expected).norm() / expected.norm()) < 1e-4


def test_attribute_behaves_as_captum_methods_do():
    torch.manual_seed(0)
    detail = WindowDetail(freeze(SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2)))
    explainer, window = LocalAttributionMap(detail), Window(4, 4, 8)
    x = torch.cat([lr_image(seed=1), lr_image(seed=2)])  # two samples at once
    values, delta = explainer.attribute(x, window, n_steps=10, internal_batch_size=4, return_convergence_delta=True)
    assert values.shape == x.shape
    rise = detail(x, window) - detail(explainer.baseline(x), window)
    assert torch.allclose(delta, values.sum(dim=(1, 2, 3)) - rise, atol=1e-4)
    alone = explainer.attribute(x[1:], window, n_steps=10)
    assert isinstance(alone, torch.Tensor)
    assert torch.allclose(alone[0], values[1], atol=1e-5)
    assert explainer.has_convergence_delta()


@pytest.mark.parametrize("method", ["integrated_gradients", "saliency", "noise_tunnel"])
def test_captum_methods_give_maps_of_the_image(method: str):
    torch.manual_seed(0)
    network = freeze(SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2))
    first, second = (
        attribute(network, lr_image(), Window(4, 4, 8), method=method, steps=20, batch=5) for _ in range(2)
    )
    assert first.values.shape == (3, 16, 20)
    assert torch.equal(first.values, second.values)  # the noise too is repeatable
    if method == "integrated_gradients":
        assert first.completeness_gap == pytest.approx(0, abs=0.02)
    else:
        assert first.completeness_gap is None


def test_broken_weights_are_named():
    network = nn.Conv2d(3, 3, 3, padding=1)
    nn.init.constant_(network.weight, float("nan"))
    subject = Subject("broken", "Broken", freeze(network), "w.pt")
    picture = picture_of("p.png", np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8), 1)
    with pytest.raises(UserError, match=r"Broken on p.png, window \(4, 4\) size 8: the attribution is not finite"):
        look(subject, picture, Window(4, 4, 8), method="lam", steps=2, device=CPU)


# --- Map and index ---


def test_diffusion_index_of_known_maps():
    assert diffusion_index(np.full((8, 8), 0.3)) == pytest.approx(100.0, abs=1e-6)
    one = np.zeros((10, 10))
    one[3, 4] = 1.0
    assert diffusion_index(one) == pytest.approx(1.001, abs=1e-3)  # Gini (n - 1) / n: DI 100 / n, lifted by 1e-5
    assert diffusion_index(np.array([[0.0, 1.0], [0.0, 1.0]])) == pytest.approx(50.0, abs=1e-4)
    assert diffusion_index(np.array([[0.25, 0.5, 0.75, 1.0]])) == pytest.approx(75.0, abs=1e-4)  # Gini of 1..4: 1/4
    assert diffusion_index(np.zeros((4, 4))) is None


def test_map_is_the_absolute_sum_of_channels_over_its_maximum():
    attribution = np.array([[[1.0, 2.0]], [[-3.0, 1.0]], [[0.0, 1.0]]])
    assert magnitude_map(attribution).tolist() == [[0.5, 1.0]]
    assert magnitude_map(np.zeros((3, 2, 2))).tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_density_is_scipys_weighted_estimate_on_the_grid():
    magnitude = np.random.default_rng(0).random((13, 17)) ** 4
    positions = np.indices(magnitude.shape).reshape(2, -1)
    expected = gaussian_kde(positions, weights=magnitude.ravel())(positions).reshape(magnitude.shape)
    assert np.allclose(density(magnitude), expected / expected.max(), atol=1e-10)


@pytest.mark.parametrize("lit", [(slice(5, 6), slice(5, 6)), (slice(5, 6), slice(2, 9))])
def test_density_of_a_point_or_line_is_finite_and_there(lit: tuple[slice, slice]):
    magnitude = np.zeros((11, 11))
    magnitude[lit] = 1.0
    found = density(magnitude)
    assert np.isfinite(found).all()
    assert np.unravel_index(found.argmax(), found.shape)[0] == 5


def test_views_are_white_where_nothing_is_attributed_and_dark_red_at_the_maximum():
    assert lam_figure.coloured(np.array([[0.0, 1.0]])).tolist() == [[[255, 253, 253], [128, 0, 0]]]


def cells_of(figure: Figure) -> list[str]:
    """What stands under each cell."""
    return [text.get_text() for text in figure.texts if text.get_text() and not text.get_text().startswith("No map")]


@pytest.mark.parametrize(
    ("networks", "width", "rows"), [(1, 2.72, 1), (4, 6.875, 1), (5, 6.875, 2), (9, 6.875, 2), (24, 6.875, 4)]
)
def test_figure_2_wraps_within_a_page_and_names_every_network(networks: int, width: float, rows: int):
    figure = lam_figure.draw([made_look(f"network_{i}") for i in range(networks)])
    assert cells_of(figure) == ["LR x2, HR\nwindow in red", *(f"network_{i}\nDI 3.42" for i in range(networks))]
    assert figure.get_figwidth() == pytest.approx(width)
    assert len(figure.axes) == 2 * (1 + networks)
    assert len({round(axes.get_position().y1, 3) for axes in figure.axes}) == 2 * rows
    assert min(axes.get_position().width * figure.get_figwidth() for axes in figure.axes) > 0.9  # inches


def test_figure_2_shows_the_map_over_the_picture_and_other_views_by_option():
    look = made_look("a")
    over, plain = (lam_figure.draw([look], blend=blend).axes[2].images[0].get_array() for blend in (True, False))
    assert np.array_equal(np.asarray(plain), lam_figure.map_view(look))
    assert np.array_equal(np.asarray(over), lam_figure.blended(lam_figure.map_view(look), look.picture))
    both = lam_figure.draw([look], views=("map", "density"), blend=False).axes
    assert len(both) == 6
    assert np.array_equal(np.asarray(both[4].images[0].get_array()), lam_figure.density_view(look))
    framed = [[cast(Rectangle, patch).get_xy() for patch in axes.patches] for axes in both]
    assert framed == [[(27.5, 27.5)], [(27.5, 27.5)], [], [], [], []]


def test_figure_2_names_the_networks_without_a_map():
    figure = lam_figure.draw([made_look("a")], missing=["bn", "fbn"])
    assert figure.texts[-1].get_text().replace("\n", " ") == "No map: bn, fbn."


# --- Pictures ---


def test_picture_is_cropped_and_reduced_by_pillow():
    hr = np.random.default_rng(0).integers(0, 256, (67, 90, 3), dtype=np.uint8)
    picture = picture_of("p", hr, 4)
    assert picture.hr.shape == (64, 88, 3)
    expected = PIL.Image.fromarray(hr[:64, :88]).resize((22, 16), PIL.Image.Resampling.BICUBIC)
    assert np.array_equal(picture.lr, np.array(expected))


def test_grid_of_windows_is_even_and_inside():
    picture = picture_of("p", np.zeros((60, 90, 3), dtype=np.uint8), 2)
    found = [(window.x, window.y) for window in grid_windows(picture, 3, 10)]
    assert found == [(x, y) for y in (5, 25, 45) for x in (10, 40, 70)]
    with pytest.raises(UserError, match="leaves p"):
        grid_windows(picture, 2, 40)


def test_step_batch_follows_memory(monkeypatch: pytest.MonkeyPatch):
    detail, lr, window = WindowDetail(freeze(nn.Conv2d(3, 3, 3, padding=1))), lr_image(), Window(4, 4, 8)
    needed = step_bytes(detail, lr, window)
    assert 4 * 3 * 16 * 20 <= needed <= 8 * 4 * 3 * 16 * 20
    monkeypatch.setattr("safmn_bench.analysis.attribution.attribute.free_bytes", lambda _: needed * 20)
    assert choose_step_batch(detail, lr, window, 50) == 4  # 0.4 x 20 / 2
    monkeypatch.setattr("safmn_bench.analysis.attribution.attribute.free_bytes", lambda _: 0)
    assert choose_step_batch(detail, lr, window, 50) == 1


def test_bicubic_alone_looks_at_little():
    hr = np.array(PIL.Image.open(embedded_paths(("chelsea.png",))[0]).convert("RGB"))[:256, 60:316]
    subject = Subject("bicubic", "Bicubic", freeze(Bicubic(scale=4)), "")
    found = look(subject, picture_of("chelsea", hr, 4), Window(120, 120, 16), method="lam", steps=50, device=CPU)
    assert found.di is not None
    assert 0.1 < found.di < 0.8  # near 0.4 on natural 256x256 pictures (specification)


def test_a_frozen_network_has_the_form_whose_backward_pass_is_fast_and_the_same_map():
    torch.manual_seed(0)
    plain = SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2).eval().requires_grad_(False)
    frozen, lr, window = freeze(copy.deepcopy(plain)), torch.rand(1, 3, 16, 16), Window(8, 8, 8)
    assert any(isinstance(module, FastLayerNorm2d) for module in frozen.modules())
    assert not any(isinstance(module, FastSAFM) for module in frozen.modules())
    maps = [attribute(net, lr, window, method="lam", steps=3, batch=2).values for net in (plain, frozen)]
    assert float((maps[0] - maps[1]).abs().max() / maps[0].abs().max()) < 1e-4


@pytest.mark.slow
def test_the_measurement_of_a_path_step_compares_the_maps_that_it_times(tmp_path: Path):
    script, table = Path(__file__).parents[2] / "benchmarks" / "attribution.py", tmp_path / "a.csv"
    subprocess.run([sys.executable, script, "--steps", "1", "--rounds", "1", "--csv", table], check=True)
    with table.open() as handle:
        rows = list(csv.DictReader(handle))
    assert [float(row["ratio_to_demo"]) > 0 for row in rows] == [True] * 3
    assert max(float(row["largest_difference"]) for row in rows) < 1e-3


# --- Published weights ---


@pytest.mark.slow
def test_published_safmn_on_butterfly(shared: Callable[[str], Path]):
    network = SAFMN(SAFMNConfig(), scale=2)
    load_weights(network, shared("weights/safmn_x2.pth"))
    hr = np.array(PIL.Image.open(shared("data/benchmarks/Set5/HR/butterfly.png")).convert("RGB"))
    picture = picture_of("butterfly", hr[:128, :128], 2)
    subject, window = Subject("safmn", "SAFMN", freeze(network), ""), Window(60, 60, 16)
    looks = [look(subject, picture, window, method="lam", steps=20, device=CPU, step_batch=batch) for batch in (1, 10)]
    indices = [one.di for one in looks]
    assert indices[0] is not None
    assert indices[0] == pytest.approx(indices[1], abs=0.01)
    assert 1 < indices[0] < 10
    assert looks[0].attribution.completeness_gap == pytest.approx(looks[1].attribution.completeness_gap, abs=1e-3)
    assert 0 < abs(looks[0].attribution.completeness_gap or 0) < 0.3


@pytest.mark.slow
def test_published_safmn_on_the_whole_butterfly_at_50_steps(shared: Callable[[str], Path], tmp_path: Path):
    found = {}
    for batch in ("1", "10"):
        call = ["--models", "safmn", "--scale", "2", "--weights", str(shared("weights/safmn_x2.pth"))]
        call += ["--image", str(shared("data/benchmarks/Set5/HR/butterfly.png")), "--window", "150", "40", "16"]
        assert main([*call, "--step-batch", batch, "--device", "cpu", "--no-figures", "--out", str(tmp_path)]) == 0
        (found[batch],) = rows_of(tmp_path / "lam.csv")
    assert float(found["1"]["di"]) == pytest.approx(float(found["10"]["di"]), abs=0.01)
    assert float(found["1"]["di"]) == pytest.approx(1.72, abs=0.01)  # measured with this suite
    assert float(found["1"]["completeness_gap"]) == pytest.approx(0.030, abs=0.001)


# --- The command ---


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A runs folder with weights of two small variants; returns the folder that holds it and the variants' files."""
    for name in ("small_a", "small_b"):
        (tmp_path / f"{name}.yaml").write_text("model: {n_blocks: 1, dim: 8}\n")
        write_run(tmp_path / "runs" / name, record(name, 0, 30.0))
    return tmp_path


def command(folder: Path, *options: str) -> list[str]:
    models = ["--models", str(folder / "small_a.yaml"), str(folder / "small_b.yaml"), "bicubic"]
    return [*models, "--scale", "2", "--runs", str(folder / "runs"), "--steps", "4", "--device", "cpu", *options]


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as handle:
        return list(csv.DictReader(handle))


def test_a_method_is_one_entry_that_the_command_line_and_the_rows_know(
    trained: Path, make_images: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys
):
    made_up = Method("the image itself", lambda detail, lr, *_: Attributed(lr.clone()), takes_steps=False)
    monkeypatch.setitem(METHODS, "image", made_up)
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "image: the image itself" in " ".join(capsys.readouterr().out.split())
    call = command(trained, "--image", str(make_images(trained / "one", "a.png")), "--grid", "1", "8", "--no-figures")
    assert main([*call, "--method", "Image", "--out", str(trained / "made_up")]) == 0
    rows = rows_of(trained / "made_up" / "lam.csv")
    assert [(row["method"], row["steps"], row["completeness_gap"]) for row in rows] == [("image", "1", "")] * 3
    assert len({row["di"] for row in rows}) == 1  # it does not ask the network
    assert "the image itself, x2" in capsys.readouterr().out


def test_command_writes_rows_summary_and_figures(trained: Path, make_images: Callable[..., Path], capsys):
    images = make_images(trained / "images", "a.png", "b%_$.png")
    out = trained / "out"
    assert (
        main(
            command(trained, "--image", str(images), "--grid", "1", "8", "--out", str(out), "--views", "map", "density")
        )
        == 0
    )
    rows = rows_of(out / "lam.csv")
    assert len(rows) == 3 * 2
    assert list(rows[0])[:5] == ["model", "scale", "weights", "method", "image"]
    assert {row["model"] for row in rows} == {"small_a", "small_b", "bicubic"}
    assert all(0 < float(row["di"]) <= 100 and row["steps"] == "4" and row["completeness_gap"] for row in rows)
    lines = {line["model"]: line for line in rows_of(out / "lam_summary.csv")}
    values = [float(row["di"]) for row in rows if row["model"] == "small_a"]
    assert float(lines["small_a"]["di_mean"]) == pytest.approx(np.mean(values))
    assert float(lines["small_a"]["di_sd"]) == pytest.approx(np.std(values, ddof=1))
    assert (lines["small_a"]["maps"], lines["small_a"]["images"]) == ("2", "2")
    figures = sorted(path.name for path in out.glob("*.p*"))
    assert len(figures) == 2 * 2
    assert "lam_b%_$_x2_36_28_8.png" in figures
    with PIL.Image.open(out / "lam_b%_$_x2_36_28_8.png") as figure:
        assert np.array(figure.convert("RGB")).std() > 10
    assert "small_b" in capsys.readouterr().out


def test_flat_picture_has_no_index_and_no_crash(trained: Path, capsys):
    PIL.Image.new("RGB", (32, 32), "grey").save(trained / "flat.png")
    out = trained / "out"
    call = ["--models", "bicubic", "--scale", "2", "--image", str(trained / "flat.png"), "--window", "8", "8", "8"]
    assert main([*call, "--steps", "2", "--device", "cpu", "--out", str(out)]) == 0
    (row,) = rows_of(out / "lam.csv")
    assert (row["di"], row["undefined_gradients"]) == ("", str(2 * 3 * 64))
    assert "1 of 1 maps are zero everywhere" in capsys.readouterr().out


def test_without_images_the_windows_are_those_of_a_study(trained: Path, capsys):
    out = trained / "out"
    call = ["--models", "bicubic", "--scale", "2", "--steps", "1", "--no-figures", "--device", "cpu", "--out", str(out)]
    assert main(call) == 0
    rows = rows_of(out / "lam.csv")
    places = [(row["image"], int(row["window_x"]), int(row["window_y"]), row["window_size"]) for row in rows]
    evenly = [(120, 120), (56, 56), (184, 56), (56, 184), (184, 184)]  # (2 i + 1) * 256 / (2 n) - 8, for n = 1 and 2
    assert len(places) == len(set(places)) == 18
    assert is_of(out / "lam.csv")
    for name in ("chelsea.png", "astronaut.png", "coffee.png"):
        assert {(name, x, y, "16") for x, y in evenly} <= set(places)
    capsys.readouterr()
    assert main([*call, "--window", "8", "8", "8"]) == 2
    assert "--window and --grid are windows of images. Add --image FILE, or leave them out." in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--window", "70", "0", "16"], "Window 70 0 16 leaves a.png"),
        (["--models", "baseline"], "has no finished run of baseline x2. There are: small_a, small_b"),
        (["--models", "safmm"], "No variant or model 'safmm'"),
        (["--weights", "a.pt"], "--weights has 1 files for 2 models"),
        (["--method", "salency"], "Did you mean 'saliency'"),
        (["--image", "nowhere.png"], "No file nowhere.png"),
        (["--window"], "--image: its windows are missing. Add --grid N SIZE, or --window X Y SIZE."),
        (["--steps", "0"], "--steps 0 is not a whole number of at least 1"),
        (["--step-batch", "0"], "--step-batch 0 is not a whole number of at least 1"),
        (["--device", "cuda:9"], "Device 'cuda:9' is not there"),
    ],
)
def test_wrong_call_is_one_clear_paragraph(
    trained: Path, make_images: Callable[..., Path], change: list[str], message: str, capsys
):
    image = make_images(trained / "images", "a.png") / "a.png"
    where = [] if change[0] == "--window" else ["--window", "8", "8", "8"]
    change = [] if change == ["--window"] else change
    out = trained / "out"
    assert main([*command(trained, "--image", str(image), "--out", str(out)), *where, *change]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.strip().count("\n") == 0
    assert not out.exists()


@pytest.mark.gpu
def test_gpu_gives_the_map_of_the_cpu():
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    torch.manual_seed(0)
    network, window = freeze(SAFMN(SAFMNConfig(dim=8, n_blocks=2), scale=2)), Window(10, 6, 8)
    picture = picture_of("p", np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8), 2)
    slow = look(Subject("a", "a", network, ""), picture, window, method="lam", steps=20, device=CPU)
    gpu = torch.device("cuda")
    fast = look(Subject("a", "a", network.to(gpu), ""), picture, window, method="lam", steps=20, device=gpu)
    assert fast.di == pytest.approx(slow.di, abs=0.01)
    difference = fast.attribution.values - slow.attribution.values
    assert float(difference.norm() / slow.attribution.values.norm()) < 1e-2


def test_pictures_of_one_name_from_two_folders_keep_figures_of_their_own(tmp_path: Path):
    files = [tmp_path / "a" / "zebra.png", tmp_path / "b" / "zebra.png"]
    assert lam_command.distinct_names(files) == ["a/zebra.png", "b/zebra.png"]
    assert lam_command.distinct_names(files[:1]) == ["zebra.png"]
