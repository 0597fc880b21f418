"""What a run survives: a kill between checkpoints, a full disk; and several processes on one run."""

import csv
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from short_runs import arguments, assert_same, folder_of

from safmn_bench.ablations.run import main
from safmn_bench.ablations.training import checkpoint
from safmn_bench.models.errors import UserError


def test_kill_between_checkpoints_resumes_bit_for_bit(photographs: Path, small_variant: Path, tmp_path: Path):
    """A run killed at iteration 8, with a checkpoint at 6, repeats 7 and 8 exactly."""
    assert main(arguments(photographs, small_variant, tmp_path / "whole", "train.save_every=3")) == 0
    call = arguments(photographs, small_variant, tmp_path / "killed", "train.save_every=3")
    code = (
        "import os, sys\n"
        "from safmn_bench.ablations.training.learner import Learner\n"
        "from safmn_bench.ablations.run import main\n"
        "step = Learner.step\n"
        "def killed(self, lr, hr, iteration):\n"
        "    if iteration == 8: os.kill(os.getpid(), 9)\n"
        "    return step(self, lr, hr, iteration)\n"
        "Learner.step = killed\n"
        "main(sys.argv[1:])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *call], capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL
    state = torch.load(folder_of(tmp_path / "killed", "one_block") / "last.pt", weights_only=True)
    assert state["done"] == 6
    assert main(call) == 0
    assert_same(folder_of(tmp_path / "whole", "one_block"), folder_of(tmp_path / "killed", "one_block"))


def test_full_disk_loses_nothing(
    photographs: Path, small_variant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    """The disk is full when the second checkpoint is written: one clear error, the first stays, and the run goes on."""
    assert main(arguments(photographs, small_variant, tmp_path / "whole", "train.save_every=4")) == 0
    save, calls = torch.save, []

    def full_disk(state: object, handle: object) -> None:
        calls.append(1)
        if len(calls) == 2:
            handle.write(b"half a checkpoint")  # type: ignore[attr-defined]
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        save(state, handle)  # type: ignore[arg-type]

    call = arguments(photographs, small_variant, tmp_path / "full", "train.save_every=4")
    monkeypatch.setattr(checkpoint.torch, "save", full_disk)
    assert main(call) == 2
    assert "last.pt: No space left on device" in capsys.readouterr().err
    monkeypatch.undo()
    folder = folder_of(tmp_path / "full", "one_block")
    assert torch.load(folder / "last.pt", weights_only=True)["done"] == 4
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]
    assert main(call) == 0
    assert_same(folder_of(tmp_path / "whole", "one_block"), folder)


def test_damaged_checkpoint_is_named(tmp_path: Path):
    (tmp_path / "last.pt").write_bytes(b"half a file")
    with pytest.raises(UserError, match=r"last.pt is not a readable checkpoint .*Delete it"):
        checkpoint.load(tmp_path / "last.pt", torch.device("cpu"))


def losses(folder: Path) -> list[float]:
    with (folder / "losses.csv").open(newline="") as handle:
        return [float(row["loss"]) for row in csv.DictReader(handle)]


@pytest.mark.slow
def test_two_processes_train_as_one(photographs: Path, small_variant: Path, tmp_path: Path):
    """Two gloo processes share each batch: losses equal one process's on the same samples to 1e-5."""
    overrides = ["train.batch=4", "train.log_every=1"]
    assert main(arguments(photographs, small_variant, tmp_path / "one", *overrides)) == 0
    script = Path(__file__).parents[3] / "ablations" / "run.py"
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    call = arguments(photographs, small_variant, tmp_path / "two", *overrides)
    done = subprocess.run([*torchrun, *call], env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    one, two = (losses(folder_of(tmp_path / name, "one_block")) for name in ("one", "two"))
    assert len(one) == len(two) == 12
    assert max(abs(a - b) for a, b in zip(one, two, strict=True)) < 1e-5
    assert done.stdout.count("one_block seed 0") == 1
