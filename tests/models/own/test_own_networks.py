"""A network in a file of one's own: how it is named, found, built and adapted, and what its digest covers."""

import sys
from pathlib import Path

import pytest
import torch
from own_networks import BLOCKS, write_class, write_networks

import safmn_bench as sb
from safmn_bench.models.catalog import caveats_of
from safmn_bench.models.errors import UserError
from safmn_bench.models.names import ENTRY_POINTS, find_candidate
from safmn_bench.models.own.source import parse_arguments
from safmn_bench.models.peers.imdn import IMDN
from safmn_bench.models.reparameterisation import deployed
from safmn_bench.models.weights import load_weights

ROOT = Path(__file__).parents[3]


@pytest.fixture
def networks(tmp_path: Path) -> dict[str, str]:
    return write_networks(tmp_path)


def photo(height: int = 16, width: int = 20) -> torch.Tensor:
    torch.manual_seed(1)
    return torch.rand(1, 3, height, width)


@pytest.mark.parametrize("name", ["PlainNet", "EDSRLike", "RepNet"])
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_networks_of_other_styles_enlarge_rgb_by_the_scale_asked_for(name: str, scale: int, networks: dict[str, str]):
    found = find_candidate(networks[name])
    assert (found.name, found.title) == (name, name)
    for size in ((16, 20), (13, 7)):
        assert found.build(scale).eval()(photo(*size)).shape == (1, 3, scale * size[0], scale * size[1])
        assert found.build(scale).train()(photo(*size)).shape == (1, 3, scale * size[0], scale * size[1])


def test_arguments_are_literals_given_by_name_and_are_part_of_the_row_name(networks: dict[str, str]):
    found = find_candidate(networks["PlainNet"] + "(num_feat=12, num_block=1)")
    assert found.name == "PlainNet_num_feat12_num_block1"
    assert found.build(4).state_dict()["conv_first.weight"].shape == (12, 3, 3, 3)
    given = "(a=-1, b=[1, 2.5], c='x', d={'k': (None, True)})"
    assert parse_arguments(given, "") == {"a": -1, "b": [1, 2.5], "c": "x", "d": {"k": (None, True)}}


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        ("(dim=__import__('os').getcwd())", "dim=__import__('os').getcwd() is no literal"),
        ("(dim=1+1)", "dim=1 + 1 is no literal"),
        ("(48)", "give every argument by its name"),
        ("(**{})", "give every argument by its name"),
        ("(dim=)", "is not a list of arguments"),
    ],
)
def test_what_is_no_literal_is_refused_and_never_evaluated(written: str, sentence: str, networks: dict[str, str]):
    with pytest.raises(UserError) as error:
        find_candidate(networks["PlainNet"] + written)
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("nowhere.py:Net", "No file nowhere.py"),
        ("no_such_package.nets:Net", "No module 'no_such_package.nets' is installed here"),
        ("{folder}/plain.py:Plane", "has no Plane. Networks there: PlainNet."),
        ("{folder}/plain.py:PlainNet(dim=3)", "takes no `dim`. Its arguments: num_in_ch, num_feat, num_block, upscale"),
        ("{folder}/plain.py:PlainNet(upscale=2)", "says upscale=2, and scale 4 is asked for"),
        ("{folder}/plain.txt:Net", "is neither a .py file nor a module"),
        ("spandrel:nowhere.pth", "No file nowhere.pth"),
    ],
)
def test_what_cannot_be_built_is_said_in_one_paragraph(
    given: str, sentence: str, networks: dict[str, str], tmp_path: Path
):
    with pytest.raises(UserError) as error:
        find_candidate(given.format(folder=tmp_path)).build(4)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("sys.exit(3)", "SystemExit: 3 (broken.py:11)"),
        ("raise RuntimeError('two\\nlines')", "RuntimeError: two lines (broken.py:11)"),
        ("import nowhere_to_be_found", "ModuleNotFoundError: No module named 'nowhere_to_be_found' (broken.py:11)"),
    ],
)
def test_a_constructor_that_fails_is_told_with_its_line(body: str, sentence: str, tmp_path: Path):
    with pytest.raises(UserError) as error:
        find_candidate(write_class(tmp_path, "Broken", body)).build(4)
    assert f"cannot be built: {sentence}" in str(error.value)


def test_forked_copy_of_the_process_does_not_go_on(tmp_path: Path):
    network = find_candidate(write_class(tmp_path, "Forks", "os.fork()")).build(4)
    assert network(photo()).shape == (1, 3, 64, 80)  # only the first process comes here
    import os

    assert os.waitpid(-1, 0)[1] == 1 << 8


def test_output_of_another_size_is_told_with_both(tmp_path: Path):
    name = write_class(tmp_path, "Half", forward="return x")
    with pytest.raises(UserError, match="output is 1x3x16x20, where 64x80 pixels, scale times the input, are expected"):
        find_candidate(name).build(4)(photo())


def test_range_255_with_its_own_mean_shift_equals_the_network_called_by_hand(networks: dict[str, str]):
    network = find_candidate(networks["EDSRLike"]).build(2).eval()
    by_hand = type(network).__mro__[1].forward(network, photo() * 255) / 255
    assert torch.equal(network(photo()), by_hand)


def test_size_multiple_pads_by_reflection_crops_and_is_said(networks: dict[str, str]):
    network = find_candidate(networks["RepNet"]).build(4).eval()
    x = photo(13, 7)
    padded = torch.nn.functional.pad(x, (0, 1, 0, 3), mode="reflect")
    assert torch.equal(network(x), network(padded)[..., : 13 * 4, : 7 * 4])
    assert caveats_of(network) == ["LR sides are padded by reflection to a multiple of 4; SR is cropped."]


def test_yaml_names_file_class_and_conventions(networks: dict[str, str], tmp_path: Path):
    (tmp_path / "luma.py").write_text(
        "from torch import nn\nclass Luma(nn.Module):\n    def __init__(self, factor):\n        super().__init__()\n"
        "        self.up = nn.Upsample(scale_factor=factor)\n        self.c = nn.Conv2d(1, 1, 1)\n"
        "    def forward(self, y):\n        assert y.shape[1] == 1 and y.max() > 2\n"
        "        return {'a': y, 'sr': self.up(y)}\n"
    )
    (tmp_path / "mine.yaml").write_text(
        "network: {file: luma.py, class: Luma, scale_argument: factor, input: y, input_range: 255, output: sr}\n"
        "recipe: {optimizer.lr: 1.0e-4}\n"
    )
    found = find_candidate(str(tmp_path / "mine.yaml"))
    assert (found.name, found.recipe) == ("mine", {"optimizer.lr": 1e-4})
    network = found.build(3)
    assert network(photo()).shape == (1, 3, 48, 60)
    grey = photo()[:, :1].expand(-1, 3, -1, -1)
    expected = grey.repeat_interleave(3, 2).repeat_interleave(3, 3)
    assert torch.allclose(network(grey), expected, atol=1e-5)
    (tmp_path / "typo.yaml").write_text("network: {file: luma.py, class: Luma, input_rnage: 255}\n")
    with pytest.raises(UserError, match="Did you mean 'input_range'"):
        find_candidate(str(tmp_path / "typo.yaml"))


def test_yaml_over_a_network_changes_its_constructors_arguments(tmp_path: Path):
    (tmp_path / "m.yaml").write_text(
        "base: safmn_bench.models.peers.carn:CARN\nnetwork: {arguments: {mobile: true}}\nchange: mobile\n"
    )
    mine, known = find_candidate(str(tmp_path / "m.yaml")).build(4), find_candidate("carn_m").build(4)
    assert {k: v.shape for k, v in mine.state_dict().items()} == {k: v.shape for k, v in known.state_dict().items()}


def test_mapping_of_keys_lets_weights_of_other_names_load_strictly(networks: dict[str, str], tmp_path: Path):
    (tmp_path / "k.yaml").write_text("network: {file: plain.py, class: PlainNet, keys: {first.: conv_first.}}\n")
    found = find_candidate(str(tmp_path / "k.yaml"))
    state = {k.replace("conv_first.", "first."): v for k, v in found.build(4).state_dict().items()}
    torch.save({"params": state}, tmp_path / "w.pth")
    network = found.build(4)
    load_weights(network, tmp_path / "w.pth")
    assert torch.equal(network.state_dict()["conv_first.weight"], state["first.weight"])


def test_digest_follows_the_file_and_what_it_imports_and_nothing_else(networks: dict[str, str], tmp_path: Path):
    before = find_candidate(networks["PlainNet"]).description()
    (tmp_path / "unrelated.py").write_text("x = 1\n")
    assert find_candidate(networks["PlainNet"]).description() == before
    (tmp_path / "blocks.py").write_text(BLOCKS + "\n# changed\n")
    after = find_candidate(networks["PlainNet"]).description()
    assert after["digest"] != before["digest"]
    assert before["source"] == "plain.py:PlainNet"
    own = find_candidate(networks["PlainNet"]).own
    assert own is not None
    assert sorted(own.files()) == ["blocks.py", "plain.py"]


def test_two_repositories_with_a_module_of_one_name_get_their_own(tmp_path: Path):
    for name, value in (("one", 1), ("two", 2)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "shared_helper.py").write_text(f"VALUE = {value}\n")
        write_class(tmp_path / name, "Net", "self.value = VALUE", before="from shared_helper import VALUE")
    values = [find_candidate(f"{tmp_path / name / 'net.py'}:Net").build(2).value for name in ("one", "two", "one")]
    assert values == [1, 2, 1]


def test_own_file_of_the_catalogue_is_the_network_itself():
    by_file = find_candidate(f"{ROOT / 'models' / 'peers' / 'imdn.py'}:IMDN")
    assert by_file.name == "imdn.IMDN"  # not mistaken for the published row
    torch.manual_seed(3)
    mine = by_file.build(4)
    torch.manual_seed(3)
    known = IMDN(scale=4)
    with torch.inference_mode():
        assert torch.equal(mine(photo()), known(photo()))
    assert (
        find_candidate("safmn_bench.models.peers.imdn:IMDN").build(4).state_dict().keys() == known.state_dict().keys()
    )


def test_entry_point_names_a_network(monkeypatch: pytest.MonkeyPatch):
    from importlib.metadata import EntryPoint

    entry = EntryPoint("my_net", "safmn_bench.models.peers.imdn:IMDN", ENTRY_POINTS)
    monkeypatch.setattr("safmn_bench.models.names.metadata.entry_points", lambda group: [entry])
    found = find_candidate("my_net")
    assert found.name == "my_net"
    assert isinstance(found.build(2), IMDN)


def test_naming_a_network_runs_none_of_its_code(tmp_path: Path):
    name = write_class(tmp_path, "Loud", before="raise SystemError('loaded')")
    found = find_candidate(name)
    assert found.description()["digest"]
    assert not [module for module in sys.modules if module.startswith("own_loud")]
    with pytest.raises(UserError, match=r"cannot be loaded: SystemError: loaded \(loud.py:4\)"):
        found.build(4)


def test_reparameterised_network_is_deployed_and_computes_the_same(networks: dict[str, str]):
    network = find_candidate(networks["RepNet"]).build(4).eval()
    merged = deployed(network)
    assert "body.point.weight" in network.state_dict()
    assert "body.point.weight" not in merged.state_dict()
    with torch.no_grad():
        assert (merged(photo(13, 7)) - network(photo(13, 7))).abs().max() < 1e-6


def test_yaml_over_a_network_of_the_catalogue_changes_its_constructors_arguments(tmp_path: Path):
    (tmp_path / "mobile.yaml").write_text("base: carn\nnetwork: {arguments: {mobile: true}}\n")
    found = find_candidate(str(tmp_path / "mobile.yaml"))
    mine, known = found.build(4), find_candidate("carn_m").build(4)
    assert {k: v.shape for k, v in mine.state_dict().items()} == {k: v.shape for k, v in known.state_dict().items()}
    (tmp_path / "smaller.yaml").write_text("base: smfanet_plus\nnetwork: {arguments: {dim: 24}}\n")
    smaller = find_candidate(str(tmp_path / "smaller.yaml"))
    assert smaller.description()["arguments"] == {"dim": 24, "n_blocks": 12}  # the base's other argument stays
    (tmp_path / "edsr.yaml").write_text("base: edsr_baseline\nnetwork: {arguments: {}}\n")
    assert find_candidate(str(tmp_path / "edsr.yaml")).recipe == {"optimizer.lr": 1e-3}
    for base in ("safmn", "rlfn_s"):
        (tmp_path / "no.yaml").write_text(f"base: {base}\nnetwork: {{arguments: {{dim: 24}}}}\n")
        with pytest.raises(UserError, match="another network than SAFMN"):
            find_candidate(str(tmp_path / "no.yaml"))


def test_own_file_of_the_catalogue_has_the_counts_and_the_scores_of_its_name_to_the_bit(
    tmp_path: Path, photographs: Path
):
    by_name, by_file = sb.create_model("imdn", 4), sb.create_model(f"{ROOT / 'models' / 'peers' / 'imdn.py'}:IMDN", 4)
    by_file.load_state_dict(by_name.state_dict())
    assert sb.count(by_file, lr=(24, 16)) == sb.count(by_name, lr=(24, 16))
    assert sb.evaluate(by_file, photographs / "score").scores == sb.evaluate(by_name, photographs / "score").scores
