"""What a sweep writes for itself, damaged: sweep.csv, a halving's decision, a Slurm ticket; none ends in a trace."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from safmn_bench.ablations.record import RunFolder
from safmn_bench.ablations.sweeps.halving import kept_decision
from safmn_bench.ablations.sweeps.slurm_engine import SlurmEngine
from safmn_bench.ablations.sweeps.sweep import read_sweep
from safmn_bench.models.errors import UserError

ROW = "variant,model,scale,seed,status\nn4,safmn,4,0,finished\n"
NO_SWEEP = {
    "no columns of a sweep": b"a,b\n1,2\n",
    "a row cut short": b"variant,model,scale,seed,status\nn4,sa",
    "no text": b"variant,model,scale,seed\nn\xff4,safmn,4,0\n",
    "a field without end": b'variant,model,scale,seed\n"n4' + b"x" * 200_000,
}


@pytest.mark.parametrize("name", NO_SWEEP)
def test_a_sweep_csv_that_is_none_is_kept_beside(tmp_path: Path, capsys, name: str):
    path = tmp_path / "sweep.csv"
    path.write_bytes(NO_SWEEP[name])
    assert read_sweep(path) == []
    assert (tmp_path / "sweep.csv.damaged").read_bytes() == NO_SWEEP[name]
    assert f"{path} could not be read, and is now sweep.csv.damaged." in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", ROW, "variant,model,scale,seed,status\n"])
def test_a_sweep_csv_that_is_one_is_read(tmp_path: Path, content: str):
    (tmp_path / "sweep.csv").write_text(content)
    assert [row["variant"] for row in read_sweep(tmp_path / "sweep.csv")] == ["n4"] * content.count("n4")
    assert read_sweep(tmp_path / "none.csv") == []


NO_DECISION = {
    "half": ('{"cut": 20', "cannot be read (Expecting"),
    "a list": ("[]", "cannot be read (it holds a list)"),
    "NaN": ('{"cut": NaN}', "cannot be read (NaN is no number)"),
    "nothing decided": ('{"cut": 20, "runs": []}', "is no decision"),
    "another digest": ('{"cut": 20, "sha256": "0"}', "cannot be read (it was changed after it was written"),
}


@pytest.mark.parametrize("name", NO_DECISION)
def test_a_decision_that_is_none_is_refused(tmp_path: Path, name: str):
    content, message = NO_DECISION[name]
    (tmp_path / "halving_x4.json").write_text(content)
    with pytest.raises(UserError) as error:
        kept_decision(tmp_path, 4, [], 20)
    assert f"halving_x4.json {message}" in str(error.value)
    assert str(error.value).endswith("Delete that file to decide anew.")


@pytest.mark.parametrize("content", ["", "[]", "3", "{}", '{"until": null}', "{", "\x00"])
def test_a_ticket_that_is_none_is_as_if_absent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str):
    (tmp_path / "slurm.json").write_text(content)
    engine: Any = SimpleNamespace(tickets={})
    job: Any = SimpleNamespace(state="waiting", plan=SimpleNamespace(folder=RunFolder(tmp_path), until=None))
    monkeypatch.setattr("safmn_bench.ablations.sweeps.slurm_engine.finished_record", lambda plan: None)
    assert SlurmEngine._attached(engine, job, {}) is False
    assert engine.tickets[tmp_path].id == ""
