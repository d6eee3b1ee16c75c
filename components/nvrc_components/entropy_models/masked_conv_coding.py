"""The network of masked convolutions where some positions are wanted, wave after wave as a decoder must.

It computes what `MaskedConv3dNetwork.forward` does, in float64 and on the processor, where the range coder is, and
gives the coder's integers. Hundreds of waves of a few dozen symbols make small calls count: what can be known before
the first wave is, and elementwise work is numpy's, whose calls cost a quarter of torch's.
"""

from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from nvrc_components.coding import lattice
from nvrc_components.coding.range_coder import Integers
from nvrc_components.entropy_models.masked_conv_layout import Layout, Wave
from nvrc_components.entropy_models.masked_conv_network import (
    MaskedConv3dNetwork,
    Weights,
    activation,
    planes_of,
    position_bias,
)

_GATHERED: Final = 1 << 23
"""Elements that are gathered at a time: all columns of most waves, and never more than 64 MiB."""
_FIRST_SCALE: Final = round(lattice.LOG2_SCALE_MIN * lattice.SCALES_PER_OCTAVE)
"""Even, so that halves are rounded to the same side whether it is subtracted before or after."""

Floats = NDArray[np.float64]


class WavePredictor:
    """Gives the means and scales of waves of positions, once all symbols before them are put.

    Sums are in units of the coder's lattices: sixteenths of a step for means, eighths of an octave for scales.

    Args:
        network: whose weights are taken as they are now.
        layout: of the blocks.
        columns: M, blocks x channels, channels fastest.
    """

    def __init__(self, network: MaskedConv3dNetwork, layout: Layout, columns: int) -> None:
        weights = Weights(*(x.detach().cpu() for x in network.weights(torch.float64)))
        units = torch.tensor([lattice.MEAN_STEPS, lattice.SCALES_PER_OCTAVE], dtype=torch.float64)
        mean, first = F.pad(weights.mean * units[0], (0, 0, 0, 2)), F.pad(weights.first, (0, 0, 1, 0))
        first[-1] *= units[1]
        self._width = network.width
        self._direct = torch.cat([mean, first]).flatten(1)
        self._second, self._second_bias = weights.second.flatten(1), weights.second_bias
        self._head = (weights.head * units[:, None, None]).flatten(1)
        position = position_bias(weights, layout)[:, layout.order]
        bias: Floats = (weights.bias * units[:, None]).repeat(1, columns // weights.bias.shape[1]).numpy()
        self._position, start = position[:-1], (position[-1] * units[1]).numpy()
        self._mean_bias, self._scale_bias = bias
        self._scale_start = (start - _FIRST_SCALE)[:, None]
        # Symbols, signed log-magnitudes and log-magnitudes side by side, so that taps are gathered once.
        symbols = torch.arange(-lattice.CONTEXT_LIMIT, lattice.CONTEXT_LIMIT + 1, dtype=torch.float64)
        self._planes: Floats = torch.cat([symbols[None], planes_of(symbols)]).numpy()
        self._seen = torch.zeros(3, len(layout.order) + 1, columns, dtype=torch.float64)
        self._seen_rows: Floats = self._seen.numpy()
        self._hidden = torch.zeros(2, self._width, *self._seen.shape[1:], dtype=torch.float64)

    def put(self, positions: slice, symbols: Integers) -> None:
        """Take the symbols of some positions, numbered as they are coded.

        Shape: (P, M).
        """
        index = np.minimum(np.maximum(symbols, -lattice.CONTEXT_LIMIT), lattice.CONTEXT_LIMIT) + lattice.CONTEXT_LIMIT
        self._seen_rows[:, positions] = self._planes.take(index, axis=1)

    def predict(self, wave: Wave) -> tuple[Integers, Integers]:
        """Return means (sixteenths of a step) and scale indices.

        Shape: (P, M) twice.
        """
        size = wave.size, self._seen_rows.shape[2]
        sums = _product(self._direct, self._seen, wave.before, size)
        mean_head, scale_head = self._mean_bias, self._scale_bias
        if self._width:
            heads = self._heads(sums[1:-1], wave, size)
            mean_head, scale_head = mean_head + heads[0], scale_head + heads[1]
        means = np.rint(sums[0].numpy()) + np.rint(mean_head)
        scales = np.rint(sums[-1].numpy() + (self._scale_start[wave.positions] + scale_head))
        return means.astype(np.int64), np.minimum(np.maximum(scales, 0), lattice.SCALES - 1).astype(np.int64)

    def _heads(self, first: Tensor, wave: Wave, size: tuple[int, int]) -> Floats:
        """Return what the hidden units add to means and scales.

        Shape: (R, P, M) -> (2, P, M).
        """
        rows, taps, (one, two) = wave.positions, wave.neighbours.flatten(), self._hidden
        one[:, rows] = activation(first + self._position[:, rows, None])
        two[:, rows] = activation(_product(self._second, one, taps, size) + self._second_bias[:, None, None])
        return _product(self._head, two, taps, size).numpy()


def _product(weight: Tensor, planes: Tensor, taps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a convolution at P positions alone: taps are gathered, some columns at a time, and multiplied as a matrix.

    Shape: weight (O, I * taps), planes (I, volume + 1, M), taps (taps * P,) -> (O, P, M).
    """
    outputs, rows = weight.shape
    columns = max(_GATHERED // max(rows * size[0], 1), 1)
    parts = (planes,) if columns >= size[1] else torch.split(planes, columns, 2)
    products = [weight @ part.index_select(1, taps).view(rows, -1) for part in parts]
    shaped = [product.view(outputs, size[0], -1) for product in products]
    return shaped[0] if len(shaped) == 1 else torch.cat(shaped, 2)
