"""Runs of networks of one's own: configuration, copy and record tell the code; a hostile one takes its own run only."""

import json
import sys
from pathlib import Path

import pytest
import torch
import yaml
from own_networks import BLOCKS, write_class, write_networks
from short_runs import arguments, assert_same, folder_of, lines_of, sweep_arguments, variants

from safmn_bench.ablations.run import main
from safmn_bench.analysis.networks import subject_of
from safmn_bench.analysis.stats.reading import find_runs

RUN = "train.iterations=4"


def test_run_keeps_a_copy_of_the_code_and_an_edited_file_is_another_configuration(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    code, out = tmp_path / "code", tmp_path / "runs"
    code.mkdir()
    name = write_networks(code)["PlainNet"]
    call = arguments(photographs, name, out, RUN)
    assert main(call) == 0
    folder = folder_of(out, "PlainNet")
    assert (folder / "source" / "blocks.py").read_text() == BLOCKS
    record = json.loads((folder / "record.json").read_text())
    assert record["model"] == record["config"]["source"] == "plain.py:PlainNet"
    assert record["config"] == yaml.safe_load((folder / "config.yaml").read_text())["network"]
    assert "runs with your rights" in capsys.readouterr().err

    (code / "blocks.py").write_text(BLOCKS + "# edited\n")
    assert main(call) == 2
    assert "holds a run of another configuration (network.digest: " in capsys.readouterr().err

    (code / "plain.py").unlink()  # the copy is enough to look into what was trained
    (run,) = find_runs(out)
    network = subject_of(*run).network
    weights = torch.load(folder / "weights.pt", weights_only=True)["params"]
    assert torch.equal(network.state_dict()["conv_first.weight"], weights["conv_first.weight"])
    (folder / "source" / "blocks.py").write_text(BLOCKS + "# edited\n")
    with pytest.raises(Exception, match="is not the code that was trained"):
        subject_of(*run)


HOSTILE = {
    "Exits": "os._exit(7)",
    "Prints": "print('x' * 5_000_000)",
    "Forks": "os.fork()",
    "ForksAndStays": "os.fork() or __import__('time').sleep(600)",
    "Seeds": "torch.manual_seed(99); torch.use_deterministic_algorithms(False); torch.set_default_dtype(torch.float64)",
    "Patches": "torch.nn.functional.conv2d = torch.relu = F.interpolate = None",
    "Eats": "self.big = [torch.ones(50 * 2**28)]",
}


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes as on Linux")
def test_hostile_networks_take_their_own_runs_and_no_other(photographs: Path, tmp_path: Path):
    """Beside them, and before them, a variant trains to the same bits as alone."""
    own = [write_class(tmp_path, name, body) for name, body in HOSTILE.items()]
    before, after = variants(tmp_path, first="optimizer.lr: 1.0e-3", last="optimizer.lr: 2.0e-3")
    quiet = tmp_path / "quiet" / "runs"
    quiet.parent.mkdir()
    assert main(sweep_arguments(photographs, quiet, [before, after])) == 0
    out = tmp_path / "runs"
    status = main(sweep_arguments(photographs, out, [before, *own, after], "--slots-per-device", "2"))
    lines = lines_of(out)
    for name in ("first", "last"):
        assert lines[f"{name}/0"]["status"] == "finished"
        assert_same(folder_of(quiet, name), folder_of(out, name))
    assert status == 1
    causes = {name: (lines[f"{name}/0"]["status"], lines[f"{name}/0"]["cause"]) for name in HOSTILE}
    assert causes["Exits"] == ("failed", "ended with exit status 7")
    assert causes["Eats"][0] == "failed"
    assert "memory" in causes["Eats"][1]
    assert causes["Prints"] == ("finished", "")
    assert causes["Forks"] == ("finished", "")
    assert causes["Patches"][0] == "failed"
