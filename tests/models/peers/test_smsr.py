"""SMSR: sparse inference equals the masked form, costs what its masks say, and trains by Gumbel softmax."""

import pytest
import torch

from safmn_bench.models.peers.smsr import SMSR
from safmn_bench.models.peers.smsr_sparse import Points
from safmn_bench.profiling.counting.flops import count, count_on, counted_at

# Dense channels of 64, by module and layer, of the released x2 weights.
RELEASED = ((24, 9, 3, 0), (16, 4, 1, 0), (16, 7, 1, 0), (3, 0, 0, 0), (14, 5, 0, 0))


@pytest.fixture
def network() -> SMSR:
    """As many dense channels as the released weights have, at random places; masks from random weights."""
    torch.manual_seed(0)
    network = SMSR(scale=2).eval()
    with torch.no_grad():
        for module, counts in zip(network.body, RELEASED, strict=True):
            logits = module.get_parameter("body.ch_mask")
            logits[0, :, :, 1] = 0.5
            for layer, dense in enumerate(counts):
                logits[0, :, layer, 0] = (torch.randperm(64) < dense).float()
    return network


@pytest.fixture
def rgb() -> torch.Tensor:
    return torch.rand(2, 3, 15, 22, generator=torch.Generator().manual_seed(1))


def shares_marked(network: SMSR, rgb: torch.Tensor) -> list[int]:
    """Marked pixels in each module."""
    marked = []
    hooks = [
        module.spa_mask.register_forward_hook(  # type: ignore[union-attr]
            lambda _, __, logits: marked.append(int((logits[:, 1] > logits[:, 0]).sum()))
        )
        for module in network.body
    ]
    with torch.inference_mode():
        network(rgb)
    for hook in hooks:
        hook.remove()
    return marked


@torch.inference_mode()
def test_sparse_inference_equals_the_masked_form(network: SMSR, rgb: torch.Tensor):
    pixels = 2 * 16 * 22
    assert all(0.05 * pixels < marked < 0.95 * pixels for marked in shares_marked(network, rgb))
    sparse = network(rgb)
    network.form = "masked"
    assert (network(rgb) - sparse).abs().max() < 1e-5
    assert (network.dense_bound(rgb) - sparse).abs().max() > 1e-4  # the masks matter


@torch.inference_mode()
def test_sparse_body_equals_the_masked_body_in_double_precision(network: SMSR):
    body = network.double().body[0].body  # type: ignore[union-attr]
    x, marked = torch.randn(2, 64, 6, 7, dtype=torch.float64), torch.rand(2, 1, 6, 7) < 0.4
    expected = body.masked(x, marked.double(), body.dense_channels().double())  # type: ignore[operator, union-attr]
    assert (body.sparse(x, marked) - expected).abs().max() < 1e-12  # type: ignore[operator, union-attr]


@torch.inference_mode()
@pytest.mark.parametrize("marked", [False, True])
def test_nothing_and_everything_marked(network: SMSR, marked: bool):
    body, x = network.body[3].body, torch.randn(1, 64, 4, 4)  # type: ignore[union-attr]
    mask = torch.full((1, 1, 4, 4), marked)
    expected = body.masked(x, mask.float(), body.dense_channels().float())  # type: ignore[operator, union-attr]
    assert (body.sparse(x, mask) - expected).abs().max() < 1e-5  # type: ignore[operator, union-attr]


def test_convolution_at_points_is_the_convolution_there():
    torch.manual_seed(0)
    image, weight, mask = torch.randn(5, 6, 7), torch.randn(4, 5, 3, 3), torch.rand(6, 7) < 0.5
    points = Points(mask)
    whole = torch.nn.functional.conv2d(image[None], weight, padding=1)[0]
    assert torch.allclose(points.convolve(image, weight), whole[:, mask], atol=1e-5)


def test_measured_flops_are_those_of_the_masks(network: SMSR, rgb: torch.Tensor):
    image = rgb[:1, :, :14]  # even sides: 14 x 22
    pixels = 14 * 22
    fixed = 9 * (3 * 64 + 64 * 64) + (320 * 64 + 9 * 64 * 64) + 9 * 64 * 12  # head, collect, tail per LR pixel
    fixed += 9 * (1 + 4)  # mean shifts, before and after
    expected = pixels * fixed
    for marked, dense in zip(shares_marked(network, image), RELEASED, strict=True):
        expected += pixels * 9 * 64 * 16 + pixels // 4 * 9 * (16 * 16 + 16 * 2)  # mask branch
        before = 64
        for channels in dense:
            expected += 9 * pixels * before * channels  # dense from dense
            expected += 9 * marked * (64 * 64 - before * channels)  # all else at the marked pixels
            expected += 64 * (pixels * channels + marked * (64 - channels))  # the layer's part of the collecting 1x1
            before = channels
        expected += 2 * 64 * 4 + 64 * pixels  # channel attention; its pooling counts 1 per element
    assert count_on(network, image).flops == expected
    assert expected < 0.9 * count(*counted_at(network, 14, 22)).flops


def test_training_is_soft_random_and_adds_the_computed_share_to_the_loss(network: SMSR, rgb: torch.Tensor):
    network.train()
    first, second = network(rgb), network(rgb)
    assert not torch.equal(first, second)
    assert network.extra_loss is not None
    assert 0.1 / 255 * 0.2 < network.extra_loss.item() < 0.1 / 255  # weight x a share between nothing and all
    network.extra_loss.backward()
    module = network.body[0]
    assert module.body.ch_mask.grad.abs().sum() > 0  # type: ignore[operator, union-attr]
    assert module.spa_mask[5].weight.grad.abs().sum() > 0  # type: ignore[index, operator, union-attr]


def test_extra_loss_lowers_what_is_computed(network: SMSR, rgb: torch.Tensor):
    torch.manual_seed(0)
    network.train()
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(12):
        network(rgb[..., :6, :6])
        assert network.extra_loss is not None
        losses.append(network.extra_loss.item())
        optimizer.zero_grad()
        network.extra_loss.backward()
        optimizer.step()
    assert losses[-1] < 0.8 * losses[0]


def test_evaluation_leaves_no_extra_loss(network: SMSR, rgb: torch.Tensor):
    network(rgb)
    assert network.extra_loss is None
