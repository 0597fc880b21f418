"""The processes that train one run together, under torchrun; one process alone is the usual case.

Every process takes its share of each global batch, gradients are averaged, and process 0 alone scores and writes.
"""

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from safmn_bench.models.errors import UserError


@dataclass(frozen=True)
class Group:
    """The place of this process: `rank` of `world` processes, computing on `device`."""

    rank: int
    world: int
    device: torch.device

    @property
    def main(self) -> bool:
        """Whether this process scores, writes and prints."""
        return self.rank == 0

    def shared(self, network: nn.Module) -> nn.Module:
        """The network with its gradients averaged over the processes; itself for one process.

        Raises UserError for batch normalisation on CPUs: its statistics would be of a share of the batch.
        """
        if self.world == 1:
            return network
        if any(isinstance(module, nn.BatchNorm2d) for module in network.modules()):
            if self.device.type != "cuda":
                raise UserError(
                    "Batch normalisation over several CPU processes is not the same network: use one process."
                )
            # else each process would normalise by the statistics of its own share
            network = nn.SyncBatchNorm.convert_sync_batchnorm(network)
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(network, device_ids=devices, static_graph=True)

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Mean of `values` over the processes."""
        if self.world > 1:
            dist.all_reduce(values)
            values /= self.world
        return values

    def any(self, flag: bool) -> bool:
        """Whether `flag` is set in any process."""
        if self.world == 1:
            return flag
        raised = torch.tensor(float(flag), device=self.device)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return bool(raised.item())

    def wait(self) -> None:
        """Wait until every process is here."""
        if self.world > 1:
            dist.barrier()


def join(device: torch.device) -> Group:
    """Join the processes that torchrun started (environment RANK, WORLD_SIZE, LOCAL_RANK), or be alone.

    With several processes and GPUs, each takes the GPU of its local rank. Raises UserError where there are too few.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Group(0, 1, device)
    if device.type == "cuda":
        local = int(os.environ["LOCAL_RANK"])
        if local >= torch.cuda.device_count():
            raise UserError(
                f"{world} processes and {torch.cuda.device_count()} GPUs: start at most one process per GPU."
            )
        device = torch.device("cuda", local)
        torch.cuda.set_device(device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Group(dist.get_rank(), world, device)


def leave() -> None:
    """Leave the group, if there is one."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
