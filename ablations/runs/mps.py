"""NVIDIA's Multi-Process Service: runs that share a GPU compute at the same time, where else they take turns.

A small run leaves most of a GPU idle, and without the service the driver gives the whole of it to one process after the
other. The daemon is this sweep's own, with folders of its own for pipes and logs, and ends with it. How much of the GPU
a run may take (CUDA_MPS_ACTIVE_THREAD_PERCENTAGE) is left as it is set.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from safmn_bench.models.errors import printable
from safmn_bench.profiling.common.machine import MPS_PIPES

CONTROL = "nvidia-cuda-mps-control"
_LOGS = "CUDA_MPS_LOG_DIRECTORY"
_PATIENCE_S = 20.0
_QUIT = "quit -t 10\n"  # clients that were killed are waited for no longer than that


@dataclass(frozen=True)
class Daemon:
    """A daemon that was started: `environment` is what its clients need, `gpus` are those that it serves, in order."""

    folder: Path
    gpus: tuple[str, ...]

    @property
    def environment(self) -> dict[str, str]:
        """Where its pipes and logs are."""
        return {MPS_PIPES: str(self.folder / "pipe"), _LOGS: str(self.folder / "log")}

    def number(self, gpu: str) -> str:
        """What a client calls a GPU: the daemon numbers those that it sees anew."""
        return str(self.gpus.index(gpu))

    def stop(self) -> None:
        """End it, and remove its folders."""
        reason = _told(self, (), _QUIT)
        if reason:
            print(f"note: NVIDIA MPS did not stop ({reason}): end {CONTROL} by hand.", file=sys.stderr, flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def start(gpus: Sequence[str]) -> Daemon | None:
    """The service for these GPUs, as CUDA_VISIBLE_DEVICES names them; None where it is not installed, or not ours.

    One that the user has started (CUDA_MPS_PIPE_DIRECTORY is set) is used as it is. Where it does not start, one line
    on stderr says why: runs take turns then.
    """
    if shutil.which(CONTROL) is None or os.environ.get(MPS_PIPES):
        return None
    daemon = Daemon(Path(tempfile.mkdtemp(prefix="mps-")), tuple(gpus))
    for folder in daemon.environment.values():
        Path(folder).mkdir()
    try:
        reason = _told(daemon, ("-d",))
    except BaseException:  # interrupted: it may have started all the same
        daemon.stop()
        raise
    if not reason:
        return daemon
    shutil.rmtree(daemon.folder, ignore_errors=True)
    print(f"note: NVIDIA MPS did not start ({reason}): runs take turns on each GPU.", file=sys.stderr, flush=True)
    return None


def _told(daemon: Daemon, arguments: Sequence[str], words: str = "") -> str:
    """Call the control program; why it failed, or nothing."""
    environment = {**os.environ, **daemon.environment, "CUDA_VISIBLE_DEVICES": ",".join(daemon.gpus)}
    try:
        # in a session of its own: Ctrl-C is for this process, which lets runs save before their service ends
        done = subprocess.run(
            [CONTROL, *arguments], input=words, env=environment, timeout=_PATIENCE_S, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, errors="replace", check=False,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        return printable(str(error))
    return "" if done.returncode == 0 else printable(done.stderr.strip()[-200:]) or f"exit status {done.returncode}"
