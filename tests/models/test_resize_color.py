"""MATLAB's imresize and rgb2ycbcr: hand-computed literals; the golden files of Set5 are in test_benchmarks.py."""

import pytest
import torch

from safmn_bench.models import resize
from safmn_bench.models.color import luma, rgb_to_ycbcr, ycbcr_to_rgb
from safmn_bench.models.resize import bicubic, bicubic_up, lr_from_hr, taps


def test_halving_has_the_weights_of_the_widened_cubic():
    """Distances 1/4, 3/4, 5/4, 7/4 of the kernel: 0.8671875, 0.2265625, -0.0703125, -0.0234375, halved."""
    indices, weights = taps(16, 8)
    expected = torch.tensor([-0.01171875, -0.03515625, 0.11328125, 0.43359375], dtype=torch.float64)
    torch.testing.assert_close(weights[:, 4], torch.cat([expected, expected.flip(0)]), rtol=0, atol=0)
    assert indices[:, 4].tolist() == [5, 6, 7, 8, 9, 10, 11, 12]


def test_borders_are_symmetric():
    indices, _ = taps(16, 8)
    assert indices[:, 0].tolist() == [2, 1, 0, 0, 1, 2, 3, 4]
    assert indices[:, 7].tolist() == [11, 12, 13, 14, 15, 15, 14, 13]


@pytest.mark.parametrize("sizes", [(16, 4), (15, 5), (7, 14), (5, 20), (1, 3), (2, 1)])
def test_weights_sum_to_one(sizes: tuple[int, int]):
    _, weights = taps(*sizes)
    torch.testing.assert_close(weights.sum(0), torch.ones(sizes[1], dtype=torch.float64))


def test_doubling_a_step_overshoots_as_the_cubic_does():
    """Between pixels at 1/4 and 3/4: weights -0.0703125, 0.8671875, 0.2265625, -0.0234375 (Keys, a = -0.5)."""
    step = torch.tensor([[0.0, 0, 0, 1, 1, 1]], dtype=torch.float64)
    up = bicubic(step, 1, 12)[0]
    expected = [0.0, 0, 0, -0.0234375, -0.0703125, 0.203125, 0.796875, 1.0703125, 1.0234375, 1, 1, 1]
    torch.testing.assert_close(up, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-15)


def test_constant_images_stay_constant():
    assert (lr_from_hr(torch.full((3, 24, 36), 137, dtype=torch.uint8), 3) == 137).all()


def test_resize_is_differentiable_and_linear():
    x = torch.rand(2, 3, 6, 6, dtype=torch.float64, requires_grad=True)
    up = bicubic_up(x, 3)
    up.sum().backward()
    assert x.grad is not None
    assert x.grad.sum().item() == pytest.approx(up.numel())
    torch.testing.assert_close(bicubic_up(2 * x, 3), 2 * up)


def test_hr_that_is_no_multiple_is_refused():
    with pytest.raises(ValueError, match="10x9 is not a multiple of scale 2"):
        lr_from_hr(torch.zeros(3, 10, 9, dtype=torch.uint8), 2)


@pytest.mark.parametrize(
    ("rgb", "ycbcr"),  # MATLAB: rgb2ycbcr([R G B] / 255) * 255
    [
        ((0, 0, 0), (16, 128, 128)),
        ((255, 255, 255), (235, 128, 128)),
        ((255, 0, 0), (81.481, 90.203, 240)),
        ((0, 255, 0), (144.553, 53.797, 34.214)),
        ((0, 0, 255), (40.966, 240, 109.786)),
    ],
)
def test_ycbcr_has_matlabs_values(rgb: tuple[float, ...], ycbcr: tuple[float, ...]):
    pixel = torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1) / 255
    torch.testing.assert_close(rgb_to_ycbcr(pixel).flatten() * 255, torch.tensor(ycbcr, dtype=torch.float64))
    torch.testing.assert_close(luma(pixel), rgb_to_ycbcr(pixel)[:, :1])
    torch.testing.assert_close(ycbcr_to_rgb(rgb_to_ycbcr(pixel)), pixel)


@pytest.mark.parametrize(("height", "width"), [(53, 31), (24, 20), (106, 62)])
def test_resizing_a_few_lines_at_a_time_changes_no_pixel(monkeypatch: pytest.MonkeyPatch, height: int, width: int):
    image = torch.randint(0, 256, (3, 53, 31), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    whole = resize.bicubic_uint8(image, height, width)
    monkeypatch.setattr(resize, "_AT_ONCE", 1000)
    assert torch.equal(resize.bicubic_uint8(image, height, width), whole)
