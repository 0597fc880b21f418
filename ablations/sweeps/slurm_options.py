"""Resources that `--engine slurm` asks of the cluster for each run."""

import importlib.util
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from safmn_bench.ablations.sweeps.options import RunOptions
from safmn_bench.models.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Resources:
    """The resources that one run asks of Slurm. None leaves it to the cluster's own default."""

    folder: Path
    """Of job scripts, pickled runs and Slurm's messages; on storage that the nodes share."""
    partition: str | None = None
    gpus: int = 0
    time_min: int = 60
    memory_gb: float | None = None
    cpus: int = 2


def resources_of(options: RunOptions) -> Resources:
    """The resources that the options ask for."""
    return Resources(
        folder=options.slurm_folder or options.out / "slurm",
        partition=options.slurm_partition,
        gpus=options.slurm_gpus,
        time_min=options.slurm_time_min,
        memory_gb=options.slurm_memory_gb,
        cpus=options.slurm_cpus,
    )


def device_of(options: RunOptions) -> torch.device:
    """Where the runs compute: on what each asks Slurm for, whatever this machine has.

    Raises UserError where --device is something else than that.
    """
    kind = "cuda" if options.slurm_gpus else "cpu"
    if options.device not in ("auto", kind):
        raise UserError(
            f"--device {options.device} with --slurm-gpus {options.slurm_gpus}: the latter decides. Leave --device out."
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
