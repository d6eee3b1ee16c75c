"""What a patch needs around it: all of it, and where patches begin alike nothing else."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nvrc_components.representations.patches import Region, plan_axis

STAGES = ([3, 3, 3, 1], [3, 2, 2, 2])  # depths and strides of NVRC's network


def needed(first, last, depth, stride):
    """The first and last low-resolution position that enter the pixels first..last after `depth` convolutions."""
    first, last = first - depth, last + depth
    low = math.floor((first + 0.5) / stride - 0.5)
    return first, last, low, math.ceil((last + 0.5) / stride - 0.5)


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=4),
    st.integers(1, 4),
    st.lists(st.integers(0, 5), min_size=1, max_size=3),
)
def test_patches_that_tile_a_frame_compute_what_they_need_and_no_more(stages, tiles, places):
    depths, strides = zip(*stages, strict=True)
    total = math.prod(strides)
    side = tiles * total
    sizes = [6 * side // math.prod(strides[i:]) for i in range(len(strides) + 1)]
    starts = torch.tensor(places) * side
    plans = plan_axis(starts, side, side, sizes, depths, strides)
    first, last = starts[0].item(), starts[0].item() + side - 1
    for plan, depth, stride in zip(reversed(plans.stages), reversed(depths), reversed(strides), strict=True):
        upsampled, end, first, last = needed(first, last, depth, stride)
        assert plan.inside.shape[1] == end - upsampled + 1
        assert plan.fetch.shape[1] == last - first + 1
    assert plans.asked.tolist() == [list(range(side))] * len(places)


def test_halos_of_the_published_patches():
    """120x120 pixels of NVRC's network, 5x5 at its stem."""
    plans = plan_axis(torch.tensor([120, 960]), 120, 120, [45, 135, 270, 540, 1080], *STAGES)
    assert [plan.inside.shape[1] for plan in plans.stages] == [29, 42, 68, 122]


@pytest.mark.parametrize(("tops", "lefts", "expected"), [([0, 48], [96, 24], 24), ([0], [0], 24), ([1, 0], [0, 0], 1)])
def test_what_patches_have_in_common(tops, lefts, expected):
    assert Region(48, 72, torch.tensor(tops), torch.tensor(lefts)).multiple == expected
