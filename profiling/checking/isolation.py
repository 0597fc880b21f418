"""The checks in a process of their own: a network that hangs, leaves or eats memory ends its check, and no more."""

import multiprocessing
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from safmn_bench.models.names import find_candidate
from safmn_bench.profiling.checking.checks import BUILDS, FAILS, Finding, run_checks
from safmn_bench.profiling.common.door import deaf_to_interrupts

_STOP_SECONDS = 5
_HANGS = "Look for a loop that does not end, or a download; --limit gives more time."
_LEAVES = "Look for os._exit, a crash in compiled code, or memory: the system ends what takes too much."


def checked(model: str, scale: int, wanted: Sequence[str], limit_s: float) -> Iterator[Finding]:
    """The findings on the network that `model` names; the last is a failure where a check takes over `limit_s`."""
    context = multiprocessing.get_context("spawn")
    line, other = context.Pipe(duplex=False)
    process = context.Process(target=_check, args=(other, model, scale, tuple(wanted)), daemon=True)
    with deaf_to_interrupts():
        process.start()
    other.close()  # the child has its own; with this one open its end would not be noticed
    try:
        yield from _findings(line, process, limit_s)
    finally:
        line.close()
        process.kill()
        process.join()


def _findings(line: Connection, process: SpawnProcess, limit_s: float) -> Iterator[Finding]:
    """Messages through the line: a check's name before it, its finding after it, None after all."""
    name = BUILDS
    while True:
        if not line.poll(limit_s):
            yield Finding(name, FAILS, f"No answer within {limit_s:g} s; what follows was not checked.", _HANGS)
            return
        try:
            said = line.recv()
        except EOFError:
            process.join(_STOP_SECONDS)
            status = f"status {process.exitcode}"
            yield Finding(name, FAILS, f"Its process ended ({status}); what follows was not checked.", _LEAVES)
            return
        if said is None:
            return
        if isinstance(said, Finding):
            yield said
        else:
            name = said


def _check(line: Connection, model: str, scale: int, wanted: Sequence[str]) -> None:
    for finding in run_checks(find_candidate(model), scale, wanted, line.send):
        line.send(finding)
    line.send(None)
