"""SAFMN: shapes at any size, the published key layout, and the mathematics of its blocks against other formulations."""

import pytest
import torch
import torch.nn.functional as F

from safmn_bench.models.blocks import FrozenBatchNorm2d, L2Norm2d, LayerNorm2d
from safmn_bench.models.errors import UserError
from safmn_bench.models.fast import optimise
from safmn_bench.models.safmn import SAFM, SAFMN, SAFMNConfig
from safmn_bench.models.variants import VARIANTS

# The layout of the published SAFMN files, by block; typed from the published x2 file.
BLOCK_KEYS = [
    *("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias"),
    *(f"safm.mfr.{level}.{part}" for level in range(4) for part in ("weight", "bias")),
    *("safm.aggr.weight", "safm.aggr.bias", "ccm.ccm.0.weight", "ccm.ccm.0.bias", "ccm.ccm.2.weight", "ccm.ccm.2.bias"),
]


def test_state_dict_keys_are_the_published_ones():
    expected = {"to_feat.weight", "to_feat.bias", "to_img.0.weight", "to_img.0.bias"}
    expected |= {f"feats.{block}.{key}" for block in range(8) for key in BLOCK_KEYS}
    assert set(SAFMN(SAFMNConfig(), scale=4).state_dict()) == expected


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 9), (7, 3), (37, 53)])
def test_output_is_scale_times_the_input_at_any_size(scale: int, size: tuple[int, int]):
    network = SAFMN(SAFMNConfig(n_blocks=1), scale=scale)
    assert network(torch.rand(2, 3, *size)).shape == (2, 3, scale * size[0], scale * size[1])


@pytest.mark.parametrize("name", VARIANTS)
def test_every_variant_enlarges_and_every_weight_gets_a_gradient(name: str):
    network = VARIANTS[name].build(4)
    out = network(torch.rand(1, 3, 16, 24))
    assert out.shape == (1, 3, 64, 96)
    out.square().mean().backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in network.parameters())


@pytest.mark.parametrize("name", VARIANTS)
def test_fast_form_equals_the_plain_one(name: str):
    torch.manual_seed(3)
    plain = VARIANTS[name].build(4).eval()
    fast = VARIANTS[name].build(4).eval()
    fast.load_state_dict(plain.state_dict())
    x = torch.rand(1, 3, 37, 53)
    with torch.no_grad():
        expected, got = plain(x), optimise(fast)(x)
    assert (got - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_layer_norm_equals_torchs_over_the_last_axis():
    norm = LayerNorm2d(12)
    torch.nn.init.normal_(norm.weight)
    torch.nn.init.normal_(norm.bias)
    x = torch.randn(2, 12, 5, 7)
    expected = F.layer_norm(x.movedim(1, -1), (12,), norm.weight, norm.bias, 1e-6).movedim(-1, 1)
    torch.testing.assert_close(norm(x), expected)


def test_frozen_batch_norm_equals_batch_norm_in_evaluation_and_has_no_parameters():
    frozen, live = FrozenBatchNorm2d(6), torch.nn.BatchNorm2d(6)
    state = {key: torch.rand(6) + 0.5 for key in ("weight", "bias", "running_mean", "running_var")}
    frozen.load_state_dict(state)
    live.load_state_dict(state, strict=False)
    x = torch.randn(2, 6, 4, 4)
    torch.testing.assert_close(frozen(x), live.eval()(x))
    assert list(frozen.parameters()) == []


def test_l2_norm_leaves_unit_vectors():
    lengths = L2Norm2d(6)(torch.randn(2, 6, 4, 4)).square().sum(1).sqrt()
    torch.testing.assert_close(lengths, torch.ones(2, 4, 4))


def test_safm_is_equations_1_to_3_written_out():
    torch.manual_seed(0)
    safm, x = SAFM(SAFMNConfig()), torch.randn(1, 36, 17, 22)
    levels = []
    for i, group in enumerate(torch.split(x, 9, dim=1)):
        size = (17 // 2**i, 22 // 2**i)
        pooled = F.adaptive_max_pool2d(group, size)
        filtered = F.conv2d(pooled, safm.mfr[i].weight, safm.mfr[i].bias, padding=1, groups=9)  # type: ignore[arg-type]
        rows, columns = (torch.arange(n) * s // n for n, s in zip((17, 22), size, strict=True))
        levels.append(filtered[:, :, rows][:, :, :, columns])  # nearest neighbour
    joined = torch.cat(levels, dim=1)
    weight, bias = safm.aggr.parameters()
    attention = F.gelu(torch.einsum("oi,bihw->bohw", weight[:, :, 0, 0], joined) + bias[:, None, None])
    torch.testing.assert_close(safm(x), attention * x)


def test_pooling_sees_the_whole_pyramid():
    """One input pixel reaches at least an 8x8 neighbourhood through the coarsest level."""
    torch.manual_seed(0)
    safm, x = SAFM(SAFMNConfig(modulate=False)), torch.zeros(1, 36, 32, 32)
    touched = x.clone()
    touched[0, :, 12, 12] = 5.0
    changed = (safm(touched) - safm(x)).abs().sum(1)[0] > 1e-6
    assert changed.any(1).sum() >= 24  # 3 cells of 8 rows: the 3x3 convolution at 1/8 of the size
    assert changed.any(0).sum() >= 24


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dim": 38}, "multiple of 4, such as 40"),
        ({"n_blocks": 0}, "model.n_blocks=0 is not a whole number from 1 to 1024"),
        ({"norm": "layr"}, "Did you mean 'layer'"),
        ({"pooling": "median"}, "Known: max, avg, nearest"),
        ({"modulate": "yes"}, "not true or false"),
        ({"expansion": 0.001}, "leaves 1 to 65536 hidden channels"),
    ],
)
def test_unusable_configuration_says_what_is_allowed(fields: dict, message: str):
    with pytest.raises(UserError, match=message):
        SAFMNConfig(**fields)
