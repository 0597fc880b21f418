"""ECBSR: training form, fused form and deployed form compute the same."""

import pytest
import torch
import torch.nn.functional as F

from safmn_bench.models.fast import optimise
from safmn_bench.models.peers.ecbsr import ECBSR, ExpandingBranch
from safmn_bench.models.reparameterisation import deployed


@pytest.fixture
def trained() -> ECBSR:
    """A network whose edge branches matter: strengths as after training, not 0.001."""
    torch.manual_seed(0)
    network = ECBSR(scale=2).eval()
    with torch.no_grad():
        for key, parameter in network.named_parameters():
            if key.endswith((".scale", ".bias")) and "conv1x1" in key:
                parameter.copy_(0.05 * torch.randn_like(parameter))
    return network


@pytest.fixture
def rgb() -> torch.Tensor:
    return torch.rand(2, 3, 13, 11, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def test_deployed_form_equals_the_training_form(trained: ECBSR, rgb: torch.Tensor):
    expected = trained(rgb)
    assert expected.std() > 0.1
    assert (deployed(trained)(rgb) - expected).abs().max() < 1e-5


@torch.inference_mode()
def test_merge_is_exact_in_double_precision_also_at_the_border(trained: ECBSR, rgb: torch.Tensor):
    network = trained.double()
    block, x = network.blocks()[3], torch.rand(1, 64, 5, 4, dtype=torch.float64)
    expected = block(x)
    block.fused = True
    assert (block(x) - expected).abs().max() < 1e-12


@torch.inference_mode()
def test_zero_padding_of_the_intermediate_map_would_not_merge(trained: ECBSR):
    block, x = trained.double().blocks()[3], torch.rand(1, 64, 5, 4, dtype=torch.float64)
    branch = block.branches()[0]
    assert isinstance(branch, ExpandingBranch)
    zero_padded = F.conv2d(F.conv2d(x, branch.k0, branch.b0), branch.k1, branch.b1, padding=1)
    difference = (zero_padded - branch(x)).abs()
    assert difference[..., 1:-1, 1:-1].max() < 1e-12
    assert difference.max() > 0.01


def test_fused_form_equals_the_training_form_in_output_and_gradient(trained: ECBSR, rgb: torch.Tensor):
    plain = trained(rgb)
    plain.mean().backward()
    gradients = {key: p.grad.clone() for key, p in trained.named_parameters() if p.grad is not None}
    trained.zero_grad()
    fused = optimise(trained)(rgb)
    fused.mean().backward()
    assert (fused - plain).abs().max() < 1e-5
    for key, parameter in trained.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None
            assert torch.allclose(
                parameter.grad, gradients[key], rtol=1e-3, atol=1e-9 + 1e-4 * gradients[key].abs().max().item()
            )


def test_parameters_of_the_training_form_are_the_known_ones():
    assert sum(p.numel() for p in ECBSR(scale=4).parameters()) == 2235968
    assert sum(p.numel() for p in ECBSR(scale=2).parameters()) == 2220416


def test_deployed_keys_are_plain_convolutions():
    keys = set(deployed(ECBSR(scale=2)).state_dict())
    expected = {f"backbone.{i}.conv3x3.{kind}" for i in range(18) for kind in ("weight", "bias")}
    assert keys == expected | {f"backbone.{i}.act.weight" for i in range(17)}


@torch.inference_mode()
def test_deployed_weights_load_into_the_training_form_too(trained: ECBSR, rgb: torch.Tensor):
    merged = deployed(trained)
    network = ECBSR(scale=2).eval()
    network.load_state_dict(network.adapt_state_dict(merged.state_dict()))
    assert (network(rgb) - merged(rgb)).abs().max() < 1e-5


@torch.inference_mode()
def test_without_weights_the_image_is_repeated():
    network = deployed(ECBSR(scale=2))
    assert isinstance(network, ECBSR)
    for parameter in network.parameters():
        parameter.zero_()
    y = torch.rand(1, 1, 3, 4)
    assert torch.allclose(network.enlarge_luma(y), y.repeat_interleave(2, 2).repeat_interleave(2, 3))
