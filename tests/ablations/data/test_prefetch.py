"""Where training images live: chosen by free memory; read-ahead gives the same batches and passes errors on."""

import gc
import threading

import pytest
import torch
from made_patches import CPU, KEYS, Images, sampler

from safmn_bench.ablations.data import prefetch
from safmn_bench.ablations.data.prefetch import AheadBatches, choose_placement, open_batches


def test_read_ahead_gives_the_same_batches_in_order():
    direct, ahead = sampler().take(3, 12), AheadBatches(sampler(), CPU).take(3, 12)
    for expected, got in zip(direct, ahead, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(expected, got, strict=True))


def test_read_ahead_can_be_left_early():
    before = threading.active_count()
    for _ in AheadBatches(sampler(), CPU).take(0, 1000):
        break
    gc.collect()  # the abandoned generator closes its thread
    assert threading.active_count() == before


def test_an_error_of_the_reading_thread_is_raised_in_training(monkeypatch: pytest.MonkeyPatch):
    broken = sampler()
    monkeypatch.setattr(broken, "pixels", lambda iteration: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        next(AheadBatches(broken, CPU).take(0, 5))


def test_images_stay_in_memory_where_they_fit_and_on_disk_where_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prefetch, "free_bytes", lambda _: 1000 * 2**20)
    assert choose_placement(600 * 2**20, CPU).kind == "device"
    assert choose_placement(800 * 2**20, CPU).kind == "disk"
    assert choose_placement(800 * 2**20, CPU).reason == (
        "training images take 800 MiB of 1000 MiB free: read ahead from the mapped files"
    )


def test_a_gpu_keeps_them_itself_where_they_fit_beside_the_network(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(prefetch, "free_bytes", lambda device: (400 if device.type == "cuda" else 1000) * 2**20)
    gpu = torch.device("cuda")
    assert [choose_placement(mib * 2**20, gpu).kind for mib in (100, 300, 900)] == ["device", "host", "disk"]


@pytest.mark.parametrize(
    ("kind", "source"), [("device", "PatchSampler"), ("host", "AheadBatches"), ("disk", "AheadBatches")]
)
def test_every_placement_has_its_source(kind: str, source: str):
    chosen = prefetch.Placement(kind, "")
    batches = open_batches(Images(), KEYS, chosen, seed=0, device=CPU, rank=0, world=1)
    assert type(batches).__name__ == source
