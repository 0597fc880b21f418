"""The door of every command: what was typed becomes a frozen dataclass before anything heavy is imported.

Each wing's `options.py` holds a dataclass (fields, types, defaults) and the argparse surface over it. None of them
imports torch, scipy or matplotlib: `--help` and every wrong call answer at once, and nothing past the door sees a
Namespace. Ranges are checked in `__post_init__`, so that a sweep file's values meet the same checks.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, fields
from importlib import import_module
from typing import Any, Generic, NoReturn, TypeVar

from safmn_bench.models.errors import UserError, guess

SCALES = (2, 3, 4)
DEVICE_HELP = "auto, cpu, cuda or cuda:N (default: %(default)s)"


@dataclass(frozen=True, kw_only=True)
class Options:
    """What every command's options have in common."""

    typed: tuple[str, ...] = ()
    """The options as they were typed, for what is written beside a result; empty where no command line was read."""


T = TypeVar("T", bound=Options)


class Parser(argparse.ArgumentParser, Generic[T]):
    """argparse over a dataclass: defaults are the dataclass's, a wrong call is one UserError, lists become tuples."""

    def __init__(self, options: type[T], prog: str, description: str) -> None:
        super().__init__(prog=prog, description=description)
        self._made = options
        self.set_defaults(**{f.name: _as_typed(f.default) for f in fields(options) if f.default is not MISSING})
        self.add_argument(
            "--version", action=_Version, nargs=0, dest=argparse.SUPPRESS, default=argparse.SUPPRESS,
            help="print the version of the suite, and leave",
        )  # fmt: skip

    def read(self, argv: Sequence[str] | None = None) -> T:
        """The options in `argv` (default: the process's own). Raises UserError for a wrong call."""
        typed = tuple(sys.argv[1:] if argv is None else argv)
        self._require_known(typed)
        values = {name: _frozen(value) for name, value in vars(self.parse_args(typed)).items()}
        return self._made(**values | {"typed": typed})

    def error(self, message: str) -> NoReturn:
        """Raise UserError, in place of argparse's usage of a dozen lines."""
        raise UserError(f"{self.prog}: {message}. --help tells all options.")

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
