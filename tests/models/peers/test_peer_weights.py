"""Published weight files of the peers: every key layout that is known, and clear words for what does not fit."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from safmn_bench.models.catalog import build_model
from safmn_bench.models.errors import UserError
from safmn_bench.models.weights import load_weights

# Tensors in the published file, or in the published network where no file was at hand.
TENSORS = {"carn_m": 58, "imdn": 92, "pan": 146, "smsr": 99, "vdsr": 20, "srcnn": 6, "espcn": 6, "fsrcnn": 23}


@pytest.mark.parametrize("name", TENSORS)
def test_state_dict_has_as_many_tensors_as_published(name: str):
    assert len(build_model(name, 4).state_dict()) == TENSORS[name]


@pytest.mark.parametrize(
    ("name", "scale", "key", "shape"),
    [
        ("carn", 2, "b3.b3.body.2.weight", (64, 64, 3, 3)),
        ("carn_m", 2, "upsample.up4.body.3.weight", (256, 16, 3, 3)),
        ("ecbsr_m16c64", 4, "backbone.17.conv1x1_lpl.mask", (16, 1, 3, 3)),
        ("ecbsr_m16c64", 4, "backbone.16.conv1x1_3x3.k0", (128, 64, 1, 1)),
        ("edsr_baseline", 4, "upsample.2.weight", (256, 64, 3, 3)),
        ("edsr_baseline", 3, "body.15.conv2.bias", (64,)),
        ("fsrcnn", 2, "mid_part.10.weight", (56, 12, 1, 1)),
        ("imdn", 4, "IMDB6.cca.conv_du.2.weight", (64, 4, 1, 1)),
        ("lapar_a", 2, "w_conv.body.3.reduction.weight_v", (32, 128, 3, 3)),
        ("lapar_a", 2, "w_conv.head.0.weight_g", (32, 1, 1, 1)),
        ("lapar_a", 2, "decom_conv.weight", (72, 1, 5, 5)),
        ("lapsrn", 4, "convt_F2.0.cov_block.20.weight", (64, 64, 3, 3)),
        ("pan", 4, "HRconv2.weight", (24, 24, 3, 3)),
        ("pan", 2, "SCPA_trunk.15.PAConv.k2.bias", (20,)),
        ("shufflemixer", 4, "upsapling.3.weight", (256, 64, 1, 1)),
        ("shufflemixer", 4, "blocks.4.net.1.norm2.body.weight", (64,)),
        ("smsr", 2, "body.4.spa_mask.5.weight", (16, 2, 3, 3)),
        ("smsr", 2, "body.4.body.ch_mask", (1, 64, 4, 2)),
        ("vdsr", 2, "residual_layer.17.conv.weight", (64, 64, 3, 3)),
    ],
)
def test_published_key_and_shape(name: str, scale: int, key: str, shape: tuple[int, ...]):
    assert build_model(name, scale).state_dict()[key].shape == shape


def saved(path: Path, state: dict[str, torch.Tensor]) -> Path:
    torch.save(state, path)
    return path


def assert_same_weights(network: nn.Module, other: nn.Module) -> None:
    assert all(torch.equal(value, other.state_dict()[key]) for key, value in network.state_dict().items())


def test_published_carn_m_loads_strictly(shared: Callable[[str], Path]):
    network = build_model("carn_m", 3)
    assert load_weights(network, shared("weights/carn_m.pth")).picked == "the whole file"
    assert network.state_dict()["sub_mean.shifter.bias"].tolist() == pytest.approx([-0.4488, -0.4371, -0.4040])


def test_mean_shift_of_carn_m_is_the_published_one(shared: Callable[[str], Path]):
    published = torch.load(shared("weights/carn_m.pth"), map_location="cpu", weights_only=True)
    fresh = build_model("carn_m", 2).state_dict()
    assert all(torch.equal(fresh[key], published[key]) for key in fresh if "shifter" in key)


def test_edsr_loads_the_authors_layout(tmp_path: Path):
    source = build_model("edsr_baseline", 4)
    names = {"conv_first": "head.0", "conv_after_body": "body.16", "conv_last": "tail.1"}
    names |= {f"upsample.{i}": f"tail.0.{i}" for i in (0, 2)}
    for i in range(16):
        names |= {f"body.{i}.conv1": f"body.{i}.body.0", f"body.{i}.conv2": f"body.{i}.body.2"}
    state = {f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": v for key, v in source.state_dict().items()}
    state |= {f"{sign}_mean.{kind}": torch.zeros(3) for sign in ("sub", "add") for kind in ("weight", "bias")}
    network = build_model("edsr_baseline", 4)
    load_weights(network, saved(tmp_path / "edsr.pt", state))
    assert_same_weights(network, source)


def test_espcn_loads_the_other_layout(tmp_path: Path):
    source = build_model("espcn", 3)
    names = {"first_part.0": "conv1", "first_part.2": "conv2", "last_part.0": "conv3"}
    state = {f"{names[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": v for key, v in source.state_dict().items()}
    network = build_model("espcn", 3)
    load_weights(network, saved(tmp_path / "espcn.pt", state))
    assert_same_weights(network, source)


def test_lapar_loads_new_style_weight_normalisation(tmp_path: Path):
    source = build_model("lapar_a", 2)
    new = (("weight_g", "parametrizations.weight.original0"), ("weight_v", "parametrizations.weight.original1"))
    state = source.state_dict()
    for classic, parametrised in new:
        state = {key.replace(classic, parametrised): value for key, value in state.items()}
    network = build_model("lapar_a", 2)
    load_weights(network, saved(tmp_path / "lapar.pt", state))
    assert_same_weights(network, source)


def test_imdn_loads_keys_with_the_prefix_of_data_parallel_training(tmp_path: Path):
    source = build_model("imdn", 2)
    state = {f"module.{key}": value for key, value in source.state_dict().items()}
    network = build_model("imdn", 2)
    load_weights(network, saved(tmp_path / "imdn.pth", state))
    assert_same_weights(network, source)


def test_pickled_vdsr_is_refused_and_the_conversion_named(tmp_path: Path):
    torch.save({"epoch": 50, "model": build_model("vdsr", 2)}, tmp_path / "model_epoch_50.pth")
    with pytest.raises(UserError, match=r"a whole pickled module\), which could run code.*models/peers/vdsr\.py"):
        load_weights(build_model("vdsr", 2), tmp_path / "model_epoch_50.pth")


def test_converted_vdsr_loads(tmp_path: Path):
    source = build_model("vdsr", 2)
    network = build_model("vdsr", 4)  # one network for all scales
    torch.save({"params": source.state_dict()}, tmp_path / "vdsr.pth")
    assert load_weights(network, tmp_path / "vdsr.pth").picked == "key `params`"
    assert_same_weights(network, source)


def test_lapsrn_of_the_well_known_port_does_not_fit_and_the_kernel_is_named(tmp_path: Path):
    state = build_model("lapsrn", 4).state_dict()
    state["convt_F1.0.cov_block.20.weight"] = torch.zeros(64, 64, 4, 4)
    with pytest.raises(UserError, match=r"convt_F1.0.cov_block.20.weight has shape \(64, 64, 4, 4\), expected"):
        load_weights(build_model("lapsrn", 4), saved(tmp_path / "lapsrn.pt", state))
