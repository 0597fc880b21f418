"""Tiles: equal to the whole image where that can be proven, in float64, and chosen by free memory."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from safmn_bench.ablations.scoring import tiling
from safmn_bench.ablations.scoring.tiling import Tiling, bytes_per_lr_pixel, enlarge_in_tiles, reach, tiling_for
from safmn_bench.models.errors import UserError
from safmn_bench.models.peers.imdn import IMDN
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.profiling.common.memory import free_bytes

CPU = torch.device("cpu")
SMALL = SAFMNConfig(dim=8, n_blocks=1)


def convolutions(scale: int) -> nn.Module:
    """Five 3x3 convolutions: 5 LR pixels of reach."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 6, 3, padding=1), *(nn.Conv2d(6, 6, 3, padding=1) for _ in range(3))]
    return nn.Sequential(*layers, nn.Conv2d(6, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale)).double()


@torch.inference_mode()
def largest_difference(network: nn.Module, height: int, width: int, scale: int, tiles: Tiling) -> float:
    lr = torch.rand(1, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return (enlarge_in_tiles(network, lr, scale, tiles) - network(lr)).abs().max().item()


@pytest.mark.parametrize("size", [(40, 56), (37, 51), (16, 90), (9, 9)])
@pytest.mark.parametrize("scale", [2, 3])
def test_convolutions_are_equal_in_tiles_for_any_size(size: tuple[int, int], scale: int):
    assert largest_difference(convolutions(scale), *size, scale, Tiling(16, 8)) < 1e-12


def test_too_small_an_overlap_shows():
    assert largest_difference(convolutions(2), 40, 56, 2, Tiling(16, 0)) > 1e-3


@pytest.mark.parametrize("mixer", ["ccm", "inverted_residual", "channel_mlp"])
@pytest.mark.parametrize("n_blocks", [1, 2])
def test_safmn_is_equal_in_tiles_where_lr_sides_are_multiples_of_8(mixer: str, n_blocks: int):
    torch.manual_seed(0)
    network = SAFMN(replace(SMALL, mixer=mixer, n_blocks=n_blocks), scale=2).double().eval()
    overlap = reach(network)
    assert largest_difference(network, 128, 96, 2, Tiling(16, overlap)) < 1e-12


def test_safmn_differs_slightly_where_the_pooling_grid_is_stretched():
    torch.manual_seed(0)
    network = SAFMN(SMALL, scale=2).double().eval()
    assert largest_difference(network, 125, 93, 2, Tiling(32, reach(network))) > 0


def test_reach_of_the_published_networks():
    assert reach(SAFMN(SAFMNConfig(), scale=4)) == 136  # 8 blocks x (15 + 1) + 2 = 130
    assert reach(SAFMN(replace(SAFMNConfig(), levels=1), scale=4)) == 24  # 8 x (1 + 1) + 2 = 18
    assert reach(IMDN(scale=4)) == 136  # assumed for peers
    assert reach(convolutions(2)) == 8  # measured: five 3x3 convolutions see 5, up to the next multiple of 8


def test_small_images_are_not_tiled_and_large_ones_are(monkeypatch: pytest.MonkeyPatch):
    network = SAFMN(SMALL, scale=2)
    assert tiling_for(network, 100, 100, CPU, None) is None
    assert tiling_for(network, 64, 64, CPU, 64) is None
    assert tiling_for(network, 64, 65, CPU, 64) == Tiling(64, 24)
    per_pixel = bytes_per_lr_pixel(network, CPU)
    assert per_pixel == 4.0 * 4 * (16 + 16)  # float32, hidden channels in and out of the GELU, the safety factor
    monkeypatch.setattr(tiling, "free_bytes", lambda _: int(2 * per_pixel * 100 * 100))
    assert tiling_for(network, 100, 101, CPU, None) == Tiling(48, 24)  # 48 + 2 x 24 is within 100


def test_free_memory_is_that_of_this_machine():
    assert 2**26 < free_bytes(CPU) < 2**45


def test_tile_size_off_the_grid_is_refused():
    with pytest.raises(UserError, match="Tile size 100 is not a multiple of 8 LR pixels"):
        Tiling(100)
