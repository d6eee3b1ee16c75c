from itertools import chain

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvrc_components.errors import InputError
from nvrc_lightning.data.patches import FrameSampler, PatchIndices, PatchLoader, PatchSampler
from tests.lightning.data.helpers import make_format


def patches(frames=5, width=35, height=27, patch=(9, 16)):
    return PatchIndices(make_format(width, height, frames), patch)


@settings(max_examples=40, deadline=None)
@given(
    width=st.integers(1, 40),
    height=st.integers(1, 40),
    patch_height=st.integers(0, 40),
    patch_width=st.integers(0, 40),
)
def test_patches_cover_every_pixel_and_stay_inside(width, height, patch_height, patch_width):
    fmt = make_format(width, height, 2)
    if patch_height > height or patch_width > width:
        with pytest.raises(InputError, match="does not fit the frame"):
            PatchIndices(fmt, (patch_height, patch_width))
        return
    table = PatchIndices(fmt, (patch_height, patch_width)).table
    ph, pw = patch_height or height, patch_width or width
    seen = torch.zeros(2, height, width, dtype=torch.int64)
    for frame, top, left in table.tolist():
        assert top + ph <= height
        assert left + pw <= width
        seen[frame, top : top + ph, left : left + pw] += 1
    assert int(seen.min()) == 1
    assert len(table) == 2 * -(-height // ph) * -(-width // pw)


def test_negative_patch_is_refused():
    with pytest.raises(InputError, match="does not fit the frame"):
        patches(patch=(-1, 4))


def test_epoch_is_a_permutation_of_seed_and_epoch():
    data = patches()
    orders = {}
    for seed in (0, 1):
        for epoch in (0, 1, 2):
            sampler = PatchSampler(data, 5, 1, 0, seed)
            sampler.set_epoch(epoch)
            orders[seed, epoch] = tuple(sampler)
            assert orders[seed, epoch] == tuple(sampler)
            assert sorted(orders[seed, epoch]) == list(range(len(data)))
    assert len(set(orders.values())) == 6


@settings(max_examples=30, deadline=None)
@given(
    frames=st.integers(1, 9),
    share=st.integers(1, 5),
    world=st.integers(1, 4),
    seed=st.integers(0, 2**31),
    epoch=st.integers(0, 3),
)
def test_every_step_is_the_same_set_for_any_number_of_ranks(frames, share, world, seed, epoch):
    data, batch = patches(frames), share * world

    def steps(replicas, rank):
        sampler = PatchSampler(data, batch, replicas, rank, seed)
        sampler.set_epoch(epoch)
        loader = PatchLoader(data, batch_size=batch // replicas, sampler=sampler)
        return [sorted(map(tuple, part.tolist())) for part in loader]

    single = steps(1, 0)
    shared = [steps(world, rank) for rank in range(world)]
    assert len(single) == -(-len(data) // batch)
    assert all(len(part) == batch for part in single)
    assert [sorted(chain(*parts)) for parts in zip(*shared, strict=True)] == single
    flat = [patch for part in single for patch in part]
    assert set(flat) == set(map(tuple, data.table.tolist()))


@pytest.mark.parametrize(("batch", "world"), [(3, 2), (1, 2), (0, 1), (-2, 1)])
def test_batch_that_cannot_be_shared(batch, world):
    with pytest.raises(InputError, match=rf"batch_size {batch} cannot be divided over {world} devices"):
        PatchSampler(patches(), batch, world, 0, 0)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_resume_continues_the_epoch_on_any_number_of_ranks(world):
    data = patches()
    saved = PatchSampler(data, 4, 2, 0, seed=3)
    saved.set_epoch(5)
    walk = iter(saved)
    taken = [next(walk) for _ in range(6)]
    assert saved.state_dict() == {"epoch": 5, "step": 3}
    rest = []
    for rank in range(world):
        sampler = PatchSampler(data, 4, world, rank, seed=3)
        sampler.load_state_dict(saved.state_dict())
        sampler.set_epoch(5)
        rest.append(list(sampler))
        sampler.set_epoch(6)
        assert len(list(sampler)) == len(sampler)
    everything = saved.order().tolist()
    assert taken == everything[:12:2]
    assert sorted(chain(*rest)) == sorted(everything[12:])


def test_state_of_a_finished_epoch_begins_the_next():
    data = patches()
    saved = PatchSampler(data, 4, 1, 0, seed=3)
    list(saved)
    sampler = PatchSampler(data, 4, 1, 0, seed=3)
    sampler.load_state_dict(saved.state_dict())
    sampler.set_epoch(1)
    assert len(list(sampler)) == len(sampler)


@pytest.mark.parametrize("world", [1, 2, 3, 7])
def test_ranks_take_every_frame_once_and_equally_many(world):
    frames = PatchIndices(make_format(8, 8, 5), (0, 0))
    samplers = [FrameSampler(frames, world, rank) for rank in range(world)]
    taken = [index for step in zip(*samplers, strict=True) for index in step]
    assert taken == [number % 5 for number in range(len(taken))]
    assert 5 <= len(taken) < 5 + world
    assert {len(sampler) for sampler in samplers} == {len(taken) // world}
