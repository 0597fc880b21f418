"""Errors that a user can cause, and how they are told.

A `UserError` carries one paragraph: what is wrong, where, what is allowed, what to do. It is raised where the
user's value enters; a command prints it and exits with status 2. Everything else is a defect and keeps its trace.
"""

import difflib
import functools
import sys
from collections.abc import Callable, Iterable
from typing import Protocol


class UserError(Exception):
    """A wrong call or wrong input; `str()` of it is the paragraph for the user."""


def normalised(name: str) -> str:
    """Fold what does not count in a name: case, and '-' against '_'."""
    return name.strip().casefold().replace("-", "_")


def match_name(kind: str, given: str, known: Iterable[str], advice: str = "") -> str:
    """Return the entry of `known` that `given` means (case and -/_ do not matter).

    Raises UserError with the nearest matches and all known names; `advice` is appended to it.
    """
    by_folded = {normalised(name): name for name in known}
    folded = normalised(given)
    if folded in by_folded:
        return by_folded[folded]
    parts = [
        f"No {kind} {given!r}.{guess(given, by_folded.values())}",
        f"Known: {', '.join(by_folded.values())}.",
        advice,
    ]
    raise UserError(" ".join(part for part in parts if part))


def guess(given: str, known: Iterable[str]) -> str:
    """The question whether one of the nearest was meant (up to three), with a space before it; else nothing."""
    by_folded = {normalised(name).lstrip("_"): name for name in known}  # the dashes of options make all of them alike
    folded = normalised(given).lstrip("_")
    near = [by_folded[n] for n in difflib.get_close_matches(folded, by_folded, n=3, cutoff=0.6)]
    return f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


class Main(Protocol):
    """A script's entry: `main(argv)`, None meaning the process's own arguments; returns the exit status."""

    def __call__(self, argv: list[str] | None = None) -> int: ...


def command(main: Callable[[list[str] | None], int]) -> Main:
    """Wrap a script's `main(argv)`: a UserError, or a missing library, is one paragraph on stderr and exit status 2."""

    @functools.wraps(main)
    def wrapped(argv: list[str] | None = None) -> int:
        try:
            return main(argv)
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
        except ModuleNotFoundError as error:
            if not error.name or error.name.startswith("safmn_bench"):
                raise  # a defect of ours, not a missing library
            print(f"error: {error.name} is needed here and not installed: run `make setup`.", file=sys.stderr)
            return 2

    return wrapped
