"""What the shell is told when the completion key is pressed; in a process, as the shell does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from safmn_bench.ablations import cli

pytest.importorskip("argcomplete", reason="needs the extra `completion`")
CODE = "from safmn_bench.ablations.cli import main; main()"  # ends within `main`


def completions(line: str, told: Path) -> list[str]:
    """The words that argcomplete prints for a line with the cursor at its end."""
    shell = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "IFS": "\n"}
    shell |= {"_ARGCOMPLETE_STDOUT_FILENAME": str(told), "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_SHELL": "bash"}
    subprocess.run([sys.executable, "-c", CODE], env={**os.environ, **shell}, check=True, timeout=60)
    return [word.strip() for word in told.read_text().split("\n")]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("safmn-bench com", ["compare", "complexity"]),
        ("safmn-bench tables --fo", ["--format"]),
        ("safmn-bench tables --format l", ["latex"]),
        ("safmn-bench run --engine s", ["slurm"]),
    ],
)
def test_commands_options_and_choices_are_completed(line: str, words: list[str], tmp_path: Path):
    assert completions(line, tmp_path / "told") == words


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_code(shell: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main(["--completion", shell]) == 0
    assert "safmn-bench" in capsys.readouterr().out


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]):
    assert cli.main(["--completion", "basch"]) == 2
    assert capsys.readouterr().err == "error: No shell 'basch'. Did you mean 'bash'? Known: bash, zsh, fish.\n"
