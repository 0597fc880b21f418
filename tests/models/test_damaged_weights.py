"""The door of weight files: what goes in -> the sentence that comes out; and junk files by the thousand."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from junk_weights import junk, saved
from torch import nn

from safmn_bench.models.catalog import build_model
from safmn_bench.models.errors import UserError
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.models.variants import VARIANTS
from safmn_bench.models.weights import load_weights

NETWORK = SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2)
STATE = {key: value.clone() for key, value in NETWORK.state_dict().items()}
KEY = "feats.0.norm1.weight"
CYCLE: dict[str, Any] = {"params": STATE}
CYCLE["self"] = CYCLE


def changed(value: Any) -> dict[str, Any]:
    return {"params": {**STATE, KEY: value}}


def cast(kind: torch.dtype) -> dict[str, Any]:
    return {key: value.to(kind) for key, value in STATE.items()}


_CUT = "w.pth is damaged, cut short, or no weight file: "
# what is in the file: (its content, the sentence)
REFUSED: dict[str, tuple[bytes, str]] = {
    "int8": (saved(cast(torch.int8)), "to_feat.weight holds int8, where the network has float32. Allowed: dense"),
    "one uint8": (
        saved(changed(torch.ones(8, dtype=torch.uint8))),
        f"{KEY} holds uint8, where the network has float32",
    ),
    "one int64": (
        saved(changed(torch.ones(8, dtype=torch.int64))),
        f"{KEY} holds int64, where the network has float32",
    ),
    "bool": (saved(cast(torch.bool)), "to_feat.weight holds bool, where the network has float32"),
    "complex": (saved(cast(torch.complex64)), "to_feat.weight holds complex64, where the network has float32"),
    "sparse": (saved(changed(torch.ones(8).to_sparse())), f"{KEY} holds sparse float32, where the network has"),
    "on the meta device": (saved(changed(torch.ones(8, device="meta"))), f"{KEY} holds no data (a tensor on the meta"),
    "a number for a tensor": (saved(changed(1.0)), "1 keys are missing, such as feats.0.norm1.weight (8,)"),
    "a scalar": (saved(changed(torch.tensor(1.0))), f"{KEY} has shape (), expected (8,)"),
    "an empty tensor": (saved(changed(torch.ones(0))), f"{KEY} has shape (0,), expected (8,)"),
    "a long key": (saved({**STATE, "x" * 5000: torch.ones(1)}), f"such as '{'x' * 80}'... (1,)"),
    "a key that a terminal obeys": (saved({**STATE, "\x1b[2J": torch.ones(1)}), r"such as '\x1b[2J'... (1,)"),
    "an empty dict": (saved({}), "holds an empty dict, no state dict"),
    "None": (saved(None), "holds NoneType, no state dict"),
    "a tensor": (saved(torch.ones(3)), "holds Tensor, no state dict"),
    "cut in half": (saved(STATE)[: len(saved(STATE)) // 2], f"{_CUT}File is not a zip file"),
    "its last byte gone": (saved(STATE)[:-1], f"{_CUT}File is not a zip file"),
    "legacy, cut": (saved(STATE, archive=False)[:-9], _CUT),
    "zeros": (bytes(4096), _CUT),
    "text": (b"weights", "w.pth is not loaded: it is no weight file"),
    "a pickle's first byte": (b"\x80", _CUT),
    "an archive's first bytes": (b"PK\x03\x04", f"{_CUT}File is not a zip file"),
    "JSON": (b'{"params": {}}', "w.pth is not loaded: it is no weight file"),
    "a list of numbers": (saved([1, 2, 3]), "holds list, no state dict"),
}


@pytest.mark.filterwarnings("ignore")
def test_quantised_weights_are_refused(tmp_path: Path):
    (tmp_path / "w.pth").write_bytes(saved(changed(torch.quantize_per_tensor(torch.ones(8), 0.1, 0, torch.qint8))))
    with pytest.raises(UserError, match=f"{KEY} holds qint8, where the network has float32"):
        load_weights(SAFMN(NETWORK.config, scale=2), tmp_path / "w.pth")


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_weights_of_this_network_is_refused_in_a_sentence(tmp_path: Path, name: str):
    content, message = REFUSED[name]
    (tmp_path / "w.pth").write_bytes(content)
    network = SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2)
    network.load_state_dict(STATE)
    with pytest.raises(UserError) as error:
        load_weights(network, tmp_path / "w.pth")
    assert message in str(error.value)
    assert len(str(error.value).splitlines()) == 1
    assert all(torch.equal(value, STATE[key]) for key, value in network.state_dict().items())


# what is in the file: (its content, the end of what is said to be picked)
TAKEN: dict[str, tuple[Any, str]] = {
    "float16": (cast(torch.float16), "the whole file, float16 converted to float32"),
    "bfloat16": (cast(torch.bfloat16), "the whole file, bfloat16 converted to float32"),
    "float64": (cast(torch.float64), "the whole file, float64 converted to float32"),
    "one float16": (changed(STATE[KEY].half()), "key `params`, float16 converted to float32"),
    "containers that hold themselves": (CYCLE, "key `params` (also there: self)"),
    "weights repeated by strides": (changed(torch.ones(1).expand(8)), "key `params`"),
}


@pytest.mark.parametrize("name", TAKEN)
def test_what_is_converted_is_said(tmp_path: Path, name: str):
    content, picked = TAKEN[name]
    torch.save(content, tmp_path / "w.pth")
    assert load_weights(SAFMN(NETWORK.config, scale=2), tmp_path / "w.pth").picked == picked


def test_a_counter_of_batches_stays_whole(tmp_path: Path):
    """BatchNorm's num_batches_tracked is int64 in the network too; as float it is refused, not cut."""
    network = VARIANTS["bn"].build(4)
    state = network.state_dict()
    torch.save(state, tmp_path / "w.pth")
    assert load_weights(VARIANTS["bn"].build(4), tmp_path / "w.pth").picked == "the whole file"
    key = next(key for key in state if key.endswith("num_batches_tracked"))
    torch.save({**state, key: torch.tensor(0.5)}, tmp_path / "w.pth")
    with pytest.raises(UserError, match=f"{key} holds float32, where the network has int64"):
        load_weights(network, tmp_path / "w.pth")


@pytest.mark.parametrize("kind", ["folder", "missing", "fifo"])
def test_what_is_no_regular_file_is_refused(tmp_path: Path, kind: str):
    path = tmp_path / "w.pth"
    {"folder": path.mkdir, "missing": lambda: None, "fifo": lambda: os.mkfifo(path)}[kind]()
    message = "No such file" if kind == "missing" else "it is a folder or a device"
    with pytest.raises(UserError, match=rf"Cannot read .*w.pth: {message}"):
        load_weights(SAFMN(NETWORK.config, scale=2), path)


def loaded_or_refused(network: nn.Module, path: Path) -> bool:
    """Whether a file is refused; any other error is one of ours. What is loaded is finite or not, but fits."""
    try:
        load_weights(network, path)
    except UserError as error:
        return len(str(error)) < 2000
    return False


@pytest.mark.parametrize("many", [100, pytest.param(3000, marks=pytest.mark.slow)])
@pytest.mark.filterwarnings("ignore")
def test_junk_weight_files_are_refused_without_a_trace(tmp_path: Path, many: int):
    """A third of them for a network that adapts the keys of others."""
    networks = [NETWORK, NETWORK, build_model("espcn", 4)]
    path, refused = tmp_path / "w.pth", 0
    for seed in range(many):
        rng, network = random.Random(seed), networks[seed % len(networks)]
        path.write_bytes(junk(network.state_dict(), rng))
        refused += loaded_or_refused(network, path)
    assert refused > 0.8 * many
