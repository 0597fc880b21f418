"""Weight files: every published key layout, strict loading, and errors that name key, shapes and cause."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.models.weights import load_weights, read_weights

CONFIG = SAFMNConfig(dim=8, n_blocks=2)
STATE = SAFMN(CONFIG, scale=2).state_dict()
OTHER = {key: value + 1 for key, value in STATE.items()}


def saved(tmp_path: Path, content: Any) -> Path:
    torch.save(content, tmp_path / "w.pth")
    return tmp_path / "w.pth"


@pytest.mark.parametrize(
    ("content", "picked"),
    [
        (STATE, "the whole file"),
        ({"params": STATE}, "key `params`"),
        ({"params": OTHER, "params_ema": STATE}, "key `params_ema` (also there: params)"),
        ({"state_dict": STATE, "epoch": 3}, "key `state_dict` (also there: epoch)"),
        ({"model": STATE}, "key `model`"),
        ({f"module.{key}": value for key, value in STATE.items()}, "the whole file, prefix `module.` dropped"),
        (
            {"params": {f"module.{key}": value for key, value in STATE.items()}},
            "key `params`, prefix `module.` dropped",
        ),
    ],
)
def test_published_layouts_are_recognised(tmp_path: Path, content: Any, picked: str):
    network = SAFMN(CONFIG, scale=2)
    assert load_weights(network, saved(tmp_path, content)).picked == picked
    assert all(torch.equal(value, STATE[key]) for key, value in network.state_dict().items())


def test_half_precision_files_load_into_float32(tmp_path: Path):
    network = SAFMN(CONFIG, scale=2)
    load_weights(network, saved(tmp_path, {key: value.half() for key, value in STATE.items()}))
    assert network.to_feat.weight.dtype == torch.float32
    assert torch.equal(network.to_feat.weight, STATE["to_feat.weight"].half().float())


def test_published_file_loads_strictly(shared: Callable[[str], Path]):
    assert load_weights(SAFMN(SAFMNConfig(), scale=2), shared("weights/safmn_x2.pth")).picked == "key `params`"


def test_a_network_adapts_other_key_layouts(tmp_path: Path):
    class Renamed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.new = nn.Linear(2, 2)

        def adapt_state_dict(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {key.replace("old", "new"): value for key, value in state.items()}

    network = Renamed()
    load_weights(network, saved(tmp_path, {"old.weight": torch.eye(2), "old.bias": torch.ones(2)}))
    assert torch.equal(network.new.weight, torch.eye(2))


SHAPE = r"to_img.0.weight has shape \(12, 8, 3, 3\), expected \(48, 8, 3, 3\)"


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (SAFMN(CONFIG, scale=4), SHAPE + ".* weights of scale 2, where the network is of scale 4; give --scale 2"),
        (SAFMN(replace(CONFIG, dim=12), scale=2), r"shape \(8, 3, 3, 3\), expected \(12, 3, 3, 3\).* another width"),
        (SAFMN(replace(CONFIG, n_blocks=3), scale=2), r"18 keys are missing.* number of blocks"),
        (SAFMN(replace(CONFIG, n_blocks=1), scale=2), r"18 keys are unexpected.* another number of blocks"),
        (
            SAFMN(replace(CONFIG, mixer="se"), scale=2),
            "Likely cause: weights of another variant, scale or architecture",
        ),
        (nn.Linear(2, 2), "2 keys are missing, such as weight .*Likely cause: weights of another architecture"),
    ],
)
def test_weights_that_do_not_fit_name_key_shapes_and_cause(tmp_path: Path, network: nn.Module, message: str):
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(UserError, match=message):
        load_weights(network, saved(tmp_path, {"params": STATE}))
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (nn.Linear(2, 2), "holds Python objects besides tensors .a whole pickled module., which could run code"),
        ([1, 2], "holds list, no state dict"),
        ({}, "no state dict"),
    ],
)
def test_files_without_a_state_dict_are_refused(tmp_path: Path, content: Any, message: str):
    with pytest.raises(UserError, match=message):
        read_weights(saved(tmp_path, content))


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04 no archive"])
def test_files_that_are_no_weights_are_refused(tmp_path: Path, content: bytes):
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError, match=r"w.pth is (damaged, cut short, or no weight file|not loaded|an empty file)"):
        read_weights(tmp_path / "w.pth")


def test_truncated_file_is_refused(tmp_path: Path):
    path = saved(tmp_path, {"params": STATE})
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(UserError, match="is damaged, cut short"):
        read_weights(path)


@pytest.mark.parametrize("name", ["missing.pth", "."])
def test_missing_file_or_folder_is_refused(tmp_path: Path, name: str):
    with pytest.raises(UserError, match="Cannot read"):
        read_weights(tmp_path / name)
