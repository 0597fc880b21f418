"""`import safmn_bench as sb`: plain modules in, frozen results out; light to import, and networks stay as they are."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import torch
from made_records import made_record, write_run
from own_networks import write_networks
from torch import nn

import safmn_bench as sb
from safmn_bench.ablations.evaluate import main as evaluate
from safmn_bench.models.native.form import native_form
from safmn_bench.results import Shown


class Nearest(nn.Module):
    """By 2; without parameters, and without saying its scale."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.interpolate(x, scale_factor=2.0)


class Small(nn.Module):
    """One 3x3 convolution 3 -> 12 and pixel shuffle, with a dropout that only evaluation mode silences."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.drop = nn.Conv2d(3, 12, 3, padding=1), nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.drop(nn.functional.pixel_shuffle(self.conv(x), 2))


@pytest.fixture
def small() -> Small:
    torch.manual_seed(0)
    return Small()


@pytest.fixture
def photo() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def test_import_brings_nothing_heavy_and_tells_all_its_names():
    code = (
        "import sys, safmn_bench as sb\n"
        "assert not {'torch', 'numpy', 'pandas', 'matplotlib', 'PIL', 'importlib.metadata'} & set(sys.modules)\n"
        "assert set(sb.__all__) <= set(dir(sb)) and sb.__version__.count('.') == 2\n"
        "try: sb.nothing\n"
        "except AttributeError as error: assert 'nothing' in str(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_every_name_is_there_and_documented():
    assert all(getattr(sb, name).__doc__ for name in sb.__all__)


def test_counts_are_those_by_hand(small: Small):
    found = sb.count(small, lr=(10, 8))
    assert (found.parameters, found.macs, found.activations) == (27 * 12 + 12, 27 * 12 * 80, 12 * 80)
    assert found.uncounted == {"pixel_shuffle": 1}
    assert "<td>336</td>" in found._repr_html_()


def test_networks_by_name_are_those_of_the_commands(tmp_path: Path):
    name = write_networks(tmp_path)["RepNet"]
    network = sb.create_model(name, 2)
    torch.save(network.state_dict(), tmp_path / "w.pth")
    again = sb.create_model(name, 2, tmp_path / "w.pth")
    x = torch.rand(1, 3, 13, 7)
    with torch.no_grad():
        assert torch.equal(again(x), network(x))
    assert not network.training
    with pytest.raises(sb.UserError, match="Did you mean 'safmn'"):
        sb.create_model("safnm")


def test_scores_are_those_of_evaluate(photographs: Path, tmp_path: Path):
    found = sb.evaluate(sb.create_model("bicubic", 2), photographs / "score")
    call = ["--model", "bicubic", "--scale", "2", "--benchmarks", str(photographs / "score")]
    assert evaluate([*call, "--csv", str(tmp_path / "s.csv")]) == 0
    mean = (tmp_path / "s.csv").read_text().splitlines()[-1].split(",")
    assert mean[5:7] == [str(found["score"]["psnr_y_db"]), str(found["score"]["ssim_y"])]
    assert [image.name for image in found.scores[0].images] == ["0", "1"]
    assert found.protocol.startswith("Protocol x2: PSNR (dB)")


def test_upscale_takes_arrays_pictures_and_files(photo: np.ndarray, tmp_path: Path):
    expected = photo.repeat(2, 0).repeat(2, 1)
    PIL.Image.fromarray(photo).save(tmp_path / "a.png")
    for image in (photo, PIL.Image.fromarray(photo), tmp_path / "a.png", str(tmp_path / "a.png")):
        assert np.array_equal(np.asarray(sb.upscale(Nearest(), image)), expected)


def test_attribution_tells_map_and_di(small: Small, photo: np.ndarray):
    found = sb.attribute(small, photo, (20, 16, 8), steps=3)
    assert found.magnitude.shape == (24, 32)
    seen = np.argwhere(found.magnitude)  # LR rows 8..12 and columns 10..14 make the window and one pixel more
    assert (seen.min(0) == [7, 9]).all()
    assert (seen.max(0) == [13, 15]).all()
    assert found.di is not None
    assert 0 < found.di < 100 * 49 / (24 * 32)
    assert "data:image/png;base64," in found._repr_html_()


def test_latency_orders_its_figures(small: Small):
    found = sb.latency(small, lr=(8, 6), runs=10)
    assert 0 < found.p10_ms <= found.median_ms <= found.p90_ms
    assert (found.runs, found.lr) == (10, (8, 6))
    assert "one network, in this process" in found._repr_html_()


def test_network_keeps_its_mode_its_gradients_and_its_bits(small: Small, photo: np.ndarray, photographs: Path):
    small.train()
    before = {key: value.clone() for key, value in small.state_dict().items()}
    sb.count(small, lr=(8, 8))
    sb.latency(small, lr=(8, 8), runs=1)
    sb.evaluate(small, photographs / "score")
    sb.attribute(small, photo, (20, 16, 8), steps=1)
    assert small.training
    assert all(parameter.requires_grad for parameter in small.parameters())
    assert all(torch.equal(value, before[key]) for key, value in small.state_dict().items())


def test_runs_are_data_frames(tmp_path: Path):
    write_run(tmp_path, made_record("baseline", 0))
    runs = sb.load_runs(tmp_path)
    assert isinstance(runs, sb.RunFrames)
    assert set(runs.scores["variant"]) == {"baseline"}


def test_results_are_frozen_and_their_text_is_escaped(small: Small):
    with pytest.raises(dataclasses.FrozenInstanceError):
        sb.count(small, lr=(8, 8)).macs = 0  # type: ignore[misc]

    class Sly(Shown):
        def cells(self) -> list[tuple[str, ...]]:
            return [("<b>",), ("<script>",)]

        def remarks(self) -> list[str]:
            return ["a & b"]

    assert Sly()._repr_html_() == (
        "<table><thead><tr><th>&lt;b&gt;</th></tr></thead><tbody><tr><td>&lt;script&gt;</td></tr></tbody></table>"
        "<p><small>a &amp; b</small></p>"
    )


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: sb.count(Nearest(), lr=(0, 3)), "give LR pixels as (width, height)"),
        (lambda: sb.evaluate(nn.Identity()), "The network enlarges by 1, and is scored at 2, 3, 4."),
        (lambda: sb.evaluate(nn.Conv2d(3, 4, 3)), "where (1, 3, scale H, scale W) is expected"),
        (lambda: sb.upscale(Nearest(), np.zeros((4, 4), np.uint8)), "Allowed: a file, a PIL image, or uint8 (H, W, 3)"),
        (lambda: sb.attribute(Nearest(), np.zeros((64, 64, 3), np.uint8), (60, 60, 8)), "leaves the image"),
        (lambda: sb.latency(Nearest(), runs=0), "--runs 0"),
    ],
)
def test_wrong_input_is_told_in_a_sentence(call, sentence: str):
    with pytest.raises(sb.UserError) as error:
        call()
    assert sentence in str(error.value)


@pytest.mark.slow
def test_the_native_form_enlarges_to_within_a_level():
    """Compiled for a network of this size; rounding to 8 bits may fall to the other side."""
    network, image = sb.create_model("safmn", 2), np.random.default_rng(0).integers(0, 256, (40, 52, 3), np.uint8)
    ours, other = (np.asarray(sb.upscale(form, image)).astype(int) for form in (network, native_form(network)))
    assert np.abs(ours - other).max() <= 1
    assert ours.std() > 5
