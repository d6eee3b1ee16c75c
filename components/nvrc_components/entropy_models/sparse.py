"""A zero-inflated Gaussian for pruned tensors: which symbols are zero comes first, then the values of the others."""

import math
from typing import ClassVar

import torch
from torch import Tensor

from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.entropy_models.base import (
    EntropyModel,
    coded_bits,
    mean_integers,
    scale_indices,
    symbol_integers,
)
from nvrc_components.entropy_models.gaussian import DualAxisGaussian, FactorizedGaussian
from nvrc_components.quantizers.base import constant
from nvrc_components.side import SideTensor


class ZeroFlag(FactorizedGaussian):
    """A coin for a tensor: a Gaussian so narrow that only 0 and 1 have mass.

    Mean and scale together come within 1 % of the entropy of coins that give either side in 2 % of all throws or more.
    """

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(tensor)
        share = (tensor.detach() == 0).double().sum() / max(tensor.numel(), 1)
        # The share is what lies beyond 1/2: z scales from the mean, which is to be a multiple of 1/16.
        z = float(torch.special.ndtri(share.clamp(1e-3, 1 - 1e-3)))
        sixteenths = max(1, round(2 * abs(z))) if abs(z) > 1 / 8 else 0
        log2_scale = min(round(8 * math.log2(max(sixteenths, 1) / 16 / max(abs(z), 1 / 8))) / 8, -2.0)
        self.log2_scale = SideTensor(constant(log2_scale))
        self.mean = SideTensor(constant((0.5 + math.copysign(sixteenths / 16, z)) / 2**log2_scale))


class ZeroInflatedGaussian(EntropyModel):
    """A flag says which symbols are zero, a dual-axis Gaussian what the others are.

    No mass is left for zero among the values: positive ones are coded less one, with means half a step lower.
    """

    kind: ClassVar[int] = 5

    def __init__(self, tensor: Tensor) -> None:
        super().__init__(tensor)
        self.zero = ZeroFlag(tensor)
        self.value = DualAxisGaussian(tensor)

    def symbol_bits(self, symbols: Tensor, log2_step: Tensor) -> Tensor:
        """Return the bits of each symbol: its flag's, and its value's unless it rounds to zero."""
        zeros = symbols.detach().round() == 0
        flags = self.zero.symbol_bits(zeros.float(), log2_step.new_zeros(()))
        values = coded_bits(symbols - (symbols > 0).float(), *self._distribution(log2_step))
        return flags + values.masked_fill(zeros, 0.0)

    def encode(self, symbols: Tensor, log2_step: Tensor, encoder: SymbolEncoder) -> None:
        """Append the flags, then the values."""
        zeros = symbols == 0
        self.zero.encode(zeros.float(), log2_step.new_zeros(()), encoder)
        mean, log2_scale = self._distribution(log2_step)
        kept = (~zeros).flatten().cpu().numpy()
        values = symbol_integers(symbols)[kept]  # integers: a float of 2^24 or more less one is not exact
        shape = symbols.shape
        encoder.encode(values - (values > 0), mean_integers(mean, shape)[kept], scale_indices(log2_scale, shape)[kept])

    def decode(self, shape: torch.Size, log2_step: Tensor, decoder: SymbolDecoder) -> Tensor:
        """Return the symbols that `encode` appended."""
        flags = self.zero.decode(shape, log2_step.new_zeros(()), decoder)
        mean, log2_scale = self._distribution(log2_step)
        kept = (flags == 0).flatten().cpu().numpy()
        coded = decoder.decode(mean_integers(mean, shape)[kept], scale_indices(log2_scale, shape)[kept])
        values = torch.from_numpy(coded + (coded >= 0)).to(flags)
        return torch.zeros_like(flags).masked_scatter(flags == 0, values)

    def _distribution(self, log2_step: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and log2-scale of the coded values, on the coder's lattices, broadcastable to the tensor."""
        mean, log2_scale = self.value.distribution(log2_step)
        return mean - 0.5, log2_scale
