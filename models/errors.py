"""Errors that a user can cause, and how they are told.

A `UserError` carries one paragraph: what is wrong, where, what is allowed, what to do. It is raised where the
user's value enters; a command prints it and exits with status 2 (profiling/common/door.py).
"""

import unicodedata
from collections.abc import Iterable


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
    """The question whether one of the nearest was meant (up to three), with a space before it; else nothing.

    A name that begins as given comes first, however long it goes on: "edsr" is meant for edsr_baseline, not vdsr.
    """
    import difflib  # half of this module's time, for wrong names alone

    by_folded = {normalised(name).lstrip("_"): name for name in known}  # the dashes of options make all of them alike
    folded = normalised(given).lstrip("_")
    # one or two letters begin too many names
    begun = [name for name in by_folded if len(folded) > 2 and name.startswith(folded)]
    alike = difflib.get_close_matches(folded, by_folded, n=3, cutoff=0.6)
    near = [by_folded[name] for name in dict.fromkeys([*begun, *alike])][:3]
    return f" Did you mean {' or '.join(repr(n) for n in near)}?" if near else ""


def printable(text: str) -> str:
    """One line: spaces for control characters and line breaks, '?' for what has no place in UTF-8 text."""
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    kind = unicodedata.category(character)
    if kind in ("Cc", "Zl", "Zp"):
        return " "
    return "?" if kind.startswith("C") else character
