"""LAPAR's dictionary: 51 Gaussian atoms computed, 21 of its own rule until a checkpoint brings the authors'."""

import math

import pytest
import torch

from safmn_bench.models.peers.lapar import LAPAR, WeightNormConv, difference_atoms, gaussian, gaussian_atoms


def test_dictionary_has_51_gaussians_and_21_differences_that_all_sum_to_1():
    assert (gaussian_atoms().shape, difference_atoms().shape) == ((51, 5, 5), (21, 5, 5))
    atoms = torch.cat([gaussian_atoms(), difference_atoms()])
    assert torch.allclose(atoms.sum(dim=(1, 2)), torch.ones(72, dtype=torch.float64), atol=1e-14)
    assert (gaussian_atoms() > 0).all()
    assert (difference_atoms()[:, 2, 2] < 0).all()


def test_all_atoms_are_different():
    atoms = torch.cat([gaussian_atoms(), difference_atoms()]).flatten(1)
    distances = torch.cdist(atoms, atoms) + torch.eye(72)
    assert distances.min() > 1e-3


def test_isotropic_gaussian_by_hand():
    centre, side, corner = 1.0, math.exp(-1 / (2 * 0.16)), math.exp(-2 / (2 * 0.16))
    far = math.exp(-4 / (2 * 0.16)) * 4 + math.exp(-5 / (2 * 0.16)) * 8 + math.exp(-8 / (2 * 0.16)) * 4
    assert gaussian(0.4)[2, 2] == pytest.approx(centre / (centre + 4 * side + 4 * corner + far), abs=1e-14)
    assert torch.equal(gaussian_atoms()[-1], gaussian(0.4))


def test_turned_by_a_right_angle_a_gaussian_is_transposed():
    assert torch.allclose(gaussian(2.0, 0.4, math.pi / 2), gaussian(2.0, 0.4).T, atol=1e-15)
    wide = gaussian(2.0, 0.4)
    assert wide[2, 4] > wide[4, 2]  # long along the rows at angle 0


def test_only_a_network_with_its_own_atoms_warns():
    network = LAPAR(scale=2)
    assert "21 of the dictionary's 72 atoms" in network.caveats()[0]
    state = network.state_dict()
    state["decom_conv.weight"] = state["decom_conv.weight"] + 0.01
    network.load_state_dict(state)
    assert network.caveats() == []


def test_dictionary_is_a_buffer_of_the_state_dict_and_no_parameter():
    network = LAPAR(scale=2)
    assert "decom_conv.weight" in network.state_dict()
    assert "decom_conv.weight" not in dict(network.named_parameters())


def test_weight_normalisation_starts_as_torch_initialises_and_is_torchs():
    torch.manual_seed(0)
    mine = WeightNormConv(4, 6)
    plain = torch.nn.Conv2d(4, 6, 3, padding=1)
    plain.load_state_dict({"weight": mine.weight_v, "bias": mine.bias})
    x = torch.randn(1, 4, 5, 5)
    assert torch.allclose(mine(x), plain(x), atol=1e-6)
    with torch.no_grad():
        mine.weight_g.mul_(3.0)
        mine.weight_v.mul_(0.1)
    reference = torch.nn.utils.parametrizations.weight_norm(plain)
    with torch.no_grad():
        reference.parametrizations.weight.original0.copy_(mine.weight_g)  # type: ignore[union-attr]
        reference.parametrizations.weight.original1.copy_(mine.weight_v)  # type: ignore[union-attr]
    assert torch.allclose(mine(x), reference(x), atol=1e-6)


@torch.inference_mode()
def test_coefficients_that_pick_one_atom_filter_the_bicubic_image():
    network = LAPAR(scale=2).eval()
    last = network.w_conv.tail.w_conv
    last.weight_g.zero_()
    last.bias.zero_()
    last.bias[50] = 1.0  # the narrow Gaussian
    rgb = torch.rand(1, 3, 6, 7)
    up = torch.nn.functional.interpolate(rgb, scale_factor=2, mode="bicubic")
    padded = torch.nn.functional.pad(up, (2, 2, 2, 2), mode="reflect")
    kernel = gaussian(0.4).float().expand(3, 1, 5, 5)
    assert torch.allclose(network(rgb), torch.nn.functional.conv2d(padded, kernel, groups=3), atol=1e-5)
