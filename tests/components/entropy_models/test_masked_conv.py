"""Masked convolutions: what is seen when, that training and coding agree, and that their integers are exact."""

from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvrc_components.entropy_models import (
    ENTROPY_MODELS,
    GaussianPrior,
    MaskedConv3dContext,
    masked_conv_coding,
)
from nvrc_components.entropy_models.base import mean_integers, scale_indices
from nvrc_components.entropy_models.context import filled_of, fitted, grid_of, towers_of
from nvrc_components.entropy_models.masked_conv_layout import OFFSETS, layout_of
from nvrc_components.errors import InputError
from nvrc_components.fitting import Coded, fit
from nvrc_components.functional import split_blocks
from nvrc_components.side import sides_of
from tests.components.entropy_models.helpers import (
    SHAPES,
    ZERO,
    decoded,
    encoded,
    heard,
    laplacian,
    masked_conv,
    randomised,
)


def distributions(model, grid):
    """Return, from the parallel pass, the mean and scale integers of a grid's elements.

    Shape: (T, C, H, W) twice.
    """
    block = fitted(model.block, grid.shape)
    _, mean, log2_scale = (v.detach() for v in model._distributions(grid, block))
    integers = mean_integers(mean, mean.shape), scale_indices(log2_scale, mean.shape)
    rows = (torch.from_numpy(x).view(mean.shape).flatten(2).permute(2, 0, 1).flatten(1).double() for x in integers)
    return [grid_of(torch.cat([x, x[:1]]), grid.shape, block) for x in rows]


def in_coding_order(values, model):
    """Return a grid's elements in the order of the stream."""
    block = fitted(model.block, values.shape)
    order = layout_of(block).order.numpy()
    return towers_of(values, block).numpy()[order][filled_of(values.shape, block)[order]]


@pytest.mark.parametrize("block", [(16, 8, 8), (1, 8, 8), (5, 3, 7), (12, 1, 20), (1, 1, 1)])
def test_every_position_is_coded_once_and_after_all_it_sees(block):
    layout, volume = layout_of(block), block[0] * block[1] * block[2]
    assert sorted(layout.order.tolist()) == [p for wave in layout.waves for p in range(volume)[wave.positions]]
    for wave in layout.waves:
        assert wave.neighbours[-1].tolist() == list(range(volume)[wave.positions])
        before = wave.neighbours[:-1]
        assert (before[before < volume] < wave.positions.start).all()


def test_taps_are_where_the_offsets_say():
    block, volume = (5, 3, 7), 105
    layout = layout_of(block)
    places = [np.unravel_index(p, block) for p in layout.order.tolist()]
    taps = torch.cat([wave.neighbours for wave in layout.waves], 1).T.tolist()
    for place, around in zip(places, taps, strict=True):
        for offset, tap in zip(OFFSETS, around, strict=True):
            at = tuple(int(a) + o for a, o in zip(place, offset, strict=True))
            inside = all(0 <= a < n for a, n in zip(at, block, strict=True))
            assert (tuple(map(int, places[tap])) == at) if inside else tap == volume


def test_the_paper_s_block_takes_164_waves_instead_of_1024_steps():
    assert len(layout_of((16, 8, 8)).waves) == 9 * 15 + 3 * 7 + 7 + 1


def test_taps_are_the_causal_half_of_a_5x5x5_kernel():
    assert len(OFFSETS) == 63
    assert set(OFFSETS) == {o for o in product(range(-2, 3), repeat=3) if o <= (0, 0, 0)}


@pytest.mark.parametrize("width", [0, 4])
def test_perturbing_a_symbol_changes_only_what_comes_later_in_its_block_and_channel(width):
    shape = (18, 2, 9, 12)
    model, grid = masked_conv(shape, width), laplacian(shape)
    before = distributions(model, grid)
    generator = torch.Generator().manual_seed(1)
    changed_later = 0
    for _ in range(40):
        t, c, h, w = (int(torch.randint(n, (), generator=generator)) for n in shape)
        other = grid.clone()
        other[t, c, h, w] += 5
        changed = torch.stack([a != b for a, b in zip(distributions(model, other), before, strict=True)]).any(0)
        for tt, cc, hh, ww in changed.nonzero().tolist():
            assert (tt, hh, ww) > (t, h, w)
            assert (tt // 16, cc, hh // 8, ww // 8) == (t // 16, c, h // 8, w // 8)
        changed_later += int(changed.sum())
    assert changed_later > 300


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("width", [0, 3, 8])
def test_the_training_pass_is_the_coding_pass_and_symbols_round_trip(shape, width):
    model, grid = masked_conv(shape, width), laplacian(shape)
    means, scales = distributions(model, grid)
    symbols, heard_means, heard_scales, calls = heard(model, grid)
    assert np.array_equal(heard_means, in_coding_order(means, model))
    assert np.array_equal(heard_scales, in_coding_order(scales, model))
    assert np.array_equal(symbols, in_coding_order(grid, model))
    assert len(calls) == len(layout_of(fitted(model.block, grid.shape)).waves)
    assert torch.equal(decoded(model, shape, encoded(model, grid)), grid)


@given(
    shape=st.tuples(st.integers(1, 9), st.integers(1, 3), st.integers(1, 11), st.integers(1, 11)),
    block=st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6)),
    width=st.integers(0, 8),
    seed=st.integers(0, 99),
    scale=st.sampled_from([0.1, 3.0, 1e5]),
)
@settings(max_examples=25, deadline=None)
def test_any_grid_round_trips(shape, block, width, seed, scale):
    model, grid = masked_conv(shape, width, block, seed), laplacian(shape, seed, scale)
    assert torch.equal(decoded(model, shape, encoded(model, grid)), grid)


def test_blocks_do_not_look_at_each_other():
    shape = (20, 2, 17, 8)
    model, grid = masked_conv(shape), laplacian(shape)
    means, scales = distributions(model, grid)
    for t, h in product((0, 16), (0, 8, 16)):
        part = grid[t : t + 16, :, h : h + 8]
        padded = split_blocks(part, (16, 8, 8))[0].transpose(0, 1)
        for whole, alone in zip((means, scales), distributions(model, padded), strict=True):
            assert torch.equal(whole[t : t + 16, :, h : h + 8], alone[: part.shape[0], :, : part.shape[2]])


@pytest.mark.parametrize(("shape", "scale"), [((24, 4, 30, 40), 1.0), ((9, 6, 48, 41), 0.3), ((16, 8, 24, 24), 0.02)])
def test_file_and_estimate_agree_on_grids_like_trained_ones(shape, scale):
    model, grid = MaskedConv3dContext(torch.zeros(shape)), laplacian(shape, scale=scale)
    fit([Coded(model, grid, ZERO)], 40, 0.05)
    size, estimate = len(encoded(model, grid)), float(model.bits(grid, ZERO).detach()) / 8
    assert size > 500
    assert abs(size - estimate) <= 0.005 * estimate + 64


def test_contexts_pay_off_on_grids_whose_neighbours_are_alike():
    shape = (32, 2, 32, 32)
    grid = laplacian(shape, scale=0.15)
    models = [GaussianPrior(grid), *(MaskedConv3dContext(torch.zeros(shape), width=w) for w in (0, 4))]
    for model in models:
        fit([Coded(model, grid, ZERO)], 60, 0.05)
    plain, direct, hidden = (len(encoded(model, grid)) for model in models)
    assert direct < 0.85 * plain
    assert hidden < 0.85 * plain


def test_gradients_reach_every_parameter_and_the_symbols():
    shape = (17, 2, 9, 8)
    model, grid = masked_conv(shape), laplacian(shape).requires_grad_()
    model.bits(grid, ZERO).backward()
    assert (grid.grad != 0).float().mean() > 0.9
    for side in sides_of([model]):
        assert side.value.grad.isfinite().all()
        assert side.value.grad.abs().sum() > 0


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_declared_ranges_hold_so_that_float32_is_exact_in_any_order(sign):
    """Weights and symbols at their ends: sums, in units of their lattices, stay below 2^24 for every block."""
    shape = (8, 1, 8, 8)
    model = masked_conv(shape, 8)
    for side in sides_of([model]):
        side.value.data.fill_(100.0)
        side.log2_step.data.fill_(-0.585)  # the step whose multiples overshoot the limit most
    model.network.second.value.data.mul_(sign)
    model.check_exact()
    grid = 127 * torch.ones(shape)
    single = model.network(split_blocks(grid, (8, 8, 8)), layout_of((8, 8, 8)))
    exact = model.network(split_blocks(grid.double(), (8, 8, 8)), layout_of((8, 8, 8)))
    for a, b in zip(single, exact, strict=True):
        assert torch.equal(a.double(), b)
    for extreme in (grid, -1e9 * laplacian(shape).sign()):
        means, scales = distributions(model, extreme.double())
        _, heard_means, heard_scales, _ = heard(model, extreme)
        assert np.array_equal(heard_means, in_coding_order(means, model))
        assert np.array_equal(heard_scales, in_coding_order(scales, model))


def test_what_is_gathered_at_a_time_does_not_change_a_byte(monkeypatch):
    shape = (5, 3, 20, 9)
    model, grid = masked_conv(shape), laplacian(shape)
    data = encoded(model, grid)
    monkeypatch.setattr(masked_conv_coding, "_GATHERED", 3000)
    assert encoded(model, grid) == data
    assert torch.equal(decoded(model, shape, data), grid)


def test_weights_whose_sums_could_overflow_are_refused_at_encode_time(monkeypatch):
    model = masked_conv((8, 1, 8, 8), 8)
    monkeypatch.setattr(model.network.second, "limit", 1024.0)
    model.network.second.value.data.fill_(1000.0)
    with pytest.raises(InputError, match="beyond 2\\^24"):
        encoded(model, torch.zeros(8, 1, 8, 8))


@pytest.mark.parametrize(("block", "width"), [((16, 8, 8), -1), ((3, 64, 1), 8)])
def test_the_configuration_rebuilds_the_model(block, width):
    shape = (5, 2, 9, 9)
    model = randomised(MaskedConv3dContext(torch.zeros(shape), block, width))
    rebuilt = ENTROPY_MODELS[4].from_configuration(torch.zeros(shape), model.configuration())
    rebuilt.load_state_dict(model.state_dict())
    grid = laplacian(shape)
    assert torch.equal(decoded(rebuilt, shape, encoded(model, grid)), grid)


@pytest.mark.parametrize(
    ("shape", "width"),
    [((127, 1, 32, 32), 0), ((128, 1, 32, 32), 4), ((511, 2, 32, 32), 4), ((512, 2, 32, 32), 8)],
)
def test_decoders_know_the_width_by_the_number_of_symbols(shape, width):
    """Files say AUTO, and readers of docs/bitstream.md rely on what it comes to."""
    model = MaskedConv3dContext(torch.empty(1).expand(shape))
    assert model.configuration()[-1] == -1
    assert model.network.width == width


@pytest.mark.parametrize("configuration", [(), (16, 8, 8), (0, 8, 8, 4), (32, 32, 33, 4), (16, 8, 8, 9), (1, 1, 1, -2)])
def test_configurations_that_are_none_are_refused(configuration):
    with pytest.raises(ValueError, match=r"configuration|width|blocks"):
        MaskedConv3dContext.from_configuration(torch.zeros(4, 2, 4, 4), configuration)
    with pytest.raises(ValueError, match=r"models .* grids"):
        MaskedConv3dContext(torch.zeros(4, 4))
