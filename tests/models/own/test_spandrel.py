"""Networks of other authors from the registry: classes of spandrel by name, and weights that tell their network."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

import safmn_bench as sb
from safmn_bench.ablations.evaluate import main as evaluate
from safmn_bench.analysis.networks import subjects
from safmn_bench.models.errors import UserError
from safmn_bench.models.names import find_candidate
from safmn_bench.profiling.check import main as check

pytestmark = pytest.mark.skipif(
    find_spec("spandrel") is None or find_spec("einops") is None,
    reason="needs spandrel: pip install --no-deps spandrel einops",
)
PLKSR = "spandrel.architectures.PLKSR:PLKSR(dim=8, n_blocks=1, kernel_size=5, split_ratio=0.5)"


@pytest.fixture
def plksr(tmp_path: Path) -> Path:
    """Weights of a small PLKSR x4, random."""
    torch.manual_seed(0)
    torch.save({"params": sb.create_model(PLKSR, 4).state_dict()}, tmp_path / "plksr.pth")
    return tmp_path / "plksr.pth"


def test_network_by_its_class_enlarges_by_the_scale_asked_for():
    found = find_candidate(PLKSR)
    assert found.name.startswith("PLKSR_dim8_n_blocks1")
    network = found.build(2)
    assert network(torch.rand(1, 3, 9, 7)).shape == (1, 3, 18, 14)


def test_weights_tell_their_network(plksr: Path, photographs: Path, tmp_path: Path):
    by_file, by_class = sb.create_model(f"spandrel:{plksr}", 4), sb.create_model(PLKSR, 4, plksr)
    x = torch.rand(1, 3, 16, 20)
    with torch.no_grad():
        assert torch.equal(by_file(x), by_class(x))
    call = ["--model", f"spandrel:{plksr}", "--benchmarks", str(photographs / "score")]
    assert evaluate([*call, "--csv", str(tmp_path / "s.csv")]) == 0
    assert "spandrel_plksr" in (tmp_path / "s.csv").read_text()
    assert np.asarray(sb.upscale(by_file, np.zeros((9, 7, 3), np.uint8))).shape == (36, 28, 3)
    (looked_into,) = subjects([f"spandrel:{plksr}"], None, None, 4, torch.device("cpu"))  # lam, figures: no --weights
    with torch.no_grad():
        assert torch.equal(looked_into.network(x), by_class(x))
    with pytest.raises(UserError, match=r"is PLKSR x4 with 3 channels, and RGB x2 is asked for. Give its --scale."):
        sb.create_model(f"spandrel:{plksr}", 2)


def test_parts_that_are_merged_in_another_way_are_told(capsys: pytest.CaptureFixture[str]):
    """SPAN's blocks keep, beside the branches that train, the convolution that evaluation uses."""
    name = "spandrel.architectures.SPAN:SPAN(num_in_ch=3, num_out_ch=3, feature_channels=8)"
    others = ["sizes", "gradients", "evaluation", "batch", "range", "counting", "state", "reach", "compile", "onnx"]
    assert check([name, "--limit", "0", "--without", *others]) == 0
    assert "have no part in evaluation" in capsys.readouterr().out
