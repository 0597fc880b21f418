"""What may be typed: each wrong value is one sentence at the door, before anything is imported or done."""

from pathlib import Path

import pytest

from safmn_bench.ablations import cli

LONG = "a" * 300
DIGITS = "9" * 400
NOISE = ["power", "--sd", "0.02"]
RUN = ["run", "--variant", "bn"]
LAM = ["lam", "--models", "safmn", "--image", "a.png"]

# what is typed -> what is said
CALLS: dict[str, tuple[list[str], str]] = {
    "no command": (["rum"], "No command 'rum'. Did you mean 'run'"),
    "an empty command": ([""], "No command ''."),
    "a long number": ([*RUN, "--seeds", DIGITS], "argument --seeds: a number of 400 digits is out of range"),
    "a longer number": ([*RUN, "--seeds", "9" * 5000], "argument --seeds: invalid int value: '999"),
    "a negative seed": ([*RUN, "--seeds", "-1"], "--seeds: -1 is no seed. Allowed: whole numbers from 0 to 92233"),
    "a seed beyond 63 bits": ([*RUN, "--seeds", str(2**63)], "a number of 19 digits is out of range"),
    "a negative seed of noise": (["noise", "--seeds", "-1"], "--seeds: -1 is no seed"),
    "a fraction": ([*RUN, "--seeds", "1.5"], "argument --seeds: invalid int value: '1.5'"),
    "no seeds": ([*RUN, "--seeds"], "argument --seeds: expected at least one argument"),
    "an empty variant": (["run", "--variant", ""], "argument --variant: it is empty"),
    "an empty name among names": (["complexity", "--models", "safmn", ""], "argument --models: it is empty"),
    "an empty recipe": ([*RUN, "--recipe", " "], "argument --recipe: it is empty"),
    "an empty folder": ([*RUN, "--out", ""], "argument --out: an empty path. Name a file or a folder"),
    "an empty data folder": ([*RUN, "--train-data", ""], "argument --train-data: an empty path"),
    "an unset variable": (["report", "--runs="], "argument --runs: an empty path"),
    "no number": ([*NOISE, "--chance", "nan"], "argument --chance: nan is not a finite number"),
    "infinite": ([*NOISE, "--detect", "1e400"], "argument --detect: 1e400 is not a finite number"),
    "networks without end": ([*NOISE, "--networks", str(2**62)], "--networks is out of range. Allowed: at most 1"),
    "freedom of none": ([*NOISE, "--freedom", "0"], "--freedom is out of range. Allowed: from 1 to 1000000"),
    "threads without end": (["latency", "--threads", str(2**62)], "is out of range. Allowed: whole numbers from 1 to"),
    "no threads": (["compare", "safmn", "--threads", "0"], "--threads 0 is not a whole number of at least 1"),
    "a limit of ages": (["check", "safmn", "--limit", "1e18"], "--limit 1e+18 is above 1e+06 seconds"),
    "an unknown option": ([*RUN, "--devise", "cpu"], "run has no option '--devise'. Did you mean '--device'?"),
    "an option with its value": ([*RUN, "--sead=1"], "run has no option '--sead'. Did you mean '--seeds'"),
    "an unknown choice": (["complexity", "--table", "7"], "invalid choice: 7 (choose from 1, 3, 4, 6)"),
    "a misspelt choice": ([*RUN, "--engine", "slrum"], "--engine: invalid choice: 'slrum'. Did you mean 'slurm'?"),
    "a misspelt format": (["tables", "--table", "3", "--format", "latx"], "Did you mean 'latex'?"),
    "a CSV that is a folder": (["complexity", "--table", "3", "--csv", "/"], "Cannot write /: it is a folder."),
    "a table that is a folder": (["tables", "--table", "3", "--out", "."], "Cannot write .: it is a folder."),
    "a CSV of a long name": ([*NOISE, "--csv", LONG], "a name of 300 bytes is too long. Shorten it."),
    "a CSV within a file": ([*NOISE, "--csv", f"{__file__}/a"], "be written to. Choose another place with --csv."),
    "a trace of a long name": (["operators", "--trace", LONG], "a name of 300 bytes is too long"),
    "an ONNX file that is a folder": (["export", "--out", "/"], "--out /: the name of an ONNX file ends in .onnx."),
    "a template that is a folder": (["check", "--new", "/"], "Cannot write /: it is a folder"),
    "a window of text": ([*LAM, "--window", "a", "b", "c"], "argument --window: invalid int value: 'a'"),
    "escapes": ([*RUN, "--sc\x1b[31male", "4"], "run has no option '--sc\\x1b[31male'"),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_call_is_one_sentence(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    words, message = CALLS[name]
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert len(said.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


FOLDERS = {
    "report": ["report", "--out"],
    "study": ["study", "--runs", "nowhere", "--out"],
    "figures": ["figures", "--figure", "7", "--out"],
    "lam": [*LAM, "--window", "0", "0", "8", "--out"],
    "noise": ["noise", "--out"],
    "inside": ["inside", "--models", "safmn", "--out"],
    "card": ["card", "nowhere", "--out"],
    "gpu": ["gpu", "--bundle"],
    "evaluate": ["evaluate", "--model", "bicubic", "--save-images"],
    "latency": ["latency", "--csv"],
    "operators": ["operators", "--csv"],
}
PLACES = {
    "below a file": (f"{__file__}/a/b", f"{__file__} cannot be written to. Choose another place with --"),
    "of a long name": (LONG, "a name of 300 bytes is too long. Shorten it."),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_cannot_be_written_into_is_refused_before_any_work(
    name: str, place: str, capsys: pytest.CaptureFixture[str]
):
    path, message = PLACES[place]
    assert cli.main([*FOLDERS[name], path]) == 2
    said = capsys.readouterr()
    assert (said.out, len(said.err.splitlines())) == ("", 1)
    assert message in said.err
