"""The octree: what is seen when, that training and coding agree, and that its integers are exact."""

from itertools import product

import numpy as np
import pytest
import torch

from nvrc_components.entropy_models import ENTROPY_MODELS, GaussianPrior, MaskedConv3dContext, OctreeContext
from nvrc_components.entropy_models.base import mean_integers, scale_indices
from nvrc_components.entropy_models.context import filled_of, fitted, towers_of
from nvrc_components.entropy_models.octree_layout import PARITIES, PASSES, layout_of, taps_of
from nvrc_components.fitting import Coded, fit
from nvrc_components.side import sides_of
from tests.components.entropy_models.helpers import (
    SHAPES,
    ZERO,
    Listener,
    decoded,
    encoded,
    laplacian,
    octree,
    randomised,
)


def distributions(model, grid):
    """Return, from the parallel pass, each grid element's integers and its number in coding order of passes."""
    block = fitted(model.block, grid.shape)
    layout = layout_of(block, model.passes)
    towers = towers_of(grid, block)
    order, mean, log2_scale = (v.detach() for v in model._distributions(towers, layout))
    numbers = [0] * len(layout.root)
    numbers += [i for i, group in enumerate(layout.passes, 1) for phase in group for _ in phase.targets]
    keep = filled_of(grid.shape, block)[order.numpy()]
    shape = mean.shape
    means = mean_integers(mean, shape).reshape(shape)
    scales = scale_indices(log2_scale, shape).reshape(shape)
    passes = np.broadcast_to(np.array(numbers)[:, None], shape)
    return order, means, scales, passes, keep


@pytest.mark.parametrize("passes", PASSES)
@pytest.mark.parametrize("block", [(16, 8, 8), (1, 8, 8), (5, 3, 7), (12, 1, 20)])
def test_every_position_is_coded_once_and_sees_only_earlier_passes(passes, block):
    layout = layout_of(block, passes)
    when = dict.fromkeys(layout.root.tolist(), 0)
    for number, group in enumerate(layout.passes, 1):
        for phase in group:
            assert not when.keys() & set(phase.targets.tolist())
            when |= dict.fromkeys(phase.targets.tolist(), number)
    assert set(when) == set(range(layout.volume))
    for number, group in enumerate(layout.passes, 1):
        for phase in group:
            assert len(phase.taps.offsets) <= 26
            assert all(tap == layout.volume or when[tap] < number for tap in phase.neighbours.tolist())


@pytest.mark.parametrize("passes", PASSES)
def test_a_block_of_powers_of_two_has_the_named_number_of_passes(passes):
    assert len(layout_of((16, 16, 16), passes).passes) + 1 == passes


def test_free_weights_see_directions_that_shared_ones_average():
    """Diagonal stripes: of a diagonal neighbour and its mirror image, one repeats the symbol, the other does not."""
    stripes = laplacian((8, 1, 1, 63))[:, :, 0]
    places = torch.arange(32)[:, None] - torch.arange(32) + 31
    grid = stripes[:, :, places]
    sizes = []
    for mirrored in (False, True):
        model = OctreeContext(torch.zeros(grid.shape), mirrored=mirrored)
        fit([Coded(model, grid, ZERO)], 60, 0.05)
        sizes.append(len(encoded(model, grid)))
    assert sizes[0] < 0.95 * sizes[1]


@pytest.mark.parametrize(("passes", "parity"), list(product(PASSES, PARITIES)))
def test_taps_come_with_all_their_mirror_images_under_one_weight(passes, parity):
    taps = taps_of(parity, passes)
    owner = dict(zip(taps.offsets, taps.classes, strict=True))
    assert set(taps.classes) == set(range(max(taps.classes) + 1))
    for t, h, w in taps.offsets:
        for signs in product((-1, 1), repeat=3):
            assert owner[t * signs[0], h * signs[1], w * signs[2]] == owner[t, h, w]


@pytest.mark.parametrize("passes", PASSES)
def test_perturbing_a_symbol_changes_no_distribution_of_the_same_or_an_earlier_pass(passes):
    shape = (17, 2, 9, 8)
    model, grid = octree(shape, passes), laplacian(shape)
    order, means, scales, numbers, _ = distributions(model, grid)
    generator = torch.Generator().manual_seed(1)
    changed_later = 0
    for _ in range(60):
        where = tuple(int(torch.randint(n, (), generator=generator)) for n in shape)
        other = grid.clone()
        other[where] += 5
        towers, original = (towers_of(g, model.block) for g in (other, grid))
        ((row, column),) = (towers[order] != original[order]).nonzero().tolist()
        _, new_means, new_scales, _, _ = distributions(model, other)
        changed = (new_means != means) | (new_scales != scales)
        assert not changed[numbers <= numbers[row, column]].any()
        assert not np.delete(changed, column, axis=1).any()
        changed_later += changed.sum()
    assert changed_later > 100


@pytest.mark.parametrize("passes", PASSES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("width", [0, 4])
def test_the_training_pass_is_the_coding_pass_and_symbols_round_trip(passes, shape, width):
    model, grid = octree(shape, passes, width), laplacian(shape)
    _, means, scales, numbers, keep = distributions(model, grid)
    listener = Listener()
    model.encode(grid, ZERO, listener)
    sequential = [np.concatenate(column) for column in zip(*listener.calls, strict=True)]
    assert np.array_equal(sequential[1], means[keep])
    assert np.array_equal(sequential[2], scales[keep])
    assert len(listener.calls) == len(np.unique(numbers))
    assert len(sequential[0]) == grid.numel()
    assert torch.equal(decoded(model, shape, encoded(model, grid)), grid)


def test_blocks_do_not_look_at_each_other():
    shape = (20, 2, 17, 8)
    model, grid = octree(shape), laplacian(shape)

    def triples(part):
        listener = Listener()
        model.encode(part, ZERO, listener)
        return sorted(zip(*(np.concatenate(c).tolist() for c in zip(*listener.calls, strict=True)), strict=True))

    blocks = [grid[t : t + 16, :, h : h + 8] for t in (0, 16) for h in (0, 8, 16)]
    # Blocks cut off by the grid's end see the same zeros alone, where they are not padded at all.
    assert triples(grid) == sorted(triple for block in blocks for triple in triples(block))
    for block in blocks:
        assert torch.equal(decoded(model, block.shape, encoded(model, block)), block)


@pytest.mark.parametrize(
    ("shape", "passes", "scale"), [((24, 4, 30, 40), 10, 1.0), ((9, 6, 48, 41), 22, 0.3), ((16, 8, 24, 24), 4, 0.02)]
)
def test_file_and_estimate_agree_on_grids_like_trained_ones(shape, passes, scale):
    model, grid = OctreeContext(torch.zeros(shape), passes=passes), laplacian(shape, scale=scale)
    fit([Coded(model, grid, ZERO)], 40, 0.05)
    size, estimate = len(encoded(model, grid)), float(model.bits(grid, ZERO).detach()) / 8
    assert size > 500
    assert abs(size - estimate) <= 0.005 * estimate + 64


def test_contexts_pay_off_on_grids_whose_neighbours_are_alike():
    shape = (32, 2, 32, 32)
    grid = laplacian(shape, scale=0.15)
    context, plain = OctreeContext(torch.zeros(shape), width=4), GaussianPrior(grid)
    for model in (context, plain):
        fit([Coded(model, grid, ZERO)], 60, 0.05)
    assert len(encoded(context, grid)) < 0.85 * len(encoded(plain, grid))


def test_gradients_reach_every_parameter_and_the_symbols():
    shape = (17, 2, 9, 8)
    model, grid = octree(shape), laplacian(shape).requires_grad_()
    model.bits(grid, ZERO).backward()
    assert (grid.grad != 0).float().mean() > 0.9
    for side in sides_of([model]):
        assert side.value.grad.isfinite().all()
        assert side.value.grad.abs().sum() > 0


@pytest.mark.parametrize("mirrored", [False, True])
@pytest.mark.parametrize(("block", "passes", "width"), [((16, 8, 8), 10, -1), ((3, 200, 1), 22, 16)])
def test_the_configuration_rebuilds_the_model(block, passes, width, mirrored):
    shape = (5, 2, 9, 9)
    model = randomised(OctreeContext(torch.zeros(shape), block, passes, width, mirrored))
    assert len(model.configuration()) == 6 - mirrored
    rebuilt = ENTROPY_MODELS[3].from_configuration(torch.zeros(shape), model.configuration())
    rebuilt.load_state_dict(model.state_dict())
    grid = laplacian(shape)
    assert torch.equal(decoded(rebuilt, shape, encoded(model, grid)), grid)


@pytest.mark.parametrize(
    "configuration", [(), (16, 8, 8, 10), (0, 8, 8, 10, 4), (32, 32, 33, 10, 4), (16, 8, 8, 9, 4), (16, 8, 8, 10, 4, 1)]
)
def test_configurations_that_are_none_are_refused(configuration):
    with pytest.raises(ValueError, match=r"configuration|passes|blocks"):
        OctreeContext.from_configuration(torch.zeros(4, 2, 4, 4), configuration)
    with pytest.raises(ValueError, match="width is 17"):
        OctreeContext(torch.zeros(4, 2, 4, 4), width=17)
    with pytest.raises(ValueError, match=r"models .* grids"):
        OctreeContext(torch.zeros(4, 4))


@pytest.mark.parametrize(
    ("shape", "mirrored", "width"),
    [
        ((15, 1, 32, 32), True, 0),
        ((16, 1, 32, 32), True, 4),
        ((127, 1, 32, 32), True, 4),
        ((64, 2, 32, 32), True, 8),
        ((64, 2, 32, 32), False, 0),
    ],
)
def test_decoders_know_the_width_by_the_number_of_symbols(shape, mirrored, width):
    """Files say AUTO, and readers of docs/bitstream.md rely on what it comes to."""
    model = OctreeContext(torch.empty(1).expand(shape), mirrored=mirrored)
    assert model.configuration()[4] == -1
    assert model.network.width == width


@pytest.mark.parametrize("cls", [OctreeContext, MaskedConv3dContext])
def test_a_layout_first_made_in_inference_mode_serves_training(cls):
    shape = (5, 1, 6, 7)
    model, grid = cls(torch.zeros(shape)), laplacian(shape)
    with torch.inference_mode():
        expected = float(model.bits(grid, ZERO))
    bits = model.bits(grid, ZERO)
    bits.backward()
    assert float(bits.detach()) == expected
