"""A Slurm of one node on this machine, as plain daemons without systemd or cgroups, for as long as a test runs.

Everything lies in one folder: keys, sockets, state, logs. The machine's own configuration is neither read nor changed.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

DAEMONS = ("munged", "slurmctld", "slurmd")
TOOLS = ("sbatch", "srun", "squeue", "scontrol", "scancel", "sinfo")
MUNGE_FILES = ("key", "pid", "log", "seed")
START_S = 60.0
STOP_S = 20.0
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
JobRequeue=1
KillWait=20
MinJobAge=600
MessageTimeout=10
SlurmctldTimeout=30
SlurmdTimeout=30
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def missing() -> str:
    """What is not installed of it; empty where all is there."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return ", ".join(name for name in (*DAEMONS, *TOOLS) if shutil.which(name, path=path) is None)


@contextlib.contextmanager
def running_slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Start the daemons; the environment in which Slurm's commands find them. All are stopped at the end."""
    environment = {**os.environ, "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin", "SLURM_CONF": str(configure(folder))}
    commands = {
        "munged": ["--foreground", "--force", *(f"--{name}-file={folder}/munge.{name}" for name in MUNGE_FILES)],
        "slurmctld": ["-D", "-c"],
        "slurmd": ["-D", "-c"],
    }
    commands["munged"].append(f"--socket={folder}/munge.socket")
    with contextlib.ExitStack() as stack:
        for name, options in commands.items():
            stack.enter_context(daemon([name, *options], folder / f"{name}.out", environment))
            if name == "munged":
                wait_until(lambda: (folder / "munge.socket").exists(), folder)
        wait_until(lambda: node_state(environment) == "idle", folder)
        try:
            yield environment
        finally:
            cancel_all(environment)


def configure(folder: Path) -> Path:
    """Write slurm.conf and what it needs; its path."""
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)  # munged refuses a folder that others may write to
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    host, (controller_port, node_port) = socket.gethostname().split(".")[0], free_ports(2)
    values = {"host": host, "user": user_name(), "controller_port": controller_port, "node_port": node_port}
    path = folder / "slurm.conf"
    path.write_text(CONFIGURATION.format(folder=folder, **values))
    if version(path) >= (23, 11):  # older ones need no cgroups with the plugins above, newer ones must be told so
        (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    return path


def version(configuration: Path) -> tuple[int, int]:
    """Slurm's version, such as (22, 5), which it says only where it is configured."""
    environment = {**os.environ, "SLURM_CONF": str(configuration)}
    said = subprocess.run(["sinfo", "--version"], env=environment, capture_output=True, text=True, check=True).stdout
    found = re.search(r"(\d+)\.(\d+)", said)
    assert found, said
    return int(found[1]), int(found[2])


def user_name() -> str:
    """Of the user who runs the tests."""
    return subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at the moment."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@contextlib.contextmanager
def daemon(command: list[str], output: Path, environment: dict[str, str]) -> Iterator[None]:
    """A process in the foreground of its own session, ended with the context."""
    with output.open("wb") as handle:
        process = subprocess.Popen(command, stdout=handle, stderr=handle, env=environment, start_new_session=True)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def cancel_all(environment: dict[str, str]) -> None:
    """End what a failed test left running, which would outlive the daemons."""
    subprocess.run(["scancel", "--me"], env=environment, check=False)
    deadline = time.monotonic() + STOP_S
    while node_state(environment) not in ("idle", "") and time.monotonic() < deadline:
        time.sleep(0.2)


def node_state(environment: dict[str, str]) -> str:
    """The node's state in sinfo's words, or nothing while the controller does not answer."""
    command = ["sinfo", "--noheader", "--format=%T"]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False).stdout.strip()


def wait_until(true: Callable[[], bool], folder: Path) -> None:
    """Wait for `true()`; past the time, fail with the ends of all logs."""
    deadline = time.monotonic() + START_S
    while not true():
        if time.monotonic() > deadline:
            logs = [path for path in sorted(folder.iterdir()) if path.suffix in (".log", ".out")]
            raise AssertionError("\n".join(f"{path.name}: {path.read_text()[-1500:]}" for path in logs))
        time.sleep(0.2)
