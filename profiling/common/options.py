"""The door of every command: what was typed becomes a frozen dataclass before anything heavy is imported.

Each wing's `options.py` holds a dataclass (fields, types, defaults) and the argparse surface over it. None of them
imports torch, scipy or matplotlib: `--help` and every wrong call answer at once, and nothing past the door sees a
Namespace. Ranges are checked in `__post_init__`, so that a sweep file's values meet the same checks.
"""

import argparse
import math
import re
import sys
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from importlib import import_module
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

from safmn_bench.models.errors import UserError, guess
from safmn_bench.profiling.common import completion

SCALES = (2, 3, 4)
DEVICE_HELP = "auto, cpu, cuda or cuda:N (default: %(default)s)"


@dataclass(frozen=True, kw_only=True)
class Options:
    """The base of every command's options."""

    typed: tuple[str, ...] = ()
    """The options as they were typed, for what is written beside a result; empty where no command line was read."""


T = TypeVar("T", bound=Options)


class Parser(argparse.ArgumentParser, Generic[T]):
    """argparse over a dataclass: defaults are the dataclass's, a wrong call is one UserError, lists become tuples."""

    def __init__(self, options: type[T], prog: str, description: str) -> None:
        super().__init__(prog=prog, description=description)
        self._made = options
        for kind, convert in ((None, _text), (int, _whole), (float, _finite), (Path, path_of)):
            self.register("type", kind, convert)
        self.set_defaults(**{f.name: _as_typed(f.default) for f in fields(options) if f.default is not MISSING})
        self.add_argument(
            "--version", action=_Version, nargs=0, dest=argparse.SUPPRESS, default=argparse.SUPPRESS,
            help="print the version of the suite, and leave",
        )  # fmt: skip

    def read(self, argv: Sequence[str] | None = None) -> T:
        """The options in `argv` (default: the process's own). Raises UserError for a wrong call."""
        if completion.wanted():
            completion.complete(self)
        typed = tuple(sys.argv[1:] if argv is None else argv)
        self._require_known(typed)
        values = {name: _frozen(value) for name, value in vars(self.parse_args(typed)).items()}
        options = self._made(**values | {"typed": typed})
        for action in self._actions:
            if (check := _OUTPUTS.get(action.type)) and values[action.dest] is not None:
                _require_writable(values[action.dest], "/".join(action.option_strings), check)
        return options

    def error(self, message: str) -> NoReturn:
        """Raise UserError, in place of argparse's usage of a dozen lines."""
        raise UserError(f"{self.prog}: {message}. --help tells all options.")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        # argparse's own, with the nearest of the choices
        if action.choices is not None and value not in action.choices:
            near = guess(str(value), map(str, action.choices)) if isinstance(value, str) else ""
            known = ", ".join(map(repr, action.choices))
            raise argparse.ArgumentError(action, f"invalid choice: {value!r}{near and '.'}{near} (choose from {known})")

    def _require_known(self, typed: Sequence[str]) -> None:
        # before argparse, which would first report what the misspelt option leaves missing
        known = self._option_string_actions
        for word in typed:
            if word == "--":
                return
            name = word.partition("=")[0]
            if name.startswith("--") and not any(option.startswith(name) for option in known):
                raise UserError(f"{self.prog} has no option {name!r}.{guess(name, known)} --help tells all options.")


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any, **__: Any) -> NoReturn:
        print(version())
        parser.exit()


def version() -> str:
    """The suite's name and version."""
    metadata = import_module("importlib.metadata")  # costs as much as all of argparse: only where it is asked for
    return f"safmn-bench {metadata.version('safmn-bench')}"


def path_of(text: str) -> Path:
    """A path as it is typed: an unset shell variable gives an empty one, which would be the current folder."""
    if not text.strip():
        raise argparse.ArgumentTypeError("an empty path. Name a file or a folder; . is the current folder")
    return Path(text)


def output_file(text: str) -> Path:
    """The `type` of an option that names a file to write: refused at the door where that cannot be done."""
    return path_of(text)


def output_folder(text: str) -> Path:
    """The `type` of an option that names a folder to write into, which need not be there yet."""
    return path_of(text)


def output_file_or_folder(text: str) -> Path:
    """The `type` of an option that names a file to write, or a folder that is there, which gets a file."""
    return path_of(text)


_OUTPUTS: dict[object, str] = {
    output_file: "require_writable",
    output_folder: "require_writable_folder",
    output_file_or_folder: "require_writable_either",
}


def _require_writable(path: Path, option: str, check: str) -> None:
    places = import_module("safmn_bench.profiling.common.places")  # only for a command that writes
    getattr(places, check)(path, option)


LARGEST = 2**63 - 1
"""Whole number."""


def _text(text: str) -> str:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty")
    return text


def _whole(text: str) -> int:
    number = int(text)  # ValueError: argparse tells it
    if abs(number) > LARGEST:
        raise argparse.ArgumentTypeError(f"a number of {len(text.strip())} digits is out of range")
    return number


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return number


def require_seeds(seeds: Sequence[int]) -> None:
    """Raise UserError where a seed is not one that every generator of random numbers takes."""
    for seed in seeds:
        if not 0 <= seed <= LARGEST:
            raise UserError(f"--seeds: {seed} is no seed. Allowed: whole numbers from 0 to {LARGEST}.")


LARGEST_SIDE = 16384
LR_SIZE = "320x180"  # the LR image of a 1280x720 frame at x4: Table 2's


def lr_size(given: str) -> tuple[int, int]:
    """'320x180' -> (320, 180), width first. Raises UserError for what is no size."""
    match = re.fullmatch(r"(\d{1,6})[xX](\d{1,6})", given.strip())
    if match is None or not all(1 <= int(side) <= LARGEST_SIDE for side in match.groups()):
        raise UserError(
            f"--lr-size {given!r} is not a size. Write width x height in pixels, from 1 to {LARGEST_SIDE}, as 320x180."
        )
    return int(match[1]), int(match[2])


MOST_THREADS = 4096


def require_threads(threads: int | None) -> None:
    """Raise UserError for a number of CPU threads that no machine has."""
    require_at_least(1, threads=threads)
    if threads is not None and threads > MOST_THREADS:
        raise UserError(f"--threads {threads} is out of range. Allowed: whole numbers from 1 to {MOST_THREADS}.")


def require_at_least(least: int, **values: int | float | None) -> None:
    """Raise UserError where an option is less than `least`; options are named as fields are, None is no value."""
    for name, value in values.items():
        if value is not None and value < least:
            raise UserError(f"--{name.replace('_', '-')} {value} is not a whole number of at least {least}.")


def _as_typed(value: Any) -> Any:
    """A tuple as the list that argparse extends."""
    return [*value] if isinstance(value, tuple) else value


def _frozen(value: Any) -> Any:
    """A list, and lists in it, as tuples."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
