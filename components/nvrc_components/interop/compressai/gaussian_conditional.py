"""CompressAI's conditional Gaussian on the coder's lattice of scales, with constant tables."""

from collections.abc import Sequence
from typing import NoReturn

import numpy as np
import torch
from compressai.entropy_models import GaussianConditional
from torch import Tensor

from nvrc_components.coding import lattice
from nvrc_components.coding.range_coder import Integers, SymbolDecoder, SymbolEncoder
from nvrc_components.entropy_models.base import coded_bits, snap_log2_scale, symbol_integers
from nvrc_components.errors import InputError
from nvrc_components.functional.exact import exact_exp2
from nvrc_components.interop.compressai.symbols import check_strings, check_symbols


class LatticeGaussianConditional(GaussianConditional):  # type: ignore[misc]  # CompressAI has no types
    """A `GaussianConditional` whose strings, given the scales, mean the same on every machine.

    Values are those of CompressAI, bit for bit: a latent's difference from its mean is rounded, and the mean added
    again. Scales snap to 1/8 octave from 2^-3.25 to 2^8 by comparisons alone, the probabilities are integers from a
    constant table, and whatever a table does not hold is escaped: from scales and symbols to the string there is no
    arithmetic in floating point, and no table to update or to keep with the weights. The scales are a network's,
    though: a decoder on another machine must compute them alike, up to the nearest 1/8 octave.

    State dicts of `GaussianConditional` load; tables in them are not used. Models that code position by position
    with their own coder (`JointAutoregressiveHierarchicalPriors`, `RasterScanLatentCodec`) need CompressAI's tables.

    Args:
        scale_bound: Smaller scales count as this one.
        likelihood_bound: Smaller likelihoods count as this one; the coder's own bound, 2^-27, is above the default.
    """

    def __init__(self, *, scale_bound: float = 0.11, likelihood_bound: float = 1e-9) -> None:
        super().__init__(None, scale_bound=scale_bound, likelihood_bound=likelihood_bound)

    def forward(
        self, inputs: Tensor, scales: Tensor, means: Tensor | None = None, training: bool | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the values, noisy in training and else rounded, and the probabilities that the coder gives them.

        Shape: all broadcast to the inputs'; both results have it.
        """
        noisy = self.training if training is None else training
        values: Tensor = self.quantize(inputs, "noise" if noisy else "dequantize", means)
        residuals = values if means is None else values - means
        bits = coded_bits(residuals.float(), scales.new_zeros(()).float(), self._log2_scale(scales))
        likelihoods = torch.exp2(-bits)
        return values, self.likelihood_lower_bound(likelihoods) if self.use_likelihood_bound else likelihoods

    def build_indexes(self, scales: Tensor) -> Tensor:
        """Return the index of each scale's table, by comparisons with constants.

        Shape: any; the result is int32 of the same shape.
        """
        # Halfway between the table's scales: a multiple of 1/16 octave, whose power of two is a constant.
        halves = torch.arange(lattice.SCALES - 1, device=scales.device) + 0.5
        limits = exact_exp2(halves / lattice.SCALES_PER_OCTAVE + lattice.LOG2_SCALE_MIN)
        bounded: Tensor = self.lower_bound_scale(scales.detach().float())
        return torch.bucketize(bounded, limits, out_int32=True)

    def compress(self, inputs: Tensor, indexes: Tensor, means: Tensor | None = None) -> list[bytes]:
        """Return a string for each latent of the batch.

        Shape: inputs and indexes (B, ...); means broadcast to them.

        Raises:
            ValueError: inputs and indexes differ in shape.
            InputError: a latent is not finite, or beyond 2^40.
        """
        if inputs.shape != indexes.shape:
            raise ValueError(f"indexes are of shape {tuple(indexes.shape)}, the latents of {tuple(inputs.shape)}")
        # On the host first: not every device has float64, and numpy has no bfloat16.
        symbols = torch.round(inputs if means is None else inputs - means).cpu().double()
        check_symbols(symbols)
        return [_encode(symbol_integers(s), _flat(i)) for s, i in zip(symbols, indexes, strict=True)]

    def decompress(
        self,
        strings: Sequence[bytes],
        indexes: Tensor,
        dtype: torch.dtype = torch.float32,
        means: Tensor | None = None,
    ) -> Tensor:
        """Return the values that `forward` gives in evaluation mode: the strings' symbols with the means added.

        Shape: B strings, indexes (B, ...); means broadcast to them; the result has the indexes'.

        Raises:
            ValueError: there is not one string for each latent.
            BitstreamError: a string does not hold its latent.
        """
        check_strings(strings, len(indexes))
        symbols = indexes.new_empty(indexes.shape, dtype=dtype if means is None else means.dtype)
        for number, (string, index) in enumerate(zip(strings, indexes, strict=True)):
            decoded = torch.from_numpy(_decode(string, _flat(index), f"string {number}"))
            symbols[number] = decoded.view(index.shape)
        return symbols if means is None else symbols + means

    def update_scale_table(self, scale_table: Sequence[float], force: bool = False) -> bool:
        """Return False: the scales of the tables are constant."""
        return False

    def update(self) -> bool:
        """Return False: the tables are constant."""
        return False

    @property
    def quantized_cdf(self) -> NoReturn:
        """Not there: constant tables of another coder take its place."""
        raise InputError(
            "LatticeGaussianConditional has no CDF tables: this model codes with CompressAI's coder itself, "
            "position by position; keep its GaussianConditional"
        )

    def _log2_scale(self, scales: Tensor) -> Tensor:
        """Return log2 of the table's scales; gradients pass straight through to the scales."""
        smooth = snap_log2_scale(torch.log2(self.lower_bound_scale(scales.float())))
        coded = self.build_indexes(scales) / lattice.SCALES_PER_OCTAVE + lattice.LOG2_SCALE_MIN
        return smooth + (coded - smooth).detach()


def _flat(indexes: Tensor) -> Integers:
    flat: Integers = indexes.reshape(-1).cpu().numpy().astype(np.int64)
    return flat


def _encode(symbols: Integers, scales: Integers) -> bytes:
    encoder = SymbolEncoder()
    encoder.encode(symbols, np.zeros_like(symbols), scales)
    return encoder.to_bytes()


def _decode(string: bytes, scales: Integers, source: str) -> Integers:
    decoder = SymbolDecoder(string, source)
    symbols = decoder.decode(np.zeros_like(scales), scales)
    decoder.finish()
    return symbols
