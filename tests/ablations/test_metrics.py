"""PSNR and SSIM against hand-computed literals and against scikit-image in the settings that make it equal."""

import math
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from safmn_bench.ablations import image_quality
from safmn_bench.ablations.image_quality import full_plane, luma_plane, psnr_db, ssim
from safmn_bench.ablations.metrics import METRICS, further_metrics, metrics_in
from safmn_bench.models.errors import UserError

psnr_y_db, ssim_y, psnr_rgb_db = (METRICS[name].of for name in ("psnr_y_db", "ssim_y", "psnr_rgb_db"))


def pair(height: int, width: int, noise: float = 20.0) -> tuple[torch.Tensor, torch.Tensor]:
    """A random uint8 image (3, H, W) and a noisy copy."""
    rng = np.random.default_rng(height * width)
    hr = rng.integers(0, 256, (3, height, width))
    sr = np.clip(hr + rng.normal(0, noise, hr.shape), 0, 255)
    return torch.from_numpy(sr.astype(np.uint8)), torch.from_numpy(hr.astype(np.uint8))


def solid(red: int, green: int, blue: int, size: int = 24) -> torch.Tensor:
    return torch.tensor([red, green, blue], dtype=torch.uint8).view(3, 1, 1).expand(3, size, size)


@pytest.mark.parametrize(
    ("rgb", "expected"),
    [
        ((0, 0, 0), 16.0),
        ((255, 255, 255), 235.0),
        ((255, 0, 0), 81.481),
        ((0, 255, 0), 144.553),
        ((0, 0, 255), 40.966),
        ((100, 150, 200), 16 + (6548.1 + 19282.95 + 4993.2) / 255),
    ],
)
def test_luma_is_that_of_matlab_rgb2ycbcr_unrounded(rgb: tuple[int, int, int], expected: float):
    assert luma_plane(solid(*rgb))[0, 0].item() == pytest.approx(expected, abs=1e-12)


def test_full_plane_of_a_grey_image_is_its_plane():
    plane = torch.arange(256, dtype=torch.uint8).view(1, 16, 16).expand(3, 16, 16)
    assert torch.equal(full_plane(plane), plane[0].double())


def test_psnr_of_a_plane_offset_by_one_grey_level_is_48_1308_db():
    a = torch.full((20, 20), 100.0)
    assert psnr_db(a, a + 1, 2) == pytest.approx(48.1308, abs=5e-5)  # 10 log10(255^2)


def test_psnr_of_an_rgb_image_offset_by_one_level_is_49_4527_db():
    assert psnr_y_db(solid(100, 100, 100), solid(101, 101, 101), 2) == pytest.approx(49.4527, abs=5e-5)
    assert 10 * math.log10(255**2 / (219 / 255) ** 2) == pytest.approx(49.4527, abs=5e-5)


@pytest.mark.parametrize(("red", "green", "blue"), [(101, 100, 100), (100, 101, 100), (100, 100, 99)])
def test_psnr_rgb_weighs_the_channels_alike(red: int, green: int, blue: int):
    assert psnr_rgb_db(solid(100, 100, 100), solid(red, green, blue), 2) == pytest.approx(
        10 * math.log10(3 * 255**2), abs=1e-12  # a third of the values is off by one level
    )  # fmt: skip


def test_psnr_of_a_known_error():
    a = torch.zeros(4, 4)
    b = a.clone()
    b[1, 1] = 16.0  # mean squared error 256 / 16 = 16
    assert psnr_db(a, b, 0) == pytest.approx(10 * math.log10(65025 / 16), abs=1e-12)


def test_border_is_not_scored():
    sr, hr = pair(40, 50)
    changed = sr.clone()
    changed[:, :4], changed[:, -4:], changed[..., :4], changed[..., -4:] = 0, 0, 0, 0
    assert psnr_y_db(changed, hr, 4) == psnr_y_db(sr, hr, 4)
    assert ssim_y(changed, hr, 4) == ssim_y(sr, hr, 4)


def test_identical_images_have_infinite_psnr_and_ssim_1():
    _, hr = pair(30, 30)
    assert psnr_y_db(hr, hr, 2) == math.inf
    assert ssim_y(hr, hr, 2) == pytest.approx(1.0, abs=1e-12)


def test_ssim_of_two_flat_images_is_the_luminance_term():
    a, b = torch.full((11, 11), 100.0), torch.full((11, 11), 120.0)
    c1 = 6.5025
    assert ssim(a, b, 0) == pytest.approx((2 * 100 * 120 + c1) / (100**2 + 120**2 + c1), abs=1e-12)


@pytest.mark.parametrize("size", [(19, 19), (31, 40), (33, 35), (64, 131), (120, 97)])
@pytest.mark.parametrize("border", [0, 2, 4])
def test_equal_to_scikit_image_in_the_equal_settings(size: tuple[int, int], border: int):
    sr, hr = pair(*size)
    inside = (slice(border, size[0] - border), slice(border, size[1] - border))
    a, b = luma_plane(sr)[inside].numpy(), luma_plane(hr)[inside].numpy()
    settings = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    assert ssim_y(sr, hr, border) == pytest.approx(structural_similarity(a, b, **settings), abs=1e-10)
    assert psnr_y_db(sr, hr, border) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=255), abs=1e-10)
    rgb = [image[(slice(None), *inside)].numpy() for image in (sr, hr)]
    assert psnr_rgb_db(sr, hr, border) == pytest.approx(peak_signal_noise_ratio(*rgb, data_range=255), abs=1e-10)


def test_images_that_cannot_be_scored_are_refused():
    sr, hr = pair(16, 16)
    with pytest.raises(ValueError, match="leave less than 11 within a border of 3"):
        ssim_y(sr, hr, 3)
    with pytest.raises(ValueError, match="differ in size"):
        psnr_y_db(sr, hr[:, 1:], 0)


def test_metrics_of_a_megapixel_take_less_than_two_seconds():
    sr, hr = pair(1000, 1000)
    started = time.perf_counter()
    psnr_y_db(sr, hr, 4)
    ssim_y(sr, hr, 4)
    assert time.perf_counter() - started < 2  # about 0.2 s on one idle core


def test_only_psnr_y_and_ssim_y_are_scored_without_being_asked_for():
    assert [metric.name for metric in metrics_in([])] == ["psnr_y_db", "ssim_y"]
    assert further_metrics(["PSNR-RGB-dB", "ssim_y"]) == ("psnr_rgb_db",)


def test_unknown_metric_suggests_the_nearest():
    with pytest.raises(UserError) as told:
        further_metrics(["psnr_rgb"])
    assert str(told.value) == (
        "No metric 'psnr_rgb'. Did you mean 'psnr_rgb_db' or 'psnr_y_db'? Known: psnr_y_db, ssim_y, psnr_rgb_db. Name "
        "one or more after --metrics."
    )


def made_pair() -> tuple[torch.Tensor, torch.Tensor]:
    """An image by formula and one off by up to 16 levels, uint8 (3, 24, 26)."""
    y, x = np.mgrid[:24, :26]
    hr = np.stack([(7 * x + 3 * y + 40 * channel) % 200 + 20 + (x * y + channel) % 5 for channel in range(3)])
    error = (5 * x + 11 * y + x * y) % 17 - 8
    sr = np.clip(hr + error * np.array([1, 2, 1])[:, None, None], 0, 255)
    return torch.from_numpy(sr.astype(np.uint8)), torch.from_numpy(hr.astype(np.uint8))


@pytest.mark.parametrize(
    (
        "border",
        "psnr",
        "similarity",
    ),  # scikit-image 0.26, once, on 16 + (65.481 R + 128.553 G + 24.966 B) / 255
    [
        (2, 31.631677523491092, 0.8600395218975305),
        (3, 31.642090949929262, 0.8466460817650654),
        (4, 31.63593350626438, 0.8310570427623848),
    ],
)
def test_scores_of_luma_are_these_literals(border: int, psnr: float, similarity: float):
    sr, hr = (luma_plane(image) for image in made_pair())
    assert psnr_db(sr, hr, border) == pytest.approx(psnr, abs=1e-10)
    assert ssim(sr, hr, border) == pytest.approx(similarity, abs=1e-10)


def test_ssim_in_strips_is_that_of_the_whole_image(monkeypatch: pytest.MonkeyPatch):
    a, b = (torch.rand(97, 61, dtype=torch.float64, generator=torch.Generator().manual_seed(i)) * 255 for i in (0, 1))
    whole = image_quality.ssim(a, b, 2)
    for pixels in (1, 700, 2000, 5000):  # strips of 11 rows, of 12, of 35, and of 87 with one of 6 that is left
        monkeypatch.setattr(image_quality, "_WHOLE_PX", pixels)
        assert image_quality.ssim(a, b, 2) == pytest.approx(whole, abs=1e-14)


def test_luma_in_strips_is_the_same_to_the_last_bit(monkeypatch: pytest.MonkeyPatch):
    rgb = torch.randint(0, 256, (3, 31, 17), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    whole = image_quality.luma_plane(rgb)
    monkeypatch.setattr(image_quality, "_WHOLE_PX", 40)
    assert torch.equal(image_quality.luma_plane(rgb), whole)
    weights = torch.tensor([65481.0, 128553.0, 24966.0], dtype=torch.float64)
    assert torch.equal(whole, 16.0 + (rgb.double() * weights.view(3, 1, 1)).sum(0) / 255_000)


@pytest.mark.slow
def test_bicubic_and_ssim_of_95_megapixels_stay_under_4_gb():
    code = (
        "import torch\n"
        "from safmn_bench.ablations import image_quality\n"
        "from safmn_bench.models.resize import bicubic_uint8, lr_from_hr\n"
        "hr = torch.randint(0, 256, (3, 8000, 11904), dtype=torch.uint8)\n"
        "sr = bicubic_uint8(lr_from_hr(hr, 4), 8000, 11904)\n"
        "a, b = image_quality.luma_plane(sr), image_quality.luma_plane(hr)\n"
        "assert image_quality.psnr_db(a, b, 4) > 0 and image_quality.ssim(a, b, 4) < 1\n"
        "lines = open('/proc/self/status')  # ru_maxrss would be that of the process which started this one\n"
        "print(next(int(line.split()[1]) for line in lines if line.startswith('VmHWM')) / 2**20)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 4.0  # GiB
