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
    activation,
    planes_of,
    position_bias,
)

_GATHERED: Final = 1 << 23
"""Elements that are gathered at a time: all columns of most waves, and never more than 64 MiB."""
_FIRST_SCALE: Final = round(lattice.LOG2_SCALE_MIN * lattice.SCALES_PER_OCTAVE)

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
        weights = type(network.weights())(*(x.detach().cpu() for x in network.weights(torch.float64)))
        units = torch.tensor([lattice.MEAN_STEPS, lattice.SCALES_PER_OCTAVE], dtype=torch.float64)
        mean, first = F.pad(weights.mean * units[0], (0, 0, 0, 2)), F.pad(weights.first, (0, 0, 1, 0))
        first[-1] *= units[1]
        self._width = network.width
        self._direct = torch.cat([mean, first])
        self._second, self._second_bias = weights.second, weights.second_bias
        self._head = weights.head * units[:, None, None]
        position = position_bias(weights, layout)[:, layout.order]
        self._position, self._scale_start = position[:-1], (position[-1] * units[1]).numpy()
        self._bias = (weights.bias * units[:, None]).repeat(1, columns // weights.bias.shape[1]).numpy()
        # Symbols, signed log-magnitudes and log-magnitudes side by side, so that taps are gathered once.
        symbols = torch.arange(-lattice.CONTEXT_LIMIT, lattice.CONTEXT_LIMIT + 1, dtype=torch.float64)
        self._planes: Floats = torch.cat([symbols[None], planes_of(symbols)]).numpy()
        self._seen = torch.zeros(3, len(layout.order) + 1, columns, dtype=torch.float64)
        self._seen_rows: Floats = self._seen.numpy()
        self._hidden = torch.zeros(2, self._width, *self._seen.shape[1:], dtype=torch.float64)

    def put(self, wave: Wave, symbols: Integers) -> None:
        """Take the symbols of a wave.

        Shape: (P, M).
        """
        index = np.clip(symbols, -lattice.CONTEXT_LIMIT, lattice.CONTEXT_LIMIT) + lattice.CONTEXT_LIMIT
        self._seen_rows[:, wave.positions] = self._planes[:, index]

    def predict(self, wave: Wave) -> tuple[Integers, Integers]:
        """Return means (sixteenths of a step) and scale indices.

        Shape: (P, M) twice.
        """
        size = wave.neighbours.shape[1], self._seen.shape[2]
        sums = _product(self._direct, self._seen, wave.neighbours[:-1], size)
        head = self._bias[:, None]
        if self._width:
            head = head + self._head_of(sums[1:-1], wave, size)
        means = np.rint(sums[0].numpy()) + np.rint(head[0])
        scales = np.rint(sums[-1].numpy() + (self._scale_start[wave.positions, None] + head[1]))
        indices = np.clip(scales.astype(np.int64) - _FIRST_SCALE, 0, lattice.SCALES - 1)
        return means.astype(np.int64), indices

    def _head_of(self, first: Tensor, wave: Wave, size: tuple[int, int]) -> Floats:
        """Return what the hidden units add to means and scales.

        Shape: (R, P, M) -> (2, P, M).
        """
        rows, (one, two) = wave.positions, self._hidden
        one[:, rows] = activation(first + self._position[:, rows, None])
        two[:, rows] = activation(_product(self._second, one, wave.neighbours, size) + self._second_bias[:, None, None])
        return _product(self._head, two, wave.neighbours, size).numpy()


def _product(weight: Tensor, planes: Tensor, taps: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a convolution at P positions alone: taps are gathered, some columns at a time, and multiplied as a matrix.

    Shape: weight (O, I, taps), planes (I, volume + 1, M), taps (taps, P) -> (O, P, M).
    """
    flat, rows, positions = taps.flatten(), len(planes) * len(taps), size[0]
    columns = max(_GATHERED // max(rows * positions, 1), 1)
    parts = []
    for part in (planes,) if columns >= size[1] else torch.split(planes, columns, 2):
        gathered = part.index_select(1, flat).view(rows, positions * part.shape[2])
        parts.append((weight.flatten(1) @ gathered).view(len(weight), positions, part.shape[2]))
    return parts[0] if len(parts) == 1 else torch.cat(parts, 2)
