"""`check`: networks in the styles of others pass, and each fault gets its sentence and how to mend it."""

from pathlib import Path

import pytest
import torch
from own_networks import write_class, write_networks
from torch import nn

from safmn_bench.models.names import find_candidate
from safmn_bench.profiling.check import main
from safmn_bench.profiling.checking.geometry import measured_reach

QUICK = ["--limit", "0", "--without", "compile", "onnx", "reach"]


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What was printed, check -> its line and what to do."""
    found: dict[str, str] = {}
    name = ""
    for line in capsys.readouterr().out.splitlines():
        if line.startswith(("holds", "fails", "note")):
            name = line[7:].split(":")[0]
            found[name] = line
        elif line.startswith("       ->"):
            found[name] += line
    return found


def test_networks_of_other_styles_pass(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    for name in write_networks(tmp_path).values():
        assert main([name, "--scale", "2", *QUICK]) == 0, capsys.readouterr().out
    assert lines(capsys)["deployed"].startswith(
        "holds  deployed: 1,756 parameters in training, 1,684 deployed"
    )  # by hand


FAULTS = {
    "builds": ("self.conv.cuda()", "", "Leave devices to the suite: no .cuda()"),
    "sizes": ("", "assert x.shape[2] % 8 == 0; return F.interpolate(self.conv(x), scale_factor=self.up)",
              "56 of 64 sides fail, such as 1: "),
    "gradients": ("self.idle = nn.Conv2d(3, 3, 1)", "", "2 parameters get no gradient, such as idle.weight."),
    "batch": ("", "return F.interpolate(self.conv(x), scale_factor=self.up) - x.mean()", "another image is beside it"),
    "evaluation": ("", "return F.dropout(F.interpolate(self.conv(x), scale_factor=self.up))",
                   "Give F.dropout its `training=self.training`"),
    "range": ("", "return F.interpolate(self.conv(x), scale_factor=self.up) + 100.0", "Does it work on 0 to 255?"),
    "state": ("import random; self.offset = random.random()",
              "return F.interpolate(self.conv(x), scale_factor=self.up) + self.offset", "gives another SR"),
}  # fmt: skip


@pytest.mark.parametrize("check", FAULTS)
def test_each_fault_gets_its_sentence(check: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    if check == "builds" and torch.cuda.is_available():
        pytest.skip("a constructor that calls CUDA fails only where there is none")
    body, forward, sentence = FAULTS[check]
    status = main([write_class(tmp_path, "Faulty", body, forward=forward), *QUICK])
    found = lines(capsys)
    assert sentence in found[check], found
    assert status == (0 if check == "range" else 1)
    assert not [name for name, line in found.items() if line.startswith("fails") and name != check], found


ENDINGS = {
    "hangs in its constructor": ("import time; time.sleep(600)", "", "builds: No answer within 15 s"),
    "hangs in its forward": ("", "import time; time.sleep(600)", "sizes: No answer within 15 s"),
    "leaves": ("", "os._exit(7)", "sizes: Its process ended (status 7)"),
    "prints": ("print('x' * 10**7)", "return F.interpolate(self.conv(x), scale_factor=self.up)", "state: "),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", ENDINGS)
def test_network_that_hangs_or_leaves_ends_its_own_check(what: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    body, forward, sentence = ENDINGS[what]
    call = [write_class(tmp_path, "Bad", body, forward=forward), "--limit", "15", *QUICK[2:]]
    assert main(call) == (0 if what == "prints" else 1)
    assert sentence in capfd.readouterr().out


def test_size_multiple_that_is_suggested_mends_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    forward = "assert x.shape[2] % 8 == 0 and x.shape[3] % 8 == 0; return F.interpolate(self.conv(x), scale_factor=4)"
    name = write_class(tmp_path, "Eights", forward=forward)
    assert main([name, *QUICK]) == 1
    assert "write `size_multiple = 8` in the class" in lines(capsys)["sizes"]
    file = tmp_path / "eights.py"
    file.write_text(file.read_text().replace("    def __init__", "    size_multiple = 8\n\n    def __init__"))
    assert main([name, *QUICK]) == 0


@pytest.mark.slow
def test_frozen_sizes_export_for_one_size_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    pytest.importorskip("onnxruntime")
    forward = "h, w = int(x.shape[2]) * 4, int(x.shape[3]) * 4; return F.interpolate(self.conv(x), size=(h, w)) + "
    name = write_class(tmp_path, "Frozen", forward=forward + "torch.zeros(h, w)")
    others = ["sizes", "gradients", "batch", "evaluation", "range", "state", "counting", "deployed", "compile", "reach"]
    assert main([name, "--limit", "0", "--without", *others]) == 0
    told = lines(capsys)["onnx"]
    assert told.startswith("note   onnx: Exports for one size alone (export --fixed); ONNX Runtime's SR differs by")
    assert told.endswith("Take sizes from the tensors, not from Python numbers kept in the network.")


@pytest.mark.parametrize(("sides", "reach"), [((3,), 1), ((3, 3, 5), 4), ((7, 1), 3), ((1,), 0)])
def test_reach_of_convolutions_is_the_sum_of_their_radii(sides: tuple[int, ...], reach: int):
    torch.manual_seed(0)
    network = nn.Sequential(*[nn.Conv2d(3, 3, side, padding=side // 2) for side in sides])
    assert measured_reach(network, 20) == reach


def test_reach_beyond_what_is_looked_for_is_none():
    class Global(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * x.mean()

    assert measured_reach(Global(), 20) is None


def test_template_passes_its_own_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "mynet.py"
    assert main(["--new", str(path)]) == 0
    assert len(path.read_text().splitlines()) <= 25
    assert main([f"{path}:MyNet", *QUICK]) == 0
    assert measured_reach(find_candidate(f"{path}:MyNet").build(4), 20) == 6  # head, four blocks, tail
    assert main(["--new", str(path)]) == 2
    assert "is there already" in capsys.readouterr().err
