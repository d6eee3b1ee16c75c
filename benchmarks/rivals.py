"""Other people's entropy coders, used as their users do: CompressAI's rANS, and torchac in the manner of HiNeRV.

Both are given what speaks for them: frequencies are counted and scale indices found once a tensor, and no check of
the input runs on the clock.
"""

from collections.abc import Sequence
from typing import Any

import torch
import torchac
from coders import Blank
from compressai.entropy_models import GaussianConditional
from compressai.models.google import get_scale_table
from symbols import SymbolTensor
from torch import Tensor

_INT32 = _FLOAT32 = 4


class CompressAiGaussian:
    """`GaussianConditional` with its 64 default scales: one Gaussian and one rANS string a tensor.

    Its mean is an integer, because the coder rounds residuals; mean and scale are the best of all there are.
    """

    name = "CompressAI GaussianConditional, rANS"
    label = "CompressAI"

    def __init__(self) -> None:
        self.model: Any = GaussianConditional(None).eval()
        self.model.update_scale_table(get_scale_table())
        self.parameters: list[tuple[Tensor, Tensor]] = []

    def fit(self, items: Sequence[SymbolTensor], sample: Sequence[SymbolTensor]) -> None:
        """Find each tensor's mean and scale."""
        self.parameters = [self._best(item.symbols) for item in items]

    def encode(self, items: Sequence[SymbolTensor]) -> list[bytes]:
        """Return a string for each tensor."""
        streams = []
        for item, (mean, scale) in zip(items, self.parameters, strict=True):
            inputs = item.symbols.view(1, 1, -1)
            indexes = self.model.build_indexes(scale).expand_as(inputs)
            streams += self.model.compress(inputs, indexes, mean)
        return streams

    def decode(self, blanks: Sequence[Blank], streams: Sequence[bytes]) -> list[Tensor]:
        """Return the symbols."""
        result = []
        for blank, (mean, scale), stream in zip(blanks, self.parameters, streams, strict=True):
            indexes = self.model.build_indexes(scale).expand(1, 1, blank.shape.numel())
            result.append(self.model.decompress([stream], indexes, torch.float32, mean).view(blank.shape))
        return result

    def side_bytes(self) -> int:
        """Return two bytes for a mean and one for a scale's index, each tensor."""
        return 3 * len(self.parameters)

    def estimated_bytes(self, items: Sequence[SymbolTensor]) -> float:
        """Return what the likelihoods say."""
        bits = 0.0
        for item, (mean, scale) in zip(items, self.parameters, strict=True):
            bits -= float(self.model(item.symbols.view(1, 1, -1), scale, mean)[1].double().log2().sum())
        return bits / 8

    def _best(self, symbols: Tensor) -> tuple[Tensor, Tensor]:
        values, counts = symbols.unique(return_counts=True)
        scales = self.model.scale_table.view(-1, 1, 1)
        middle = symbols.double().mean().float()
        best = []
        for mean in (middle.floor().view(1, 1, 1), middle.ceil().view(1, 1, 1)):
            likelihoods = self.model(values.expand(len(scales), 1, -1), scales, mean)[1]
            bits = -(likelihoods.log2() * counts).sum((1, 2))
            best.append((float(bits.min()), mean, scales[bits.argmin()].view(1, 1, 1)))
        _, mean, scale = min(best, key=lambda entry: entry[0])
        return mean, scale


class TorchacFrequencies:
    """torchac as HiNeRV's official code uses it: a tensor's symbol frequencies, one table repeated for every symbol.

    Side bytes, as HiNeRV keeps them: the symbols' values (int32), their cumulative frequencies (float32), the least
    symbol (int32) of each tensor; its pickle and zip framing is left out.
    """

    name = "torchac, static frequencies (as HiNeRV)"
    label = "torchac"

    def __init__(self) -> None:
        self.tables: list[tuple[Tensor, Tensor]] = []

    def fit(self, items: Sequence[SymbolTensor], sample: Sequence[SymbolTensor]) -> None:
        """Nothing: frequencies are counted while encoding."""

    def encode(self, items: Sequence[SymbolTensor]) -> list[bytes]:
        """Return a stream for each tensor."""
        self.tables, streams = [], []
        for item in items:
            values, places, counts = item.symbols.flatten().int().unique(return_inverse=True, return_counts=True)
            table = torch.cat([counts.new_zeros(1), counts.cumsum(0)]) / counts.sum()
            self.tables.append((values, table))
            streams.append(torchac.encode_float_cdf(table.repeat(len(places), 1), places.short()))
        return streams

    def decode(self, blanks: Sequence[Blank], streams: Sequence[bytes]) -> list[Tensor]:
        """Return the symbols."""
        result = []
        for blank, (values, table), stream in zip(blanks, self.tables, streams, strict=True):
            places = torchac.decode_float_cdf(table.repeat(blank.shape.numel(), 1), stream)
            result.append(values[places.int()].view(blank.shape).float())
        return result

    def side_bytes(self) -> int:
        """Return the bytes of values, frequencies and least symbols."""
        return sum(_INT32 * len(values) + _FLOAT32 * len(table) + _INT32 for values, table in self.tables)

    def estimated_bytes(self, items: Sequence[SymbolTensor]) -> float:
        """Return the symbols' empirical entropy."""
        bits = 0.0
        for item in items:
            counts = item.symbols.unique(return_counts=True)[1].double()
            bits -= float((counts * (counts / counts.sum()).log2()).sum())
        return bits / 8
