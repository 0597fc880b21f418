"""What Slurm's commands print, read; and asking for the engine where it cannot work."""

import importlib.util
from pathlib import Path

import pytest
from short_runs import arguments

from safmn_bench.ablations.run import main
from safmn_bench.ablations.sweeps.slurm_job import exit_cause, parsed, state_of_run


def test_listing_is_read_by_job():
    listing = "17_0|RUNNING|None\n17_1|PENDING|Resources  \n18|COMPLETED|None\n\n"
    assert parsed(listing) == {
        "17_0": ("RUNNING", "None"), "17_1": ("PENDING", "Resources"), "18": ("COMPLETED", "None"),
    }  # fmt: skip


def test_states_of_runs():
    states = ("PENDING", "CONFIGURING", "REQUEUED", "REQUEUE_HOLD", "RUNNING", "COMPLETING", "SUSPENDED")
    assert [state_of_run(state) for state in states] == ["queued"] * 4 + ["running"] * 3


def test_exit_causes():
    assert exit_cause("   Requeue=1 ExitCode=137:0\n   NodeList=n7\n") == (
        ", killed by signal 9, as the system does when memory runs out, on node n7"
    )
    assert exit_cause("ExitCode=0:15 NodeList=(null)") == ", killed by signal 15"
    assert exit_cause("ExitCode=2:0 NodeList=n[1-2]") == ", ended with exit status 2, on node n[1-2]"
    assert exit_cause("ExitCode=0:0 NodeList=n1") == ", on node n1"
    assert exit_cause("slurm_load_jobs error: Invalid job id specified") == ""


def test_without_submitit_the_call_says_how_to_install_it(
    photographs: Path, small_variant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "submitit" else find(name))
    call = arguments(photographs, small_variant, tmp_path / "out")
    assert main([*call, "--engine", "slurm"]) == 2
    assert "pip install 'safmn-bench[slurm]'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_slurm_the_call_says_what_is_missing(
    photographs: Path, small_variant: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    monkeypatch.setenv("PATH", str(tmp_path))
    call = arguments(photographs, small_variant, tmp_path / "out")
    assert main([*call, "--engine", "slurm"]) == 2
    missing = "needs sbatch, srun, squeue, scontrol, which this machine does not have"
    assert missing in capsys.readouterr().err
    assert main([*call, "--engine", "slurm", "--dry-run"]) == 0
    assert f"note: this plan could not be started here. --engine slurm {missing}" in capsys.readouterr().err


def test_device_is_what_each_run_asks_slurm_for(photographs: Path, small_variant: Path, tmp_path: Path, capsys):
    """The launcher's machine need not have what the nodes have."""
    call = arguments(photographs, small_variant, tmp_path / "out")
    assert main([*call, "--engine", "slurm", "--dry-run", "--slurm-gpus", "1"]) == 2
    assert "--device cpu with --slurm-gpus 1: the latter decides. Leave --device out." in capsys.readouterr().err
    del call[call.index("--device") : call.index("--device") + 2]
    assert main([*call, "--engine", "slurm", "--dry-run", "--slurm-gpus", "1"]) == 0
    assert "1 run: 0 done, 1 to do" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["--slurm-cpus", "--slurm-time-min"])
def test_nothing_to_run_on_is_refused(photographs: Path, small_variant: Path, tmp_path: Path, capsys, option: str):
    call = arguments(photographs, small_variant, tmp_path / "out")
    assert main([*call, "--engine", "slurm", "--dry-run", option, "0"]) == 2
    assert f"{option} 0 is nothing to run on" in capsys.readouterr().err
