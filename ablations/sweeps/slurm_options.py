"""The options of `--engine slurm`: what each run asks of the cluster."""

import argparse
import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from safmn_bench.models.errors import UserError
from safmn_bench.profiling.common.devices import choose_device


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one run asks of Slurm. None leaves it to the cluster's own default."""

    folder: Path
    """Of job scripts, pickled runs and Slurm's messages; on storage that the nodes share."""
    partition: str | None = None
    gpus: int = 0
    time_min: int = 60
    memory_gb: float | None = None
    cpus: int = 2


def add_slurm_options(parser: argparse.ArgumentParser) -> None:
    """The option group."""
    group = parser.add_argument_group("Slurm", "with --engine slurm: what each run asks for")
    group.add_argument("--slurm-partition", metavar="NAME", help="default: the cluster's")
    group.add_argument("--slurm-gpus", type=int, default=0, choices=(0, 1), help="GPUs per run (default: %(default)s)")
    group.add_argument("--slurm-cpus", type=int, default=2, metavar="N", help="cores per run (default: %(default)s)")
    group.add_argument(
        "--slurm-time-min", type=int, default=60, metavar="MINUTES",
        help="limit of one job; a run that needs longer saves, is queued again and goes on (default: %(default)s)",
    )  # fmt: skip
    group.add_argument("--slurm-memory-gb", type=float, metavar="GB", help="default: the cluster's")
    group.add_argument("--slurm-folder", type=Path, metavar="DIR", help="job scripts and messages (default: OUT/slurm)")


def resources_of(args: argparse.Namespace) -> Resources | None:
    """What the options ask for; None for the local engine. Raises UserError for less than one core or minute."""
    if args.engine == "local":
        return None
    for option, value in (("--slurm-cpus", args.slurm_cpus), ("--slurm-time-min", args.slurm_time_min)):
        if value < 1:
            raise UserError(f"{option} {value} is nothing to run on. Allowed: whole numbers from 1 up.")
    return Resources(
        folder=args.slurm_folder or args.out / "slurm",
        partition=args.slurm_partition,
        gpus=args.slurm_gpus,
        time_min=args.slurm_time_min,
        memory_gb=args.slurm_memory_gb,
        cpus=args.slurm_cpus,
    )


def device_of(args: argparse.Namespace) -> torch.device:
    """Where the runs compute: on this machine, or with Slurm on what each asks for, whatever this machine has.

    Raises UserError where --device is something else than that.
    """
    if args.engine == "local":
        return choose_device(args.device)
    kind = "cuda" if args.slurm_gpus else "cpu"
    if args.device not in ("auto", kind):
        raise UserError(
            f"--device {args.device} with --slurm-gpus {args.slurm_gpus}: the latter decides. Leave --device out."
        )
    return torch.device(kind)


def require_slurm() -> None:
    """Raise UserError where runs cannot be given to Slurm from here."""
    if importlib.util.find_spec("submitit") is None:
        raise UserError(
            "--engine slurm needs submitit, which is not installed here: pip install 'safmn-bench[slurm]' (from the "
            "repository: pip install -e '.[slurm]')."
        )
    missing = [name for name in ("sbatch", "srun", "squeue", "scontrol") if shutil.which(name) is None]
    if missing:
        raise UserError(
            f"--engine slurm needs {', '.join(missing)}, which this machine does not have. Start it on a login node of "
            "the cluster, or leave --engine out to run here."
        )
