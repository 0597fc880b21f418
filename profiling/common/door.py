"""The door of every command: what a script's `main` meets on its way in and out, whatever the surroundings.

| what happens | what is said | exit status |
|---|---|---|
| a UserError | its paragraph on stderr | 2 |
| a library is missing | which | 2 |
| the system refuses: a full disk, a folder without permission, a path too long (`OUTSIDE`) | what, where | 2 |
| Ctrl-C | one word | 130 |
| nobody reads the output any more (`... | head`) | nothing | 141 |
| anything else: a defect | its trace | 1 |

Nothing heavy is imported here, and scripts import everything else inside `main`: Ctrl-C meets no bare import.
"""

import atexit
import errno
import functools
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import CodeType, FrameType
from typing import Protocol

from safmn_bench.models.errors import UserError, printable
from safmn_bench.profiling.common.layout import say

INTERRUPTED, PIPE_CLOSED = 128 + signal.SIGINT, 128 + signal.SIGPIPE  # the shell's convention for a signal
OUTSIDE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ENOMEM),
    *(errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.EMFILE, errno.ENFILE),
}
"""Refusals of the system, by no fault of the code."""


class Main(Protocol):
    """A script's entry: `main(argv)`, None meaning the process's own arguments; returns the exit status."""

    def __call__(self, argv: list[str] | None = None) -> int: ...


def command(main: Callable[[list[str] | None], int]) -> Main:
    """Wrap a script's `main(argv)` as the table above says."""
    _MAINS.add(main.__code__)

    @functools.wraps(main)
    def wrapped(argv: list[str] | None = None) -> int:
        if argv is None:
            _own_the_process()
        with _headless():
            return _told(main, argv)

    return wrapped


def _told(main: Callable[[list[str] | None], int], argv: list[str] | None) -> int:
    """The exit status, after what has to be said."""
    try:
        status = main(argv)
        if sys.stdout is not None:  # None where the shell closed it
            sys.stdout.flush()
        return status
    except UserError as error:
        return _say(str(error))
    except ModuleNotFoundError as error:
        if not error.name or error.name.startswith("safmn_bench"):
            raise  # a defect of ours, not a missing library
        return _say(f"{error.name} is needed here and not installed: run `make setup`.")
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return PIPE_CLOSED
    except OSError as error:
        if error.errno not in OUTSIDE:
            raise
        _drop_output()
        return _say(f"{_place(error)}: {error.strerror}. Make room, allow it, or choose another place.")


def _say(paragraph: str) -> int:
    say(f"error: {printable(paragraph)}", sys.stderr)
    return 2


def _place(error: OSError) -> str:
    name = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "The output"
    return name if len(name) <= 120 else f"{name[:80]}... ({len(os.fsencode(name))} bytes)"


def _drop_output() -> None:
    """Drop what stdout still buffers: writing it at exit would fail once more, with a trace."""
    with suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _headless() -> Iterator[None]:
    """No window is ever shown: a notebook's MPLBACKEND, which may not be installed here, does not count."""
    before = os.environ.get("MPLBACKEND")
    if "matplotlib" not in sys.modules:
        os.environ["MPLBACKEND"] = "agg"
    try:
        yield
    finally:
        os.environ.pop("MPLBACKEND", None)
        if before is not None:
            os.environ["MPLBACKEND"] = before


_MAINS: set[CodeType] = set()
"""The code of every wrapped `main`."""


def _own_the_process() -> None:
    """For a command that is the process: text of any bytes can be shown, and Ctrl-C works from the first import on."""
    for stream in (sys.stdout, sys.stderr):
        if reconfigure := getattr(stream, "reconfigure", None):
            reconfigure(errors="backslashreplace")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupted)
        atexit.register(signal.signal, signal.SIGINT, signal.SIG_DFL)


def _interrupted(number: int, frame: FrameType | None) -> None:
    """Ctrl-C. In the imports of `main` nothing has begun, and libraries swallow exceptions: leave at once."""
    if _in_imports_of_main(frame):
        os.write(2, b"interrupted\n")
        os._exit(INTERRUPTED)
    signal.default_int_handler(number, frame)


@contextmanager
def deaf_to_interrupts() -> Iterator[None]:
    """Processes started in this block never see Ctrl-C, which a terminal sends to all: their parent ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _in_imports_of_main(frame: FrameType | None) -> bool:
    """Whether the innermost import statement that runs, seen from below the imports that it led to, is a `main`'s."""
    importing = False
    while frame is not None:
        if frame.f_code in _MAINS:
            return importing
        importing = frame.f_code.co_filename.startswith("<frozen importlib") or (
            importing and frame.f_code.co_name == "import_module"
        )
        frame = frame.f_back
    return False
