"""Numbers below 1.2e-38 cost a training step many times its time: every thread that trains takes them as zero."""

import subprocess
from pathlib import Path

import pytest
import torch
from short_runs import FAST, RUN, record

from safmn_bench.profiling.common.devices import flushed_denormals

NETWORK = '''
import torch
from torch import nn


class Watchful(nn.Module):
    """Fails where a thread of its process still computes such numbers; large, so that all threads take part."""

    def __init__(self, scale=4):
        super().__init__()
        self.conv = nn.Conv2d(3, 3 * scale**2, 3, padding=1)
        self.shuffle = nn.PixelShuffle(scale)

    def forward(self, x):
        if self.training:
            assert torch.get_num_threads() == {threads}
            left = (torch.full((4, 512, 512), 1e-30) * 1e-10).count_nonzero().item()
            assert not left, f"{{left}} of {{4 * 512 * 512}} are not zero"
        return self.shuffle(self.conv(x))
'''


@pytest.mark.parametrize(
    ("seeds", "options", "threads"),
    [
        pytest.param(["0"], [], 2, id="one run"),
        pytest.param(["0", "1"], ["--slots-per-device", "1"], 2, id="a sweep", marks=pytest.mark.slow),
    ],
)
def test_no_thread_of_a_training_computes_them(
    seeds: list[str], options: list[str], threads: int, photographs: Path, tmp_path: Path
):
    model = tmp_path / "watchful.py"
    model.write_text(NETWORK.format(threads=threads))
    data = ["--train-data", str(photographs / "train"), "--benchmarks", str(photographs / "score")]
    call = ["--model", f"{model}:Watchful", "--seeds", *seeds, "--device", "cpu", *data, "--out", str(tmp_path / "out")]
    env = {"OMP_NUM_THREADS": str(threads), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([*RUN, *call, *options, "--set", *FAST], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [record(tmp_path / "out", "Watchful", int(seed))["status"] for seed in seeds] == ["finished"] * len(seeds)


def test_they_are_there_before_and_behind():
    """Else the test above could not fail; and who calls a command from Python keeps his arithmetic."""
    tiny = torch.full((1,), 1e-30)
    assert (tiny * 1e-10).item() > 0
    with flushed_denormals():
        assert (tiny * 1e-10).item() == 0
        with flushed_denormals():
            pass
        assert (tiny * 1e-10).item() == 0
    assert (tiny * 1e-10).item() > 0
