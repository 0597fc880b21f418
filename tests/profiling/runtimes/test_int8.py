"""8-bit integers: rounding by hand, the layers that stay in float, recipes, and two runtimes beside the simulation."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from safmn_bench.models.errors import UserError
from safmn_bench.models.safmn import SAFMN, SAFMNConfig
from safmn_bench.profiling.common.sample_images import photograph
from safmn_bench.profiling.runtimes import sensitivity
from safmn_bench.profiling.runtimes.catalog import RUNTIMES
from safmn_bench.profiling.runtimes.recipe import Layer, Recipe, read, save
from safmn_bench.profiling.runtimes.runtime import Setting
from safmn_bench.profiling.runtimes.sensitivity import (
    errors_of,
    fewest_in_float,
    loss_db,
    outputs,
    ranges_of,
    simulated,
    squared_error,
)
from safmn_bench.profiling.timing.forms import Job, check


def tiny() -> SAFMN:
    torch.manual_seed(0)
    return SAFMN(SAFMNConfig(dim=8, n_blocks=1), scale=2).eval()


def recipe_of(network: nn.Module, images: list[torch.Tensor], in_float: set[str]) -> Recipe:
    layers = tuple(
        Layer(name=name, input_range=into, output_range=out, error=0.0, quantised=name not in in_float)
        for name, (into, out) in ranges_of(network, images).items()
    )
    stack = np.concatenate([(image * 255).round().byte().numpy() for image in images])
    return Recipe(network="tiny", scale=2, layers=layers, images=stack)


def test_a_layer_rounds_its_input_its_weights_and_its_output():
    """Steps by hand: input 0.02 (range 0 to 5.1), weight 0.01 (1.27 / 127), output 0.1 (range -12.7 to 12.8)."""
    layer = nn.Conv2d(1, 2, 1, bias=False)
    layer.weight = nn.Parameter(torch.tensor([1.27, -0.634]).reshape(2, 1, 1, 1))
    network = nn.Sequential(layer)
    rounded = simulated(network, {"0": ((0.0, 5.1), (-12.7, 12.8))}, ["0"])
    out = rounded(torch.full((1, 1, 1, 1), 1.009)).flatten()
    # 1.009 -> 1.00; a channel's largest weight is exact: 1.27 and 0.634; outputs 1.27 -> 1.3, -0.634 -> -0.6
    assert out.tolist() == pytest.approx([1.3, -0.6])
    assert network(torch.ones(1, 1, 1, 1)).flatten().tolist() == pytest.approx([1.27, -0.634])  # as it was


def test_ranges_hold_zero_which_padding_brings():
    layer = nn.Conv2d(1, 1, 1)
    nn.init.ones_(layer.weight)
    nn.init.constant_(layer.bias, -8.0)  # type: ignore[arg-type]
    images = [torch.full((1, 1, 2, 2), 2.0), torch.full((1, 1, 2, 2), 3.0)]
    assert ranges_of(nn.Sequential(layer), images) == {"0": ((0.0, 3.0), (-6.0, 0.0))}


def test_an_error_as_large_as_ones_own_costs_3_01_db():
    assert loss_db(1e-4, 40) == pytest.approx(3.0103, abs=1e-4)
    assert loss_db(0.0) == 0.0
    assert loss_db(1.158e-6, 40) == pytest.approx(0.05, abs=1e-4)


@pytest.mark.parametrize(("most_loss_db", "kept"), [(3.02, 0), (2.0, 1), (0.5, 2), (0.05, 3), (0.0, 4)])
def test_as_few_of_the_worst_layers_stay_in_float_as_the_loss_allows(
    most_loss_db: float, kept: int, monkeypatch: pytest.MonkeyPatch
):
    """Errors at 40 dB: together 1e-4 (3.01 dB), 4e-5 without the worst (1.46), 1e-5 (0.41), 1e-6 (0.04), 0."""
    error = {"a": 6e-5, "b": 3e-5, "c": 9e-6, "d": 1e-6}
    monkeypatch.setattr(sensitivity, "simulated", lambda network, ranges, layers: layers)
    monkeypatch.setattr(sensitivity, "squared_error", lambda layers, *_: sum(error[name] for name in layers))
    found = fewest_in_float(nn.Identity(), {}, tuple(error), [], most_loss_db)
    assert found == (kept, loss_db(sum(list(error.values())[kept:])))


def test_errors_are_of_one_layer_at_a_time_and_the_worst_comes_first():
    network, images = tiny(), [photograph(16, 16)]
    ranges = ranges_of(network, images)
    errors = errors_of(network, ranges, images)
    assert set(errors) == {name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)}
    assert list(errors.values()) == sorted(errors.values(), reverse=True)
    alone = simulated(network, ranges, ["to_feat"])
    assert errors["to_feat"] == squared_error(alone, outputs(network, images), images)


def test_a_recipe_is_read_as_it_was_saved(tmp_path: Path):
    recipe = recipe_of(tiny(), [photograph(16, 16)], {"to_feat"})
    save(recipe, tmp_path / "a.npz")
    again = read(tmp_path / "a.npz")
    assert (again.network, again.scale, again.layers) == (recipe.network, recipe.scale, recipe.layers)
    assert np.array_equal(again.images, recipe.images)
    assert again.in_float == ("to_feat",)
    assert len(again.quantised) == len(recipe.layers) - 1


def test_what_is_no_recipe_is_refused(tmp_path: Path):
    (tmp_path / "a.npz").write_bytes(b"no zip")
    np.savez(tmp_path / "b.npz", other=np.zeros(3))
    for name in ("a", "b"):
        with pytest.raises(UserError, match=rf"{name}.npz is no recipe of quantisation. Make one with safmn"):
            read(tmp_path / f"{name}.npz")
    with pytest.raises(UserError, match="There is no file"):
        read(tmp_path / "c.npz")


def test_a_recipe_of_another_network_is_refused():
    with pytest.raises(UserError, match="The recipe is of tiny x2, with 9 convolutions; this network has others"):
        recipe_of(tiny(), [photograph(16, 16)], set()).require_for(nn.Sequential(nn.Conv2d(3, 3, 1)))


@pytest.mark.parametrize(
    ("implementation", "message"),
    [
        ("onnxruntime", "int8 needs a recipe: give --int8 FILE"),
        ("eager", "int8 is a type of other runtimes"),
        ("ncnn", "measured in fp32 only"),
    ],
)
def test_int8_without_a_recipe_or_a_runtime_is_refused(implementation: str, message: str):
    with pytest.raises(UserError, match=message):
        check(
            Job(
                model="safmn", scale=2, implementation=implementation, dtype="int8", device="cpu", height=8, width=8,
                threads=1,
            )
        )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("name", "closest_db"), [("onnxruntime", 45), ("openvino", 40)])
def test_a_runtime_in_int8_computes_what_is_simulated_also_at_another_size(name: str, closest_db: int):
    """ONNX Runtime rounds at the same places; OpenVINO keeps outputs of layers in float and corrects biases.

    At 86x114 both would take other lines of the pyramid than PyTorch.
    """
    runtime = RUNTIMES[name]
    packages = (*runtime.packages, *runtime.quantise_packages)
    if missing := [package for package in packages if find_spec(package) is None]:
        pytest.skip(f"needs {', '.join(missing)}")
    network, images = tiny(), [photograph(64, 64), photograph(64, 64).flip(-1)]
    recipe = recipe_of(network, images, {"to_img.0"})
    setting = Setting(threads=1, dtype="int8", recipe=recipe)
    lr = photograph(86, 114)
    files = runtime.converted(network, (1, 3, 86, 114), setting)
    got = torch.from_numpy(runtime.start(files, setting)(lr.numpy()))
    with torch.inference_mode():
        expected, exact = simulated(network, ranges_of(network, images), recipe.quantised)(lr), network(lr)
    assert -10 * (got - expected).square().mean().log10() > closest_db
    assert (got - exact).abs().max() > 1e-3  # it is quantised


@pytest.mark.slow
def test_the_onnx_file_holds_the_layers_of_the_recipe_in_int8_and_the_others_in_float():
    if any(find_spec(package) is None for package in RUNTIMES["onnxruntime"].packages):
        pytest.skip("needs onnx and onnxruntime")
    import onnx

    network, images = tiny(), [photograph(16, 16)]
    recipe = recipe_of(network, images, {"to_img.0", "feats.0.ccm.ccm.0"})
    setting = Setting(threads=1, dtype="int8", recipe=recipe)
    [content] = RUNTIMES["onnxruntime"].converted(network, (1, 3, 16, 16), setting).values()
    weights = {tensor.name: tensor.data_type for tensor in onnx.load_from_string(content).graph.initializer}
    integers = {name.removesuffix(".weight_quantized") for name in weights if name.endswith(".weight_quantized")}
    assert integers == set(recipe.quantised)
    assert {weights[f"{name}.weight"] for name in recipe.in_float} == {onnx.TensorProto.FLOAT}
