"""Bits of single symbols, which maps and likelihoods are made of."""

import pytest
import torch

from nvrc_components.entropy_models import ENTROPY_MODELS
from nvrc_components.side import sides_of
from tests.components.entropy_models.helpers import ZERO, laplacian, randomised

SHAPE = (18, 2, 9, 12)
MODELS = ENTROPY_MODELS.values()


@pytest.mark.parametrize("cls", MODELS)
def test_bits_lie_where_their_symbols_are(cls):
    """Without context weights, an outlier is dearer at its own place and changes nothing elsewhere."""
    grid = laplacian(SHAPE, scale=0.3)
    model = cls(grid)
    for side in sides_of([model]):
        side.value.data.zero_()
    before = model.symbol_bits(grid, ZERO).detach()
    for where in ((0, 0, 0, 0), (17, 1, 8, 11), (15, 0, 7, 8)):
        other = grid.clone()
        other[where] += 40
        dearer = model.symbol_bits(other, ZERO).detach() - before
        assert dearer.nonzero().tolist() == [list(where)]
        assert dearer[where] > 0


@pytest.mark.parametrize("cls", MODELS)
def test_they_sum_to_the_bits_of_the_whole(cls):
    grid = laplacian(SHAPE, scale=0.3)
    model = randomised(cls(grid), spread=0.1)
    bits = model.symbol_bits(grid, ZERO).detach()
    assert bits.shape == grid.shape
    torch.testing.assert_close(bits.sum(), model.bits(grid, ZERO).detach())
