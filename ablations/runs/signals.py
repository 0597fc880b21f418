"""SIGINT and SIGTERM as a wish to stop: the run saves and ends in its own time, at the next iteration."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether a signal came, and which."""

    signal: int | None = None

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.signal is not None

    @property
    def exit_status(self) -> int:
        """The shell's convention: 128 + signal, so 130 for Ctrl-C and 143 for SIGTERM."""
        return 128 + (self.signal or 0)


@contextmanager
def stop_on_signals(*more: int) -> Iterator[StopRequest]:
    """Turn the first SIGINT, SIGTERM or signal of `more` into a StopRequest; a second SIGINT interrupts as usual."""
    request = StopRequest()

    def note(number: int, frame: FrameType | None) -> None:
        request.signal = number
        signal.signal(signal.SIGINT, signal.default_int_handler)

    previous = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM, *more)}
    try:
        yield request
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
