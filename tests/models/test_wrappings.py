"""Tables of wrappings of one state dict, which all load the same, and of files that are no weights, called by name."""

import io
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from safmn_bench.models.catalog import build_model
from safmn_bench.models.errors import UserError
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.models.weights import load_weights

CONFIG = SAFMNConfig(dim=8, n_blocks=1)
STATE = SAFMN(CONFIG, scale=2).state_dict()
RAW = {key: value + 1 for key, value in STATE.items()}
"""Another state: what is loaded where the average is missed."""


def under(prefix: str, state: dict[str, torch.Tensor] = STATE) -> dict[str, torch.Tensor]:
    return {f"{prefix}{key}": value for key, value in state.items()}


COUNTED = {f"feats.0.{name}": torch.zeros(1) for name in ("total_ops", "total_params")}
ADAM = {"state": {0: {"step": torch.tensor(3.0), "exp_avg": torch.zeros(8, 3, 3, 3)}}, "param_groups": [{"lr": 1e-3}]}

# name: (what torch.save writes, what is said to be picked)
WRAPPED: dict[str, tuple[Any, str]] = {
    "bare": (STATE, "the whole file"),
    "params": ({"params": STATE}, "key `params`"),
    "params and params_ema": ({"params": RAW, "params_ema": STATE}, "key `params_ema` (also there: params)"),
    "state_dict and state_dict_ema": ({"state_dict": RAW, "state_dict_ema": STATE}, "key `state_dict_ema`"),
    "model and model_ema": ({"model": RAW, "model_ema": STATE}, "key `model_ema`"),
    "model and ema": ({"model": RAW, "ema": STATE}, "key `ema`"),
    "EMA in capitals": ({"model": RAW, "EMA": STATE}, "key `EMA`"),
    "ema_state_dict": ({"state_dict": RAW, "ema_state_dict": STATE}, "key `ema_state_dict`"),
    "swa_model": ({"model": RAW, "swa_model": STATE}, "key `swa_model`"),
    "averaged": ({"params": RAW, "averaged": STATE}, "key `averaged`"),
    "an average in a container": ({"params": RAW, "ema": {"module": STATE, "decay": 0.999}}, "key `ema.module`"),
    "containers in each other": ({"model": {"state_dict": {"params": STATE}}}, "key `model.state_dict.params`"),
    "an unusual container": ({"epoch": 3, "net": STATE}, "key `net` (also there: epoch)"),
    "a list": ([STATE, {"epoch": 3}], "key `0`"),
    "an empty average": ({"params_ema": {}, "params": STATE}, "key `params` (also there: params_ema, empty)"),
    "with its optimizer": ({"optimizer": ADAM, "params": STATE, "iter": 5}, "key `params`"),
    "with a discriminator": ({"net_d": under("conv."), "net_g": STATE}, "key `net_g`"),
    "module.": (under("module."), "the whole file, prefix `module.` dropped"),
    "_orig_mod.": (under("_orig_mod."), "the whole file, prefix `_orig_mod.` dropped"),
    "model.": (under("model."), "the whole file, prefix `model.` dropped"),
    "net_g.": (under("net_g."), "the whole file, prefix `net_g.` dropped"),
    "module._orig_mod.": (under("module._orig_mod."), "the whole file, prefix `module._orig_mod.` dropped"),
    "_orig_mod.module.model.": (under("_orig_mod.module.model."), "prefix `_orig_mod.module.model.` dropped"),
    "a prefix of one's own": (under("student.body."), "the whole file, prefix `student.body.` dropped"),
    "a prefix in a container": ({"params": under("module.")}, "key `params`, prefix `module.` dropped"),
    "two networks in one": (
        {**under("net_g."), **under("net_d.", {"conv.weight": torch.zeros(3)})},
        "prefix `net_g.` dropped, an entry passed over (net_d.conv.weight)",
    ),
    "the average beside the network": (
        {**under("online_model.", RAW), **under("ema_model."), "initted": torch.tensor(True)},
        "prefix `ema_model.` dropped",
    ),
    "torch's AveragedModel": (
        {"n_averaged": torch.tensor(5), **under("module.")},
        "prefix `module.` dropped, an entry passed over (n_averaged)",
    ),
    "thop's counters": (
        {**STATE, **COUNTED}, "2 entries passed over (feats.0.total_ops, feats.0.total_params)",
    ),
    "counters under a prefix": (
        {**under("module."), **under("module.", COUNTED)}, "prefix `module.` dropped, 2 entries passed over",
    ),
    "numbers at the top": ({"epoch": 3, "best_psnr": 31.2, **STATE}, "2 entries passed over (epoch, best_psnr)"),
    "half": ({key: value.half() for key, value in STATE.items()}, "the whole file"),
    "bfloat16": ({key: value.bfloat16() for key, value in STATE.items()}, "the whole file"),
    "float64": ({key: value.double() for key, value in STATE.items()}, "the whole file"),
    "parameters": ({key: torch.nn.Parameter(value) for key, value in STATE.items()}, "the whole file"),
}  # fmt: skip


@pytest.mark.parametrize("name", WRAPPED)
def test_every_wrapping_loads_the_same_weights_and_says_what_was_picked(tmp_path: Path, name: str):
    content, picked = WRAPPED[name]
    torch.save(content, tmp_path / "w.pth")
    network = SAFMN(CONFIG, scale=2)
    assert picked in load_weights(network, tmp_path / "w.pth").picked
    kind = {"half": torch.float16, "bfloat16": torch.bfloat16}.get(name, torch.float32)
    assert all(torch.equal(value, STATE[key].to(kind).float()) for key, value in network.state_dict().items())


@pytest.mark.parametrize("prefix", ["", "module."])
def test_safetensors_load_the_same_weights(tmp_path: Path, prefix: str):
    save_file(under(prefix), tmp_path / "w.safetensors", metadata={"format": "pt"})
    network = SAFMN(CONFIG, scale=2)
    load_weights(network, tmp_path / "w.safetensors")
    assert all(torch.equal(value, STATE[key]) for key, value in network.state_dict().items())


def test_a_network_that_adapts_keys_is_peeled_too(tmp_path: Path):
    network = build_model("lapar_a", 4)
    torch.save({"params": {"n_averaged": torch.tensor(1), **under("module.", network.state_dict())}}, tmp_path / "w")
    assert "prefix `module.` dropped" in load_weights(build_model("lapar_a", 4), tmp_path / "w").picked


def zipped(name: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(name, b"x" * 100)
    return buffer.getvalue()


def tarred() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("w.pth"))
    return buffer.getvalue()


def scripted() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in ("a/data.pkl", "a/code/__torch__.py", "a/constants.pkl"):
            archive.writestr(name, b"x")
    return buffer.getvalue()


def array() -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.zeros(3))
    return buffer.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
NO_WEIGHTS: dict[str, tuple[bytes, str]] = {
    "LFS pointer": (LFS, "is a Git LFS pointer, not the file it stands for. Fetch that one: git lfs pull."),
    "HTML page": (
        b"\n <!DOCTYPE html><html>",
        "is a web page (HTML). Download the file itself, not the page about it.",
    ),
    "HTML without a type": (b"<HTML><head>404", "is a web page (HTML)."),
    "XML error": (b'<?xml version="1.0"?><Error>', "is a web page or an error message (XML)."),
    "empty": (b"", "is an empty file. Copy or download it again."),
    "gzip": (tarred(), "is compressed by gzip. Unpack it first: gunzip."),
    "ZIP": (zipped("safmn_x4.pth"), "is a ZIP archive that holds safmn_x4.pth. Unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c", "is a 7-Zip archive. Unpack it"),
    "TorchScript": (scripted(), "is a TorchScript program, which holds code. Save its weights alone"),
    "HDF5": (b"\x89HDF\r\n\x1a\n", "is an HDF5 file, as Keras writes."),
    "NumPy": (array(), "is a NumPy array. Save the state dict"),
    "PNG": (b"\x89PNG\r\n", "is a PNG image. Give the weight file."),
    "broken safetensors": ((99).to_bytes(8, "little") + b'{"a": 1', "is a damaged safetensors file ("),
}


@pytest.mark.parametrize("name", NO_WEIGHTS)
def test_a_file_that_is_no_weights_is_called_what_it_is(tmp_path: Path, name: str):
    content, message = NO_WEIGHTS[name]
    (tmp_path / "w.pth").write_bytes(content)
    with pytest.raises(UserError) as error:
        load_weights(SAFMN(CONFIG, scale=2), tmp_path / "w.pth")
    assert f"w.pth {message}" in str(error.value)


# name: (content, the sentence)
UNFIT: dict[str, tuple[Any, str]] = {
    "nothing but counters": ({"epoch": 3, "best": 1.5}, "holds a dict of epoch, best, no state dict. Allowed: named"),
    "an optimizer alone": ({"optimizer": ADAM}, "holds a dict of optimizer, no state dict"),
    "a key too many": ({**STATE, "tail.weight": torch.zeros(3)}, "1 keys are unexpected, such as tail.weight (3,)"),
    "a key too many below a prefix": (
        under("module.", {**STATE, "tail.weight": torch.zeros(3)}), "1 keys are unexpected, such as tail.weight (3,)",
    ),
    "another width below a prefix": (
        under("module.", SAFMN(SAFMNConfig(dim=12, n_blocks=1), scale=2).state_dict()),
        "Likely cause: a network of another width, or another variant",
    ),
    "scale 4 below a prefix": (
        under("module.", SAFMN(CONFIG, scale=4).state_dict()),
        "Likely cause: weights of scale 4, where the network is of scale 2; give --scale 4",
    ),
    "a scale that the suite has not": (
        {**STATE, "to_img.0.weight": torch.zeros(192, 8, 3, 3), "to_img.0.bias": torch.zeros(192)},
        "Likely cause: weights of scale 8, which this suite does not have; give weights of scale 2",
    ),
    "the scale that is set already": (
        {**STATE, "feats.0.norm1.weight": torch.zeros(8, 1, 1)},
        "Likely cause: a network of another width, or another variant",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNFIT)
def test_weights_that_do_not_fit_say_why(tmp_path: Path, name: str):
    content, message = UNFIT[name]
    torch.save(content, tmp_path / "w.pth")
    network = SAFMN(CONFIG, scale=2)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    with pytest.raises(UserError) as error:
        load_weights(network, tmp_path / "w.pth")
    assert message in str(error.value)
    assert "another architecture" not in str(error.value)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
