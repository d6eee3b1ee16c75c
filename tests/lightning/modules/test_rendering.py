"""Patches cut from whole frames, where that is less work."""

from functools import partial

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nvrc_components.representations.hinerv import HiNerv, HiNervConfig
from nvrc_components.representations.patches import Region
from nvrc_lightning.modules.rendering import crops, render_patches

ALL = [(t, y, x) for t in (0, 1) for y in (0, 72, 144) for x in (0, 72)]  # two frames' patches of 72x72
BATCHES = {  # and whether they are cut from whole frames
    "all": (ALL, True),
    "most of one": (ALL[:5], True),
    "in disorder and twice": ([*ALL[::-1], *ALL[:3]], True),
    "one of each": (ALL[::6], False),
    "one of each of four": ([(t, 0, 0) for t in (3, 1, 0, 2)], False),
}


@pytest.fixture
def network():
    torch.manual_seed(0)
    model = HiNerv(HiNervConfig(4, 216, 144, grid_slices=2, grid_levels=2, widths=(16, 12, 8, 6)))
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def operations(function):
    with FlopCounterMode(display=False) as counter:
        result = function()
    return result, counter.get_total_flops()


@pytest.mark.parametrize(("places", "whole"), BATCHES.values(), ids=BATCHES)
def test_patches_are_the_same_either_way_with_their_gradients_for_the_least_work(network, places, whole):
    batch = torch.tensor(places)
    numbers, tops, lefts = batch.unbind(1)
    region = Region(72, 72, tops, lefts)
    out, taken = operations(partial(render_patches, network, network, numbers, region))
    reference, direct = operations(partial(network, numbers, region))
    assert (taken < direct) == whole
    torch.testing.assert_close(out, reference, atol=2e-5, rtol=0)
    seed, parameters = torch.randn_like(out), list(network.parameters())
    ours, theirs = (torch.autograd.grad(pictures, parameters, seed) for pictures in (out, reference))
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-3 * float(b.abs().max()) + 1e-6, rtol=1e-3)


def test_what_a_patch_costs_is_what_it_takes(network):
    """The estimate against operations that were counted."""
    region = Region(72, 72, torch.tensor([72]), torch.tensor([0]))
    patch, whole = (operations(partial(network, torch.tensor([1]), where))[1] for where in (region, None))
    assert network.patch_cost(region) == pytest.approx(patch / whole, rel=0.02)


def test_crops():
    frames = torch.arange(2 * 3 * 5 * 7).view(2, 3, 5, 7)
    out = crops(frames, torch.tensor([[1, 2, 3], [0, 0, 0]]), 2, 4)
    assert torch.equal(out[0], frames[1, :, 2:4, 3:7])
    assert torch.equal(out[1], frames[0, :, :2, :4])
