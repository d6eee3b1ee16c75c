"""Factorised Gaussians: one for a tensor, or dual-axis ones whose parameters rows and columns share."""

from typing import ClassVar

import torch
from torch import Tensor, nn

from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.entropy_models.base import (
    EntropyModel,
    coded_bits,
    mean_integers,
    scale_indices,
    snap_log2_scale,
    snap_mean,
    symbol_integers,
)
from nvrc_components.functional.exact import exact_exp2
from nvrc_components.quantizers.base import constant, initial_log2_step
from nvrc_components.quantizers.dual_axis import SHORTEST, DualAxis, ShortLines
from nvrc_components.side import SideTensor


class FactorizedGaussian(EntropyModel):
    """A Gaussian for each symbol that does not look at other symbols, so that one call codes a whole tensor.

    `log2_scale` gives log2 of the standard deviation in the tensor's own units, `mean` the mean in units of it;
    both broadcast to the tensor and are exact multiples of 1/64.
    """

    log2_scale: nn.Module
    mean: nn.Module

    def distribution(self, log2_step: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log2-scale of the symbols, on the coder's lattices, broadcastable to the tensor."""
        relative = self.log2_scale() - log2_step
        return snap_mean(self.mean() * exact_exp2(relative)), snap_log2_scale(relative)

    def symbol_bits(self, symbols: Tensor, log2_step: Tensor) -> Tensor:
        """Return the bits of each symbol."""
        mean, log2_scale = self.distribution(log2_step)
        return coded_bits(symbols, mean, log2_scale)

    def encode(self, symbols: Tensor, log2_step: Tensor, encoder: SymbolEncoder) -> None:
        """Append the symbols to the stream."""
        mean, log2_scale = self.distribution(log2_step)
        shape = symbols.shape
        encoder.encode(symbol_integers(symbols), mean_integers(mean, shape), scale_indices(log2_scale, shape))

    def decode(self, shape: torch.Size, log2_step: Tensor, decoder: SymbolDecoder) -> Tensor:
        """Return the symbols that `encode` appended."""
        mean, log2_scale = self.distribution(log2_step)
        symbols = decoder.decode(mean_integers(mean, shape), scale_indices(log2_scale, shape))
        return torch.from_numpy(symbols).to(log2_step.device, torch.float32).view(shape)


class GaussianPrior(FactorizedGaussian):
    """One Gaussian for a whole tensor."""

    kind: ClassVar[int] = 1

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(tensor)
        self.log2_scale = SideTensor(constant(initial_log2_step(tensor, 0.0)))
        self.mean = SideTensor(constant(0.0))


class DualAxisGaussian(ShortLines, FactorizedGaussian):
    """Means and scales from a row's and a column's parameters (NVRC eqs. 6-7).

    scale = scale_row * scale_column; mean = (mean_row + mean_column) * scale, with both means in units of the
    scale: the paper's second term is already that product, so a column's mean follows its scale as a row's does.
    Lines of fewer than `shortest` elements have none of their own.

    Raises:
        ValueError: `shortest` is out of range.
    """

    kind: ClassVar[int] = 2

    def __init__(self, tensor: Tensor, shortest: int = SHORTEST) -> None:
        super().__init__(tensor, shortest=shortest)
        self.log2_scale = DualAxis(tensor.shape, initial_log2_step(tensor, 0.0), shortest=shortest)
        self.mean = DualAxis(tensor.shape, 0.0, shortest=shortest)
