"""A lock per run folder and per pack, so that several processes on shared storage do no work twice.

The lock is a file that names its owner; while the owner lives, a thread renews its time every `HEARTBEAT_S` seconds. A
lock whose owner on this very machine is gone is taken over at once. One that looks as if nobody had renewed it for
`STALE_S` seconds may be of a machine whose clock is another: it is watched for `WATCH_S` seconds by this process's own
clock, three heartbeats, and taken over if nothing happens. So a dead run of another machine costs half a minute.

Relied on are creation of a file that must not exist and renaming, which are atomic on network file systems too; flock
is not, since there it may hold on one machine alone. Who takes over moves the lock aside under a name of its own and
looks whether it is the dead one: nothing is left that could block others, wherever it is killed.
"""

import contextlib
import json
import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from safmn_bench.models.errors import UserError, printable
from safmn_bench.profiling.common.processes import alive, host

HEARTBEAT_S = 10.0
STALE_S = 60.0
WATCH_S = 30.0
LOOK_S = 0.2  # between looks at a lock that is waited for


_watched: dict[Path, tuple[tuple[int, str], float]] = {}
"""Locks that look stale: what they were, and since when, by this process's clock, they have not changed."""


class Busy(UserError):
    """Another process has what the lock stands for."""


class Lock:
    """A lock that this process holds."""

    def __init__(self, path: Path, token: str) -> None:
        self.path, self.token = path, token
        self.lost = False
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def _renew(self) -> None:
        """Show that the owner lives; notice when another process has taken over (this one was suspended)."""
        while not self._closing.wait(HEARTBEAT_S):
            owner = _token(self.path)
            if owner not in (self.token, ""):
                self.lost = True
                return
            with contextlib.suppress(OSError, UserError):  # a moment without the storage is no reason to stop
                os.utime(self.path) if owner else _created(self.path, self.token)

    def release(self) -> None:
        """Give the lock back, unless it was taken over."""
        self._closing.set()
        self._thread.join()
        if _token(self.path) == self.token:
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def held(path: Path) -> Iterator[Lock]:
    """Hold the lock at `path`. Raises Busy, naming the owner, where another process holds it."""
    token = uuid.uuid4().hex
    path.parent.mkdir(parents=True, exist_ok=True)
    if not _created(path, token):
        _watch(path)
        _remove_if_stale(path)
        if not _created(path, token):
            raise Busy(f"{path.parent} is being run {described(path)}. Wait for it, or choose another --out.")
    lock = Lock(path, token)
    try:
        yield lock
    finally:
        lock.release()


@contextlib.contextmanager
def waited_for(path: Path) -> Iterator[Lock]:
    """Hold the lock at `path` once no other process holds it."""
    with contextlib.ExitStack() as stack:
        while True:
            try:
                lock = stack.enter_context(held(path))
                break
            except Busy:
                time.sleep(LOOK_S)
        yield lock


def is_held(path: Path) -> bool:
    """Whether a living owner holds the lock."""
    return path.exists() and not _stale(path)


def described(path: Path) -> str:
    """Owner of a lock in words."""
    owner = _owner(path)
    if not owner:
        return "by another process"
    where, since = owner["host"].split("/")[0], owner.get("since", "some time")
    return printable(f"by process {owner['pid']} on {where} since {since}")


def _created(path: Path, token: str) -> bool:
    """Make the lock file, with its content from the first moment; False where there is one."""
    own = path.with_name(f".{path.name}.{token}")
    content = {"host": host(), "pid": os.getpid(), "since": time.strftime("%Y-%m-%d %H:%M:%S"), "token": token}
    try:
        own.write_text(json.dumps(content), encoding="utf-8")
        os.link(own, path)
    except FileExistsError:
        return False
    except OSError as error:
        raise UserError(f"Cannot write {path}: {error.strerror}. Choose another --out (of a pack: --cache).") from error
    finally:
        own.unlink(missing_ok=True)
    return True


def _watch(path: Path) -> None:
    """Wait until it is known whether a lock that looks stale is."""
    told = False
    while not _stale(path) and _looks_stale(path):
        if not told:
            line = f"{path.parent} was run {described(path)}, and looks left: watched for {WATCH_S:.0f} s"
            print(line, file=sys.stderr, flush=True)
        told = True
        time.sleep(LOOK_S)


def _remove_if_stale(path: Path) -> None:
    """Remove a lock that nobody renews, and no other: another process may have taken it over meanwhile."""
    dead = _token(path)
    if not _stale(path):
        return
    aside = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with contextlib.suppress(FileNotFoundError):
        path.rename(aside)
        if _token(aside) != dead:
            with contextlib.suppress(FileExistsError):  # back in its place; its owner looks after it, too
                os.link(aside, path)
        aside.unlink()


def _stale(path: Path) -> bool:
    """Whether there is no lock, its owner is known to be dead, or it was watched in vain."""
    owner = _owner(path)
    if not path.exists() or (owner and owner["host"] == host() and not alive(owner["pid"])):
        return True
    if not _looks_stale(path):
        _watched.pop(path, None)
        return False
    state, now = (_renewed_ns(path), _token(path)), time.monotonic()
    if _watched.get(path, ((0, ""), now))[0] != state:
        _watched[path] = state, now
    return now - _watched[path][1] >= WATCH_S


def _looks_stale(path: Path) -> bool:
    """Whether the time of a lock is far from now, by a clock that may be another machine's."""
    return path.exists() and abs(time.time() - _renewed_ns(path) / 1e9) > STALE_S


def _renewed_ns(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _owner(path: Path) -> dict[str, Any]:
    """Who holds a lock: at least `host`, `pid` and `token`; empty where that cannot be read."""
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    kinds = {"host": str, "pid": int, "token": str}
    whole = isinstance(owner, dict) and all(isinstance(owner.get(key), kind) for key, kind in kinds.items())
    return owner if whole and owner["pid"] > 0 else {}


def _token(path: Path) -> str:
    return _owner(path).get("token", "")
