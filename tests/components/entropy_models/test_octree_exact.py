"""The octree's integers: the same under every setting, in every order of summation, within their ranges."""

from dataclasses import replace

import pytest
import torch

from nvrc_components.entropy_models.context import magnitude, visible
from nvrc_components.entropy_models.octree_layout import PASSES, layout_of
from nvrc_components.side import sides_of
from tests.components.entropy_models.helpers import decoded, encoded, laplacian, octree
from tests.golden.settings import SETTINGS


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_setting_of_the_machine_changes_a_byte_or_a_symbol(setting):
    shape = (17, 2, 25, 24)
    model, grid = octree(shape, width=16), laplacian(shape, scale=8.0)
    data = encoded(model, grid)
    with SETTINGS[setting]():
        assert encoded(model, grid) == data
        assert torch.equal(decoded(model, shape, data), grid)


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("passes", PASSES)
def test_declared_ranges_hold_so_that_float32_is_exact_in_any_order(passes, sign):
    """Weights and symbols at their ends: partial sums, counted in units of their lattices, stay below 2^24."""
    model = octree((16, 1, 8, 8), passes, 16)
    for side in sides_of([model]):
        side.value.data.fill_(100.0)
        side.log2_step.data.fill_(-0.13)
    model.network.hidden_weight.value.data.mul_(sign)
    layout, weights = layout_of((16, 8, 8), passes), model.network.weights()
    symbols = torch.full((layout.volume + 1, 6), 127.0)
    magnitudes = torch.full_like(symbols, 7.0)
    for phase in (phase for group in layout.passes for phase in group):
        mean = weights.mean[phase.parity].abs().sum() * 64 * 127
        first = weights.scale[phase.parity].abs().sum(1).max() * 1024 * 7 + weights.hidden_bias.abs().max() * 1024
        second = weights.output[phase.parity].abs().sum() * 64 * 2047 + first + weights.bias.abs().max() * 1024
        assert max(mean, first, second) < 1 << 24
        exact = model.network(symbols.double(), magnitudes.double(), phase, model.network.weights(torch.float64))
        single = model.network(symbols, magnitudes, phase, weights)
        for a, b in zip(exact, single, strict=True):
            assert torch.equal(a, b.double())


@pytest.mark.parametrize("passes", PASSES)
def test_sums_are_the_same_in_float64_and_in_any_order(passes):
    model = octree((16, 2, 8, 8), passes, 8, seed=3)
    layout, weights = layout_of((16, 8, 8), passes), model.network.weights()
    generator = torch.Generator().manual_seed(0)
    towers = torch.randint(-127, 128, (layout.volume + 1, 10), generator=generator).float()
    sizes = magnitude(towers)
    for phase in (phase for group in layout.passes for phase in group):
        count = len(phase.taps.offsets)
        order = torch.randperm(count, generator=generator)
        neighbours = phase.neighbours.view(count, -1)[order].flatten()
        mean, scale = list(weights.mean), list(weights.scale)
        mean[phase.parity], scale[phase.parity] = mean[phase.parity][:, order], scale[phase.parity][:, order]
        permuted = replace(weights, mean=mean, scale=scale)
        plain = model.network(towers, sizes, phase, weights)
        other = model.network(towers, sizes, replace(phase, neighbours=neighbours), permuted)
        exact = model.network(towers.double(), sizes.double(), phase, model.network.weights(torch.float64))
        for a, b, c in zip(plain, other, exact, strict=True):
            assert torch.equal(a, b)
            assert torch.equal(a.double(), c)


def test_magnitudes_follow_log2_between_integers_and_keep_nan():
    values = torch.linspace(-127, 127, 5001)
    torch.testing.assert_close(magnitude(values), torch.log2(1 + values.abs()), atol=0.1, rtol=0)
    assert visible(torch.tensor([-1e30, 300.0, 5.0])).tolist() == [-127, 127, 5]
    assert magnitude(torch.tensor(torch.nan)).isnan()
