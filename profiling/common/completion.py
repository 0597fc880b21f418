"""Completion of commands, options and their choices by the shell, through argcomplete: `safmn-bench --completion bash`.

The shell starts the command anew at each press of the key, with the line so far in COMP_LINE, and reads what is printed
to file descriptor 8 (https://kislyuk.github.io/argcomplete). Only the named command's options are imported.
"""

import argparse
import os
from collections.abc import Iterable
from importlib import import_module

from safmn_bench.models.errors import UserError, match_name

SHELLS = ("bash", "zsh", "fish")
_FIRST = "_ARGCOMPLETE"
"""Set by the shell's function: which word of the line is the program, counted from 1."""


def wanted() -> bool:
    """Whether the shell asks for completions, and nothing is to be done."""
    return _FIRST in os.environ


def complete(parser: argparse.ArgumentParser) -> None:
    """Tell the shell how the last word may go on by `parser`, and leave the process."""
    import_module("argcomplete").autocomplete(parser)


def command_in_line(commands: Iterable[str]) -> str:
    """The command in the shell's line, which is then the program for `complete`; where none is yet, they are told."""
    line, point = os.environ["COMP_LINE"], int(os.environ["COMP_POINT"])
    *_, words, _ = import_module("argcomplete.lexers").split_line(line, point)
    first = int(os.environ[_FIRST])
    if len(words) > first:
        os.environ[_FIRST] = str(first + 1)
        return match_name("command", words[first], commands)
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=list(commands))
    complete(parser)
    raise AssertionError("`complete` leaves the process")


def shell_code(shell: str) -> str:
    """What the shell has to evaluate once. Raises UserError for another shell, or without argcomplete."""
    shell = match_name("shell", shell, SHELLS)
    try:
        return import_module("argcomplete").shellcode(["safmn-bench"], shell=shell)
    except ModuleNotFoundError as error:
        raise UserError(
            "--completion needs argcomplete, which is not installed here: pip install 'safmn-bench[completion]'."
        ) from error
