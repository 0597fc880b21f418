"""Every network of the catalogue keeps the one interface: sizes, gradients, grey images, scales, training."""

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from safmn_bench.ablations.evaluate import main as evaluate
from safmn_bench.ablations.recipe import recipe_for
from safmn_bench.ablations.run import main as run
from safmn_bench.ablations.sweeps.command import require_trainable
from safmn_bench.models.catalog import MODELS, build_model
from safmn_bench.models.color import rgb_to_ycbcr, ycbcr_to_rgb
from safmn_bench.models.errors import UserError
from safmn_bench.models.fast import optimise
from safmn_bench.models.names import find_candidate, trained_name
from safmn_bench.models.peers.luma import LumaNetwork
from safmn_bench.models.resize import bicubic_up
from safmn_bench.profiling.common.paper import read_table
from safmn_bench.profiling.common.sample_images import photograph
from safmn_bench.profiling.counting.flops import LR_SIZES

EVERY = [(name, scale) for name, model in MODELS.items() for scale in model.scales]
TRAINABLE = [name for name in MODELS if name != "bicubic"]
LUMA = ["srcnn", "fsrcnn", "espcn", "vdsr", "lapsrn", "ecbsr_m16c64"]


def test_catalogue_names_every_method_of_table_1():
    peers = {name: model for name, model in MODELS.items() if model.table == 1}
    assert {model.label for model in peers.values()} == {row["method"] for row in read_table("table1.csv")}
    assert set(peers) == {
        *("bicubic", "srcnn", "fsrcnn", "espcn", "vdsr", "lapsrn", "carn_m", "carn", "edsr_baseline", "imdn", "pan"),
        *("lapar_a", "ecbsr_m16c64", "smsr", "shufflemixer", "safmn"),
    }


@pytest.mark.parametrize(("name", "scale"), EVERY)
def test_odd_sizes_are_enlarged_exactly(name: str, scale: int):
    network = build_model(name, scale).eval()
    with torch.inference_mode():
        sr = network(torch.rand(1, 3, 37, 53))
    assert sr.shape == (1, 3, 37 * scale, 53 * scale)
    assert torch.isfinite(sr).all()


@pytest.mark.parametrize("name", TRAINABLE)
def test_gradients_reach_every_trained_weight(name: str):
    torch.manual_seed(0)
    network = build_model(name, 2).train()
    with torch.no_grad():
        for parameter in network.parameters():  # weights that start tiny or at zero hide what is connected
            if parameter.requires_grad:
                parameter.add_(0.02 * torch.randn_like(parameter))
    sr = network(torch.rand(2, 3, 17, 16))
    loss = (sr - torch.rand_like(sr)).abs().mean() + (getattr(network, "extra_loss", None) or 0.0)
    loss.backward()
    weights = {key: p for key, p in network.named_parameters() if p.requires_grad}
    unreached = [key for key, p in weights.items() if p.grad is None or not p.grad.abs().sum() > 0]
    assert unreached == []


@pytest.mark.parametrize("name", MODELS)
def test_gradients_reach_the_image_in_evaluation(name: str):
    rgb = torch.rand(1, 3, 16, 17, requires_grad=True)
    build_model(name, 2).eval()(rgb).square().sum().backward()
    assert rgb.grad is not None
    assert (rgb.grad.abs().sum(dim=(0, 2, 3)) > 0).all()


@pytest.mark.parametrize("name", MODELS)
def test_grey_images_give_finite_images_and_luma_networks_keep_them_grey(name: str):
    grey = torch.rand(1, 1, 16, 17).expand(-1, 3, -1, -1)
    with torch.inference_mode():
        sr = build_model(name, 2).eval()(grey)
    assert torch.isfinite(sr).all()
    if name in LUMA:
        assert (sr - sr.mean(dim=1, keepdim=True)).abs().max() < 1e-5


@pytest.mark.parametrize("name", TRAINABLE)
def test_fast_form_gives_the_same_image(name: str):
    torch.manual_seed(0)
    network = build_model(name, 2).eval()
    rgb = photograph(19, 16)
    with torch.inference_mode():
        expected = network(rgb)
        tolerance = 1e-5 * max(1.0, expected.abs().max().item())  # fresh networks may leave [0, 1] far behind
        assert (optimise(build_like(network, name))(rgb) - expected).abs().max() < tolerance


def build_like(network: torch.nn.Module, name: str) -> torch.nn.Module:
    """A second network with the weights of the first."""
    other = build_model(name, 2).eval()
    other.load_state_dict(network.state_dict())
    return other


def test_luma_networks_train_after_being_scored_at_the_same_size():
    network, rgb = build_model("espcn", 2), torch.rand(1, 3, 5, 23)  # a size that no other test has
    with torch.inference_mode():
        network(rgb)
    network(rgb).mean().backward()


class Nothing(LumaNetwork):
    """Enlarges luma bicubically."""

    def enlarge_luma(self, y: torch.Tensor) -> torch.Tensor:
        return bicubic_up(y, self.scale)


def test_luma_networks_take_colour_from_bicubic():
    rgb = torch.rand(2, 3, 7, 9, dtype=torch.float64)
    assert torch.allclose(Nothing(3)(rgb), bicubic_up(rgb, 3), atol=1e-12)
    assert torch.allclose(ycbcr_to_rgb(bicubic_up(rgb_to_ycbcr(rgb), 3)), bicubic_up(rgb, 3), atol=1e-12)


def test_colour_stays_in_float32_under_autocast():
    rgb = torch.rand(1, 3, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        sr = Nothing(2)(rgb)
    assert sr.dtype == torch.float32
    assert (sr - Nothing(2)(rgb)).abs().max() < 1e-6


@pytest.mark.parametrize(("name", "scale", "allowed"), [("lapsrn", 3, "2, 4"), ("carn", 8, "2, 3, 4")])
def test_scale_that_a_network_lacks_is_refused_with_those_that_it_has(name: str, scale: int, allowed: str):
    with pytest.raises(UserError, match=rf"has no scale {scale}\. Allowed: {allowed}\."):
        build_model(name, scale)


def test_bicubic_is_not_trained(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert run(["--model", "bicubic", "--out", str(tmp_path)]) == 2
    assert "bicubic has nothing to train. Score it as it is" in capsys.readouterr().err


def test_bicubic_takes_no_weights(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    assert evaluate(["--model", "bicubic", "--weights", str(tmp_path / "w.pth")]) == 2
    assert "bicubic has no weights" in capsys.readouterr().err


def test_bicubic_in_floating_point_is_the_8_bit_one_but_for_rounding():
    lr = torch.randint(64, 192, (3, 9, 11), dtype=torch.uint8)  # no overshoot leaves 0-255
    network = build_model("bicubic", 3)
    exact = network(lr[None].double())[0]
    assert (network.enlarge_uint8(lr).double() - exact).abs().max() < 1.2  # type: ignore[operator]


def train(name: str, photographs: Path, out: Path, iterations: int) -> list[float]:
    """Losses of a run by the quick recipe with small patches, a mean per tenth of it."""
    keys = {"iterations": iterations, "patch": 16, "batch": 4, "log_every": iterations // 10, "validate_every": 1000}
    options = ["--set", *(f"train.{key}={value}" for key, value in keys.items())]
    data = ["--train-data", str(photographs), "--out", str(out), "--scale", "2", "--recipe", "quick"]
    assert run(["--model", name, "--device", "cpu", *data, *options]) == 0
    with (out / trained_name(find_candidate(name)) / "x2" / "seed0" / "losses.csv").open() as handle:
        return [float(row["loss"]) for row in csv.DictReader(handle)]


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("edsr_baseline", 1e-3),
        ("lapsrn", 1e-3),
        ("rlfn_s", 1e-3),
        ("ecbsr_m16c64", 5e-4),
        ("imdn", 1e-3),
        ("carn", 5e-3),
    ],
)
def test_networks_that_diverge_at_the_quick_recipes_rate_have_their_own(name: str, rate: float):
    recipe, _ = recipe_for(find_candidate(name), "quick", torch.device("cpu"), [])
    assert recipe.optimizer.lr == rate


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINABLE)
def test_200_iterations_lower_the_loss(
    name: str, make_images: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(LR_SIZES, 2, (32, 24))  # the record's count is not what is tested here
    losses = train(name, make_images(tmp_path / "train", "a.png", "b.png", "c.png"), tmp_path / "runs", 200)
    assert losses[-1] < 0.8 * losses[0]


def test_before_training_lapar_says_that_its_atoms_are_not_the_authors(capsys: pytest.CaptureFixture[str]):
    require_trainable(find_candidate("lapar_a"), 2)
    assert "note: LAPAR-A: 21 of the dictionary's 72 atoms come with a published checkpoint" in capsys.readouterr().err


# Set5, PSNR of luma, from the published weights (an independent implementation gives 37.678, 34.058, 31.883).
@pytest.mark.slow
@pytest.mark.parametrize(("scale", "psnr"), [(2, 37.68), (3, 34.06), (4, 31.88)])
def test_published_carn_m_scores_as_known_on_set5(
    shared: Callable[[str], Path], tmp_path: Path, scale: int, psnr: float
):
    files = ["--weights", str(shared("weights/carn_m.pth")), "--benchmarks", str(shared("data/benchmarks/Set5"))]
    assert evaluate(["--model", "carn_m", "--scale", str(scale), *files, "--csv", str(tmp_path / "s.csv")]) == 0
    with (tmp_path / "s.csv").open(newline="") as handle:
        (mean,) = (float(row["psnr_y_db"]) for row in csv.DictReader(handle) if row["image"] == "mean")
    assert mean == pytest.approx(psnr, abs=0.02)
