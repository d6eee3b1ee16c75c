"""Feature grids: where in time they are read, and what a window leaves out."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.func import functional_call

from nvrc_components.representations.grids import FeatureGrid, LocalGrid, time_taps


@given(st.integers(1, 700), st.integers(1, 700), st.data())
def test_taps_follow_the_formula_and_stay_inside(total, slices, data):
    t = data.draw(st.integers(0, total - 1))
    taps = time_taps(torch.tensor([t]), slices, total)
    low, high, weight = int(taps.low), int(taps.high), float(taps.weight)
    source = min(max((t + 0.5) * slices / total - 0.5, 0.0), slices - 1.0)
    assert 0 <= low <= high <= min(low + 1, slices - 1)
    assert (high == low) == (weight == 0)
    assert low + weight == pytest.approx(source, abs=1e-3)


def test_as_many_slices_as_frames_reads_one_slice():
    grid = FeatureGrid(6, 6, 2, 3, 4)
    frames = torch.tensor([5, 0, 5])
    assert torch.equal(grid(frames), grid.grid[frames])
    assert grid.window([2]) == (2,)
    assert grid.window(frames) == (0, 5)


def test_half_as_many_slices_blends_neighbours():
    grid = LocalGrid(2, 4, 3, 5)
    values = grid(torch.arange(4))
    assert torch.equal(values[0], grid.grid[0])
    assert torch.equal(values[3], grid.grid[1])
    torch.testing.assert_close(values[1], 0.75 * grid.grid[0] + 0.25 * grid.grid[1])
    assert grid.window([0]) == (0,)
    assert grid.window([1]) == (0, 1)


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_the_slices_of_a_window_alone_give_the_same_and_each_is_touched(total, slices, data):
    numbers = data.draw(st.lists(st.integers(0, total - 1), min_size=1, max_size=5))
    grid, frames = LocalGrid(slices, total, 1, 2), torch.tensor(numbers)
    rows, taps = grid.window(frames), grid.taps(frames)
    assert rows == tuple(sorted({*taps.low.tolist(), *taps.high.tolist()})) == grid.window(numbers)
    part = functional_call(grid, {"grid": grid.grid[list(rows)]}, (frames,))
    assert torch.equal(part, grid(frames))


@pytest.mark.parametrize("slices", [1, 3, 5, 9])
def test_a_crop_is_the_same_picture_cut_out(slices):
    grid = FeatureGrid(slices, 9, 2, 6, 7)
    frames, rows, columns = torch.tensor([8, 1]), torch.tensor([[0, 1, 5], [3, 3, 4]]), torch.tensor([[6], [0]])
    whole = grid(frames)
    expected = torch.stack([whole[i][:, rows[i]][:, :, columns[i]].permute(1, 2, 0) for i in range(2)])
    torch.testing.assert_close(grid.crop(frames, rows, columns), expected)
