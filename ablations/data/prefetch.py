"""Where training images live: on the device where they fit, else in host memory or on a mapped disk, read ahead."""

import queue
import threading
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from safmn_bench.ablations.data.sampling import Batch, PackedImages, PatchSampler, Pixels, as_batch
from safmn_bench.ablations.recipe import TrainKeys
from safmn_bench.profiling.common.memory import free_bytes

DEVICE_SHARE = 0.5  # of the free device memory that images may take: the network needs the rest
HOST_SHARE = 0.7
AHEAD = 3  # batches


@dataclass(frozen=True)
class Placement:
    """Where the images are: "device", "host" (memory) or "disk" (memory-mapped), and why, in one line."""

    kind: str
    reason: str


def choose_placement(size_bytes: int, device: torch.device, runs_per_gpu: int = 1) -> Placement:
    """By measured free memory: on the device if the images fit beside the network, else the fastest that holds them.

    Runs that share a GPU hold a copy each there; in host memory and on the disk they share the mapped files.
    """
    size = f"training images take {size_bytes / 2**20:.0f} MiB"
    host = free_bytes(torch.device("cpu"))
    if device.type == "cuda":
        free = free_bytes(device)
        if size_bytes <= DEVICE_SHARE * free / runs_per_gpu:
            return Placement("device", f"{size} of {free / 2**20:.0f} MiB free on the GPU: kept there")
    elif size_bytes <= HOST_SHARE * host:
        return Placement("device", f"{size} of {host / 2**20:.0f} MiB free: kept in memory")
    if size_bytes <= HOST_SHARE * host:
        return Placement("host", f"{size}, too much for the GPU: kept in host memory and copied ahead")
    return Placement("disk", f"{size} of {host / 2**20:.0f} MiB free: read ahead from the mapped files")


class AheadBatches:
    """Batches of a sampler in host memory, cut by a thread that stays `AHEAD` of training, and copied meanwhile."""

    def __init__(self, sampler: PatchSampler, device: torch.device) -> None:
        self.sampler, self.device = sampler, device
        self.stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def take(self, first: int, end: int) -> Iterator[Batch]:
        """The batches of iterations `first` to `end`; an error in the thread is raised here."""
        ready: queue.Queue[Pixels | BaseException] = queue.Queue(AHEAD)
        closing = threading.Event()
        thread = threading.Thread(target=self._produce, args=(first, end, ready, closing), daemon=True)
        thread.start()
        try:
            for _ in range(first, end):
                item = ready.get()
                if isinstance(item, BaseException):
                    raise item
                yield self._received(item)
        finally:
            closing.set()
            thread.join()

    def _produce(
        self, first: int, end: int, ready: "queue.Queue[Pixels | BaseException]", closing: threading.Event
    ) -> None:
        """Put the pixels of each iteration into the queue, until told to close."""
        for iteration in range(first, end):
            try:
                item = self._sent(self.sampler.pixels(iteration))
            except Exception as error:
                item = error
            while not closing.is_set():
                try:
                    ready.put(item, timeout=0.1)  # looks up: who takes no more says so by `closing` alone
                    break
                except queue.Full:
                    continue
            if closing.is_set() or isinstance(item, BaseException):
                return

    def _sent(self, pixels: Pixels) -> Pixels:
        """Start copying to the device, on a stream of its own."""
        if self.stream is None:
            return pixels
        with torch.cuda.stream(self.stream):
            lr, hr = (part.pin_memory().to(self.device, non_blocking=True) for part in pixels)
        return lr, hr

    def _received(self, pixels: Pixels) -> Batch:
        """Make the training stream wait for the copy, and convert on the device."""
        if self.stream is not None:
            current = torch.cuda.current_stream(self.device)
            current.wait_stream(self.stream)
            for part in pixels:
                part.record_stream(current)  # else its memory could be given away while it is still read
        return as_batch(pixels)


def open_batches(
    images: PackedImages,
    keys: TrainKeys,
    placement: Placement,
    *,
    seed: int,
    device: torch.device,
    rank: int,
    world: int,
) -> PatchSampler | AheadBatches:
    """The source of batches for a placement; both give the same batches."""
    home = device if placement.kind == "device" else torch.device("cpu")
    sampler = PatchSampler(images, keys, seed=seed, device=home, rank=rank, world=world)
    return sampler if placement.kind == "device" else AheadBatches(sampler, device)
