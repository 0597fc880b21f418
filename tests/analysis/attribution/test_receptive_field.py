"""The effective receptive field against fields known by construction."""

import numpy as np
import pytest
import torch
from torch import nn

from safmn_bench.analysis.attribution.receptive_field import receptive_field, sides_at
from safmn_bench.models.safmn import SAFMN, SAFMNConfig


def noise(count: int, height: int = 9, width: int = 11) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(1, 3, height, width, generator=generator) for _ in range(count)]


def test_the_field_of_a_bare_3x3_convolution_is_its_3x3():
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 3, 3, padding=1)
    expected = np.zeros((9, 11))
    # SR at the centre sums over the outputs; each LR pixel moves it by their weights
    expected[3:6, 4:7] = conv.weight.detach().sum(dim=0).abs().sum(dim=0).numpy()
    assert receptive_field(conv, noise(2)) == pytest.approx(expected, abs=1e-6)
    assert np.count_nonzero(receptive_field(conv, noise(1))) == 9
    assert sides_at(receptive_field(conv, noise(1)), [1.0]) == [3]


def test_the_centre_of_an_enlarging_network_is_all_that_its_pixel_becomes():
    field = receptive_field(nn.Upsample(scale_factor=4), noise(1))
    expected = np.zeros((9, 11))
    expected[4, 5] = 3 * 16  # colours, and SR pixels of one LR pixel
    assert np.array_equal(field, expected)


def test_sides_of_known_fields():
    assert sides_at(np.ones((9, 9)), [1 / 81, 0.1, 0.5, 1.0]) == [1, 3, 7, 9]  # 1, 9, 49 and 81 of 81 pixels
    assert sides_at(np.eye(5), [0.2, 0.6, 1.0]) == [1, 3, 5]
    assert sides_at(np.zeros((5, 5)), [0.5]) == [0]
    assert sides_at(np.ones((8, 8)), [1.0]) == [8]  # of even sides no centred square holds all


def test_attention_over_a_pyramid_widens_the_field():
    def side(levels: int) -> int:
        torch.manual_seed(0)
        network = SAFMN(SAFMNConfig(dim=8, n_blocks=1, levels=levels), scale=2).eval()
        return sides_at(receptive_field(network, noise(4, 48, 48)), [1.0])[0]

    # to_feat 3, the depthwise 3 over 1 level, the mixer 3, to_img 3: 9 pixels; 8x8 cells reach further
    assert side(1) == 9
    assert side(4) > 20
