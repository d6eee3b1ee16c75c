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

    Means are rounded to integers, because the coder rounds residuals. `in_steps` as for the package's own Gaussian.
    """

    name = "CompressAI GaussianConditional, rANS"
    label = "CompressAI"

    def __init__(self, in_steps: bool) -> None:
        self.in_steps = in_steps
        self.model: Any = GaussianConditional(None).eval()
        self.model.update_scale_table(get_scale_table())
        self.parameters: list[tuple[Tensor, Tensor]] = []

    def fit(self, items: Sequence[SymbolTensor], sample: Sequence[SymbolTensor]) -> None:
        """Find each tensor's mean and scale."""
        self.parameters = [self._best(item) for item in items]

    def encode(self, items: Sequence[SymbolTensor]) -> list[bytes]:
        """Return a string for each tensor."""
        streams = []
        for item, parameters in zip(items, self.parameters, strict=True):
            blank = Blank(item.symbols.shape, item.log2_step)
            streams += self.model.compress(item.symbols.view(1, 1, -1), *self._coded(blank, parameters))
        return streams

    def decode(self, blanks: Sequence[Blank], streams: Sequence[bytes]) -> list[Tensor]:
        """Return the symbols."""
        result = []
        for blank, parameters, stream in zip(blanks, self.parameters, streams, strict=True):
            indexes, means = self._coded(blank, parameters)
            result.append(self.model.decompress([stream], indexes, torch.float32, means).view(blank.shape))
        return result

    def side_bytes(self) -> int:
        """Return two float32 numbers for each tensor."""
        return 2 * _FLOAT32 * len(self.parameters)

    def estimated_bytes(self, items: Sequence[SymbolTensor]) -> float:
        """Return what the likelihoods of the coded scales say."""
        return sum(self._bits(item, *pair) for item, pair in zip(items, self.parameters, strict=True)) / 8

    def _units(self, log2_step: Tensor) -> Tensor:
        """What turns a mean or scale into steps."""
        return torch.ones(()) if self.in_steps else torch.exp2(-log2_step)

    def _coded(self, blank: Blank, parameters: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Scale indices and means as the coder wants them: one for each symbol."""
        mean, scale = (parameter * self._units(blank.log2_step) for parameter in parameters)
        indexes, means = self.model.build_indexes(scale), mean.round()
        return indexes.expand(blank.shape).reshape(1, 1, -1), means.expand(blank.shape).reshape(1, 1, -1)

    def _bits(self, item: SymbolTensor, mean: Tensor, scale: Tensor) -> float:
        indexes, means = self._coded(Blank(item.symbols.shape, item.log2_step), (mean, scale))
        likelihoods = self.model(item.symbols.view(1, 1, -1), self.model.scale_table[indexes.long()], means)[1]
        return -float(likelihoods.double().log2().sum())

    def _best(self, item: SymbolTensor) -> tuple[Tensor, Tensor]:
        """Try scales 1/32 octave apart around the deviation, with and without a mean."""
        values = item.symbols / self._units(item.log2_step)
        middle, deviation = values.mean(), values.std().nan_to_num().clamp_min(1e-6)
        scales = deviation * torch.exp2(torch.arange(-32, 33) / 32)
        pairs = [(mean, scale) for mean in (middle, torch.zeros(())) for scale in scales]
        return min(pairs, key=lambda pair: self._bits(item, *pair))


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
