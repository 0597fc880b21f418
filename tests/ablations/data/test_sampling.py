"""Patches: aligned, uniform, reproducible from (seed, iteration) alone, and shared among processes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_patches import CPU, KEYS, Images, sampler

from safmn_bench.ablations.data.sampling import PatchSampler
from safmn_bench.models.errors import UserError


def test_hr_patch_is_the_lr_patch_enlarged_in_every_orientation():
    source, orientations = sampler(), set()
    for iteration in range(20):
        lr, hr = source.batch(iteration)
        orientations |= set(source.draw(iteration)[:, 3].tolist())
        assert lr.shape == (6, 3, 8, 8)
        assert hr.shape == (6, 3, 16, 16)
        assert torch.equal(hr, lr.repeat_interleave(2, 2).repeat_interleave(2, 3))
    assert orientations == set(range(8))


@pytest.mark.parametrize(
    ("orientation", "expected"),
    [
        (0, lambda p: p),
        (1, lambda p: p.mT),
        (2, lambda p: p.flip(-2)),
        (4, lambda p: p.flip(-1)),
        (6, lambda p: p.rot90(2, (-2, -1))),
        (3, lambda p: p.rot90(-1, (-2, -1))),
    ],
)
def test_orientations_are_flips_and_rotations_of_one_crop(orientation: int, expected, monkeypatch):
    source = sampler()
    fixed = np.array([[0, 2, 5, 0], [0, 2, 5, orientation]])
    monkeypatch.setattr(source, "draw", lambda iteration: fixed)
    plain, turned = source.batch(0)[0]
    crop = torch.stack(torch.meshgrid(torch.arange(2, 10), torch.arange(5, 13), indexing="ij")).float() / 255
    torch.testing.assert_close(plain[1:], crop)  # channel 0 is the image's number, here 0
    assert torch.equal(turned, expected(plain))


def test_batches_depend_on_seed_and_iteration_alone():
    first = [sampler().batch(i)[0] for i in (5, 6)]
    other = sampler()
    for i in range(5):
        other.batch(i)
    assert torch.equal(other.batch(5)[0], first[0])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(sampler(seed=1).batch(5)[0], first[0])


def test_every_image_comes_once_per_epoch():
    drawn = np.concatenate([sampler().draw(i)[:, 0] for i in range(10)])
    for epoch in drawn.reshape(-1, 3):
        assert sorted(epoch) == [0, 1, 2]


def test_area_sampling_is_proportional_to_pixels():
    source = PatchSampler(Images(), replace(KEYS, sampling="area", batch=60_000), seed=0, device=CPU)
    share = np.bincount(source.draw(0)[:, 0], minlength=3) / 60_000
    area = np.array([240, 72, 330]) / 642
    assert np.abs(share - area).max() < 0.01  # five standard deviations


def test_crops_reach_every_position_of_an_image():
    drawn = np.concatenate([sampler().draw(i) for i in range(400)])
    wide = drawn[drawn[:, 0] == 0]
    assert set(wide[:, 1]) == set(range(12 - 8 + 1))
    assert set(wide[:, 2]) == set(range(20 - 8 + 1))


def test_processes_share_one_global_batch():
    whole = sampler().batch(3)
    parts = [sampler(rank=rank, world=2).batch(3) for rank in range(2)]
    for i in range(2):
        assert torch.equal(torch.cat([part[i] for part in parts]), whole[i])


def test_image_smaller_than_the_patch_is_named():
    with pytest.raises(UserError, match=r"1.png has an LR side of 8 pixels, smaller than train.patch=10"):
        PatchSampler(Images(), replace(KEYS, patch=10), seed=0, device=CPU)


def test_batch_that_does_not_divide_is_refused():
    with pytest.raises(UserError, match="train.batch=6 does not divide among 4 processes"):
        sampler(world=4)
