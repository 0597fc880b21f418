"""MATLAB's imresize against a small literal array: runs where the shared data is not.

The values come from an independent implementation, run once: loops over output pixels in float64 (numpy, none of this
suite's code) straight from the documentation of `imresize`: Keys' kernel with a = -0.5, widened by the scale when
shrinking, mirrored borders, weights normalised to one, height first, uint8's rounding after either axis. Without the
rounding after height, 2 to 34 pixels of each array differ.
"""

import pytest
import torch

from safmn_bench.models.resize import bicubic_uint8, lr_from_hr


def made(height: int, width: int) -> torch.Tensor:
    """A picture by formula, uint8 (H, W), rough enough to reach both ends of the range."""
    y, x = torch.arange(height).unsqueeze(1), torch.arange(width)
    return ((37 * x * x + 101 * y * y + 59 * x * y + 23 * x + 11 * y) % 256).to(torch.uint8)


GOLDEN = {
    "half": (
        (10, 14),
        [
            [91, 164, 95, 169, 123, 88, 108],
            [161, 131, 53, 99, 86, 135, 71],
            [97, 96, 139, 179, 149, 114, 115],
            [118, 109, 149, 132, 138, 137, 120],
            [134, 77, 158, 125, 151, 118, 126],
        ],
    ),
    "a third": (
        (9, 15),
        [
            [130, 108, 130, 99, 110],
            [117, 111, 140, 124, 144],
            [117, 141, 130, 130, 143],
        ],
    ),
    "a quarter": (
        (16, 24),
        [
            [126, 115, 109, 126, 141, 159],
            [111, 139, 136, 131, 135, 122],
            [116, 129, 129, 137, 116, 120],
            [107, 123, 129, 140, 99, 115],
        ],
    ),
    "an odd ratio": (
        (7, 11),
        [
            [50, 148, 176, 121, 82, 177, 193, 117, 60],
            [168, 140, 147, 52, 44, 100, 98, 57, 149],
            [128, 124, 104, 145, 93, 173, 138, 127, 124],
            [70, 101, 97, 113, 158, 176, 172, 135, 188],
        ],
    ),
    "doubled": (
        (3, 4),
        [
            [0, 5, 24, 79, 170, 196, 157, 138],
            [14, 34, 76, 123, 177, 190, 163, 149],
            [74, 110, 183, 209, 188, 176, 174, 174],
            [124, 150, 203, 207, 163, 151, 170, 180],
            [164, 154, 133, 116, 103, 115, 151, 169],
            [184, 155, 98, 71, 73, 96, 141, 163],
        ],
    ),
    "trebled": (
        (2, 3),
        [
            [0, 0, 6, 17, 41, 90, 152, 197, 214],
            [0, 0, 13, 32, 60, 104, 157, 194, 209],
            [24, 33, 53, 82, 111, 139, 167, 186, 194],
            [68, 79, 109, 150, 180, 186, 181, 176, 176],
            [99, 112, 150, 200, 231, 221, 191, 168, 161],
            [110, 124, 164, 219, 250, 234, 195, 165, 156],
        ],
    ),
    "quadrupled": (
        (2, 3),
        [
            [0, 0, 2, 7, 15, 29, 55, 97, 144, 184, 206, 215],
            [0, 0, 3, 11, 23, 40, 66, 105, 147, 183, 203, 212],
            [1, 5, 14, 26, 43, 63, 87, 120, 154, 183, 198, 206],
            [30, 35, 45, 64, 87, 109, 128, 148, 166, 180, 189, 193],
            [61, 68, 81, 107, 137, 163, 177, 181, 180, 177, 177, 178],
            [90, 97, 113, 144, 181, 210, 219, 209, 191, 175, 167, 164],
            [104, 111, 129, 163, 203, 233, 240, 224, 198, 174, 163, 158],
            [110, 118, 136, 172, 214, 245, 250, 230, 200, 173, 160, 155],
        ],
    ),
}


@pytest.mark.parametrize(("size", "expected"), GOLDEN.values(), ids=GOLDEN)
def test_resized_pixels_are_matlabs_to_the_last_level(size: tuple[int, int], expected: list[list[int]]):
    got = bicubic_uint8(made(*size), len(expected), len(expected[0]))
    assert got.tolist() == expected


@pytest.mark.parametrize(("name", "scale"), [("half", 2), ("a third", 3), ("a quarter", 4)])
def test_lr_made_for_training_and_scoring_has_these_pixels(name: str, scale: int):
    size, expected = GOLDEN[name]
    assert lr_from_hr(made(*size).expand(3, -1, -1), scale).tolist() == [expected] * 3
