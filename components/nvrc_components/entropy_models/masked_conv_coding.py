"""The network of masked convolutions where some positions are wanted, wave after wave as a decoder must.

It computes what `MaskedConv3dNetwork.forward` does, on the processor, where the range coder is, and gives the coder's
integers. Hundreds of waves of a few dozen symbols make small calls count: what can be known before the first wave is,
and the rest is numpy's, whose calls cost a quarter of torch's. Products are of float32: sums stay below 2^24 in their
units, and no factor has more than 9 significant bits, so that a library that rounds factors to TF32 does no harm.
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
    ACTIVATION_LIMIT,
    ACTIVATION_STEPS,
    MaskedConv3dNetwork,
    Weights,
    planes_of,
    position_bias,
)

_GATHERED: Final = 1 << 23
"""Elements that are gathered at a time, 32 MiB: all columns of most waves."""
_FIRST_SCALE: Final = round(lattice.LOG2_SCALE_MIN * lattice.SCALES_PER_OCTAVE)
"""Even, so that halves are rounded to the same side whether it is subtracted before or after."""

Floats = NDArray[np.float32]


class WavePredictor:
    """Gives the means and scales of waves of positions, once all symbols before them are put.

    Sums are in units of the coder's lattices: sixteenths of a step for means, eighths of an octave for scales; hidden
    units are in steps of theirs. All of these are powers of two, so that what was exact stays so.

    Args:
        network: whose weights are taken as they are now.
        layout: of the blocks.
        columns: M, blocks x channels, channels fastest.
    """

    def __init__(self, network: MaskedConv3dNetwork, layout: Layout, columns: int) -> None:
        weights = Weights(*(x.detach().cpu() for x in network.weights(torch.float64)))
        units = torch.tensor([lattice.MEAN_STEPS, lattice.SCALES_PER_OCTAVE], dtype=torch.float64)
        mean = F.pad(weights.mean * units[0], (0, 0, 0, 2))
        first = F.pad(weights.first * ACTIVATION_STEPS, (0, 0, 1, 0))
        first[-1] *= units[1] / ACTIVATION_STEPS
        self._width = network.width
        self._direct = _array(torch.cat([mean, first]).flatten(1))
        self._second = _array(weights.second.flatten(1))
        self._second_bias = _array(weights.second_bias[:, None, None] * ACTIVATION_STEPS)
        self._head = _array((weights.head * (units / ACTIVATION_STEPS)[:, None, None]).flatten(1))
        position = position_bias(weights, layout)[:, layout.order]
        self._position = _array(position[:-1, :, None] * ACTIVATION_STEPS)
        self._scale_start = _array(position[-1, :, None] * units[1] - _FIRST_SCALE)
        bias = (weights.bias * units[:, None]).repeat(1, columns // weights.bias.shape[1])
        self._mean_bias, self._scale_bias = _array(bias)
        # Symbols, signed log-magnitudes and log-magnitudes side by side, so that taps are gathered once.
        symbols = torch.arange(-lattice.CONTEXT_LIMIT, lattice.CONTEXT_LIMIT + 1, dtype=torch.float64)
        self._planes = _array(torch.cat([symbols[None], planes_of(symbols)]))
        self._seen: Floats = np.zeros((3, len(layout.order) + 1, columns), np.float32)
        self._hidden: Floats = np.zeros((2, self._width, *self._seen.shape[1:]), np.float32)

    def put(self, positions: slice, symbols: Integers) -> None:
        """Take the symbols of some positions, numbered as they are coded.

        Shape: (P, M).
        """
        index = np.minimum(np.maximum(symbols, -lattice.CONTEXT_LIMIT), lattice.CONTEXT_LIMIT) + lattice.CONTEXT_LIMIT
        self._seen[:, positions] = self._planes.take(index, axis=1)

    def predict(self, wave: Wave) -> tuple[Integers, Integers]:
        """Return means (sixteenths of a step) and scale indices.

        Shape: (P, M) twice.
        """
        size = wave.size, self._seen.shape[2]
        sums = _product(self._direct, self._seen, wave.before, size)
        mean_head, scale_head = self._mean_bias, self._scale_bias
        if self._width:
            heads = self._heads(sums[1:-1], wave, size)
            mean_head, scale_head = mean_head + heads[0], scale_head + heads[1]
        means = np.rint(sums[0]) + np.rint(mean_head)
        scales = np.rint(sums[-1] + (self._scale_start[wave.positions] + scale_head))
        return means.astype(np.int64), np.minimum(np.maximum(scales, 0), lattice.SCALES - 1).astype(np.int64)

    def _heads(self, first: Floats, wave: Wave, size: tuple[int, int]) -> Floats:
        """Return what the hidden units add to means and scales.

        Shape: (R, P, M) -> (2, P, M).
        """
        rows, taps, (one, two) = wave.positions, wave.taps, self._hidden
        _activate(first, self._position[:, rows], one[:, rows])
        _activate(_product(self._second, one, taps, size), self._second_bias, two[:, rows])
        return _product(self._head, two, taps, size)


def _array(tensor: Tensor) -> Floats:
    """Return exact multiples of powers of two as an array of float32."""
    return tensor.numpy().astype(np.float32)


def _activate(sums: Floats, bias: Floats, units: Floats) -> None:
    """Put clipped ReLUs in their place, in steps of their lattice.

    Shape: sums and units (R, P, M), bias one that is broadcast to them.
    """
    np.rint(np.add(sums, bias, out=units), out=units)
    np.maximum(np.minimum(units, ACTIVATION_STEPS * ACTIVATION_LIMIT, out=units), 0, out=units)


def _product(weight: Floats, planes: Floats, taps: Integers, size: tuple[int, int]) -> Floats:
    """Return a convolution at P positions alone: taps are gathered, some columns at a time, and multiplied as a matrix.

    Shape: weight (O, I * taps), planes (I, volume + 1, M), taps (taps * P,) -> (O, P, M).
    """
    outputs, rows = weight.shape
    columns = max(_GATHERED // max(rows * size[0], 1), 1)
    if columns >= size[1]:
        return (weight @ planes.take(taps, axis=1).reshape(rows, -1)).reshape(outputs, *size)
    starts = range(0, size[1], columns)
    gathered = (planes[:, taps, start : start + columns].reshape(rows, -1) for start in starts)
    return np.concatenate([(weight @ part).reshape(outputs, size[0], -1) for part in gathered], 2)
