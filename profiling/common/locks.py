"""A lock per run folder and per pack, so that several processes on shared storage do no work twice.

The lock is a file that names its owner; while the owner lives, a thread renews its time every `HEARTBEAT_S` seconds. A
lock that nobody renewed for `STALE_S` seconds, or whose owner on this very machine is gone, is taken over. Only
creation of a file that must not exist is relied on, which is atomic on network file systems too; flock is not relied
on, since there it may hold on one machine alone.
"""

import contextlib
import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.processes import alive, host

HEARTBEAT_S = 10.0
STALE_S = 60.0
LOOK_S = 0.2  # between looks at a lock that is waited for


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
            if _owner(self.path).get("token") != self.token:
                self.lost = True
                return
            with contextlib.suppress(OSError):  # a moment without the storage is no reason to stop
                os.utime(self.path)

    def release(self) -> None:
        """Give the lock back, unless it was taken over."""
        self._closing.set()
        self._thread.join()
        if _owner(self.path).get("token") == self.token:
            self.path.unlink(missing_ok=True)


@contextlib.contextmanager
def held(path: Path) -> Iterator[Lock]:
    """Hold the lock at `path`. Raises Busy, naming the owner, where another process holds it."""
    token = uuid.uuid4().hex
    path.parent.mkdir(parents=True, exist_ok=True)
    if not _created(path, token):
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
    return f"by process {owner['pid']} on {str(owner['host']).split('/')[0]} since {owner['since']}"


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


def _remove_if_stale(path: Path) -> None:
    """Remove a lock that nobody renews; of several that try, only one may, and it looks again before it does."""
    if not _stale(path):
        return
    guard = path.with_name(f"{path.name}.takeover")
    with contextlib.suppress(FileNotFoundError):
        if time.time() - guard.stat().st_mtime > STALE_S:
            guard.unlink()
    try:
        descriptor = os.open(guard, os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return
    try:
        if _stale(path):
            path.unlink(missing_ok=True)
    finally:
        os.close(descriptor)
        guard.unlink(missing_ok=True)


def _stale(path: Path) -> bool:
    try:
        age = time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return True
    if age > STALE_S:
        return True
    owner = _owner(path)
    return bool(owner) and owner["host"] == host() and not alive(int(str(owner["pid"])))


def _owner(path: Path) -> dict[str, object]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
