"""The contract of entropy models: training gives bits, coding gives integer parameters, both from the same code."""

from abc import abstractmethod
from typing import Final

import numpy as np
import torch
from torch import Tensor

from nvrc_components.coding import lattice
from nvrc_components.coding.range_coder import Integers, SymbolDecoder, SymbolEncoder
from nvrc_components.functional import gaussian_bits, lower_bound, round_straight_through, upper_bound
from nvrc_components.tensor_module import TensorModule

# The rarest symbol of a table costs 24 bits; an escaped one about 14 to 23, and one to six bytes.
_OUTLIER_BITS: Final = 27.0


class EntropyModel(TensorModule):
    """Gives every symbol of one tensor a Gaussian whose mean and scale lie on the coder's lattices.

    A symbol is a value in units of its quantisation step: an integer in a file, noisy while training.
    `log2_step` (exact multiples of 1/64, broadcastable to the symbols) is there for models whose scales are in
    the tensor's own units, so that a step may move without every scale having to follow.
    """

    def bits(self, symbols: Tensor, log2_step: Tensor) -> Tensor:
        """Return the bits of all symbols together.

        Shape: the tensor's -> scalar, bits.
        """
        return self.symbol_bits(symbols, log2_step).sum()

    @abstractmethod
    def symbol_bits(self, symbols: Tensor, log2_step: Tensor) -> Tensor:
        """Return the bits of each symbol.

        Shape: the tensor's -> the same, bits.
        """

    @abstractmethod
    def encode(self, symbols: Tensor, log2_step: Tensor, encoder: SymbolEncoder) -> None:
        """Append integer symbols to the stream."""

    @abstractmethod
    def decode(self, shape: torch.Size, log2_step: Tensor, decoder: SymbolDecoder) -> Tensor:
        """Return the integer symbols that `encode` appended, as a float tensor of this shape."""


def coded_bits(symbols: Tensor, mean: Tensor, log2_scale: Tensor) -> Tensor:
    """Return the bits that the coder spends: a Gaussian's, but for outliers no more than table floor or escape cost.

    Gradients are the Gaussian's everywhere, so that outliers are still drawn in.

    Shape: all broadcast together; the result has the broadcast shape.
    """
    return upper_bound(gaussian_bits(symbols, mean, log2_scale), _OUTLIER_BITS, "identity")


def snap_mean(mean: Tensor) -> Tensor:
    """Return means on the coder's lattice of 1/16 step; gradients pass straight through."""
    return round_straight_through(mean * lattice.MEAN_STEPS) / lattice.MEAN_STEPS


def snap_log2_scale(log2_scale: Tensor) -> Tensor:
    """Return log2-scales on the coder's lattice of 1/8 octave, within its range; gradients pass straight through."""
    bounded = upper_bound(lower_bound(log2_scale, lattice.LOG2_SCALE_MIN), lattice.LOG2_SCALE_MAX)
    return round_straight_through(bounded * lattice.SCALES_PER_OCTAVE) / lattice.SCALES_PER_OCTAVE


def mean_integers(mean: Tensor, shape: torch.Size) -> Integers:
    """Return snapped means as the coder's integers, flattened from `shape`."""
    return _integers(mean * lattice.MEAN_STEPS, shape)


def scale_indices(log2_scale: Tensor, shape: torch.Size) -> Integers:
    """Return snapped log2-scales as indices into the coder's tables, flattened from `shape`."""
    return _integers((log2_scale - lattice.LOG2_SCALE_MIN) * lattice.SCALES_PER_OCTAVE, shape)


def symbol_integers(symbols: Tensor) -> Integers:
    """Return integer-valued symbols as a flat int64 array."""
    return _integers(symbols, symbols.shape)


def _integers(values: Tensor, shape: torch.Size) -> Integers:
    flat: Integers = values.detach().broadcast_to(shape).reshape(-1).cpu().numpy().astype(np.int64)
    return flat
