"""The contract of entropy models: training gives bits, coding gives integer parameters, both from the same code."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, Final

import numpy as np
import torch
from torch import Tensor, nn
from typing_extensions import Self

from nvrc_components.coding import lattice
from nvrc_components.coding.range_coder import Integers, SymbolDecoder, SymbolEncoder
from nvrc_components.functional import gaussian_bits, lower_bound, round_straight_through, upper_bound

# The rarest symbol of a table costs 24 bits; an escaped one about 14 to 23, and one to six bytes.
_OUTLIER_BITS: Final = 27.0


class EntropyModel(nn.Module, ABC):
    """Gives every symbol of one tensor a Gaussian whose mean and scale lie on the coder's lattices.

    A symbol is a value in units of its quantisation step: an integer in a file, noisy while training.
    `log2_step` (exact multiples of 1/64, broadcastable to the symbols) is there for models whose scales are in
    the tensor's own units, so that a step may move without every scale having to follow.
    """

    kind: ClassVar[int]

    @abstractmethod
    def __init__(self, tensor: Tensor) -> None:
        super().__init__()

    @abstractmethod
    def bits(self, symbols: Tensor, log2_step: Tensor) -> Tensor:
        """Return the bits of all symbols.

        Shape: the tensor's -> scalar, bits.
        """

    @abstractmethod
    def encode(self, symbols: Tensor, log2_step: Tensor, encoder: SymbolEncoder) -> None:
        """Append integer symbols to the stream."""

    @abstractmethod
    def decode(self, shape: torch.Size, log2_step: Tensor, decoder: SymbolDecoder) -> Tensor:
        """Return the integer symbols that `encode` appended, as a float tensor of this shape."""

    def configuration(self) -> Sequence[int]:
        """Return the integers that, with the tensor's shape, rebuild this entropy model."""
        return ()

    @classmethod
    def from_configuration(cls, tensor: Tensor, configuration: Sequence[int]) -> Self:
        """Return what `configuration()` described, for this tensor.

        Raises:
            ValueError: the integers are not a configuration of this class.
        """
        if configuration:
            raise ValueError(f"{cls.__name__} takes no configuration, got {tuple(configuration)}")
        return cls(tensor)


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
