"""The rivals of Table 6: exact counts, the original networks' outputs and scores, and their two forms."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from known_values import CHALLENGE_COUNTS, RIVAL_COUNTS, RIVAL_FIXTURES, RIVAL_SET5

from safmn_bench.ablations.evaluate import main as evaluate
from safmn_bench.models.catalog import MODELS, build_model, find_model
from safmn_bench.models.errors import UserError
from safmn_bench.models.names import find_candidate, network_key
from safmn_bench.models.reparameterisation import deployed, inference_form
from safmn_bench.models.weights import load_weights
from safmn_bench.profiling.counting import flops

RIVALS = [name for name, model in MODELS.items() if model.table == 6]
# Tensors in the published file; its deployed form where there are two.
TENSORS = {"smfanet": 180, "smfanet_plus": 268, "span_ntire26": 44, "spanv2": 26, "rlfn": 114, "rlfn_ntire22": 78}
TENSORS |= {"safmnpp": 32}


def test_names_and_displayed_labels():
    assert {name: MODELS[name].label for name in RIVALS} == {
        "rlfn": "RLFN", "rlfn_s": "RLFN-S", "rlfn_ntire22": "RLFN-NTIRE22", "efdn": "EFDN", "safmnpp": "SAFMN++",
        "smfanet": "SMFANet", "smfanet_plus": "SMFANet+", "span_ntire26": "SPAN-NTIRE26", "spanv2": "SPANv2",
    }  # fmt: skip
    assert find_candidate("safmn++").name == network_key("SAFMN++") == "safmnpp"
    assert find_model("SMFANet+").name == find_model("smfanet-plus").name == "smfanet_plus"


@pytest.mark.parametrize(("model", "scale"), RIVAL_COUNTS)
def test_parameters_and_counted_input_of_every_row(model: str, scale: int):
    module, shape = flops.counted_form(find_model(model).build(scale=scale), scale)
    params, _, _, input_shape = RIVAL_COUNTS[model, scale]
    assert sum(p.numel() for p in module.parameters()) == params
    assert "x".join(map(str, shape)) == input_shape


QUICK = [("SMFANet", 4), ("SPAN-NTIRE26", 4), ("SPANv2", 4), ("RLFN", 4), ("RLFN-NTIRE22", 4), ("SAFMN++", 4)]


@pytest.mark.parametrize(("model", "scale"), QUICK)
def test_flops_and_activations_are_exact(model: str, scale: int):
    cost = flops.count(*flops.counted_form(find_model(model).build(scale=scale), scale))
    assert (cost.params, cost.flops, cost.acts) == RIVAL_COUNTS[model, scale][:3]


@pytest.mark.slow
@pytest.mark.parametrize(("model", "scale"), [key for key in RIVAL_COUNTS if key not in QUICK])
def test_flops_and_activations_of_the_other_rows_are_exact(model: str, scale: int):
    cost = flops.count(*flops.counted_form(find_model(model).build(scale=scale), scale))
    assert (cost.params, cost.flops, cost.acts) == RIVAL_COUNTS[model, scale][:3]


@pytest.mark.parametrize("name", CHALLENGE_COUNTS)
def test_challenge_figures_come_out_at_256_pixels(name: str):
    cost = flops.count(*flops.counted_at(build_model(name, 4), 256, 256))
    assert (cost.params, cost.flops, cost.acts) == CHALLENGE_COUNTS[name]


@pytest.mark.parametrize("name", TENSORS)
def test_state_dict_has_as_many_tensors_as_published(name: str):
    assert len(deployed(build_model(name, 4)).state_dict()) == TENSORS[name]


def fixture_image() -> torch.Tensor:
    """0.5 + 0.3 sin(0.3 i + 0.2 j + c), (1, 3, 24, 20)."""
    c, i, j = (torch.arange(n, dtype=torch.float64) for n in (3, 24, 20))
    return (0.5 + 0.3 * torch.sin(0.3 * i[:, None] + 0.2 * j + c[:, None, None])).float()[None]


def published(model: str, scale: int, path: Path, key: str | None = None) -> torch.nn.Module:
    """A rival with published weights, in the form that is built."""
    network = find_model(model).build(scale=scale).eval()
    if key is None:
        load_weights(network, path)
    else:
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True)[key])
    return network


@pytest.mark.parametrize(("model", "scale", "file", "key"), RIVAL_FIXTURES)
@torch.inference_mode()
def test_outputs_are_those_of_the_original_networks(
    shared: Callable[[str], Path], model: str, scale: int, file: str, key: str | None
):
    sr = inference_form(published(model, scale, shared(f"weights/{file}"), key))(fixture_image())
    height, width = sr.shape[-2:]
    got = (sr.mean(), sr.std(), sr[0, 0, 0, 0], sr[0, 1, height // 2, width // 2], sr[0, 2, -1, -1])
    assert [float(value) for value in got] == pytest.approx(RIVAL_FIXTURES[model, scale, file, key], abs=1.5e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "scale", "file"), RIVAL_SET5)
def test_published_weights_score_on_set5_as_by_another_implementation(
    shared: Callable[[str], Path], tmp_path: Path, model: str, scale: int, file: str
):
    files = ["--weights", str(shared(f"weights/{file}")), "--benchmarks", str(shared("data/benchmarks/Set5"))]
    name = find_model(model).name
    assert evaluate(["--model", name, "--scale", str(scale), *files, "--csv", str(tmp_path / "s.csv")]) == 0
    with (tmp_path / "s.csv").open(newline="") as handle:
        (mean,) = (row for row in csv.DictReader(handle) if row["image"] == "mean")
    psnr, ssim = RIVAL_SET5[model, scale, file]
    assert float(mean["psnr_y_db"]) == pytest.approx(psnr, abs=0.005)
    assert float(mean["ssim_y"]) == pytest.approx(ssim, abs=0.0001)


@torch.inference_mode()
def test_published_span_is_the_same_in_its_training_form(shared: Callable[[str], Path]):
    network = published("SPAN-NTIRE26", 4, shared("weights/span_ntire26_x4.pth"))
    assert sum(p.numel() for p in network.parameters()) == 634048
    assert (network(fixture_image()) - deployed(network)(fixture_image())).abs().max() < 1e-5


@torch.inference_mode()
def test_published_deployed_span_comes_back_to_the_bit_after_spreading_and_merging(shared: Callable[[str], Path]):
    path = shared("weights/span_ntire26_x4.pth")
    again = deployed(published("SPAN-NTIRE26", 4, path)).state_dict()
    for key, value in torch.load(path, map_location="cpu", weights_only=True).items():
        assert torch.equal(again[key], value), key


def test_span_without_the_merged_copies_of_a_training_file(tmp_path: Path):
    torch.manual_seed(0)
    source = build_model("span_ntire26", 4)
    stale = {f"{name}.eval_conv.weight": torch.zeros(28, 28, 3, 3) for name in ("conv_2", "block_1.c1_r")}
    torch.save(source.state_dict() | stale, tmp_path / "span.pth")
    network = build_model("span_ntire26", 4)
    load_weights(network, tmp_path / "span.pth")
    assert all(torch.equal(value, source.state_dict()[key]) for key, value in network.state_dict().items())


def test_weights_of_another_width_do_not_fit_span(tmp_path: Path):
    state = deployed(build_model("span_ntire26", 4)).state_dict()
    state["conv_1.eval_conv.weight"] = torch.zeros(48, 3, 3, 3)
    torch.save(state, tmp_path / "span.pth")
    with pytest.raises(UserError, match="does not fit SPAN x4"):
        load_weights(build_model("span_ntire26", 4), tmp_path / "span.pth")


@pytest.mark.parametrize("name", [name for name in RIVALS if hasattr(build_model(name, 4), "least_side")])
@torch.inference_mode()
def test_smallest_image_is_enlarged_and_a_smaller_one_is_refused(name: str):
    network = build_model(name, 4).eval()
    least = int(network.least_side)  # type: ignore[arg-type]
    assert network(torch.rand(1, 3, least, least)).shape == (1, 3, 4 * least, 4 * least)
    with pytest.raises(UserError, match=rf"at least {least}x{least} pixels, and this one is {least}x{least - 1} "):
        network(torch.rand(1, 3, least - 1, least))


def test_spanv2_starts_from_nearest_neighbour_enlargement():
    network, rgb = build_model("spanv2", 4), torch.rand(1, 3, 5, 6)
    enlarged = torch.nn.functional.pixel_shuffle(network.conv_near(rgb), 4)  # type: ignore[operator]
    assert torch.equal(enlarged, rgb.repeat_interleave(4, 2).repeat_interleave(4, 3))


@pytest.mark.parametrize("name", RIVALS)
def test_constructors_run_no_pass_and_touch_no_gpu(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.nn.Module, "__call__", lambda *_: pytest.fail("a pass in the constructor"))
    monkeypatch.setattr(torch.nn.Module, "cuda", lambda *_: pytest.fail("moved to a GPU"))
    assert {p.device.type for p in build_model(name, 4).parameters()} == {"cpu"}
