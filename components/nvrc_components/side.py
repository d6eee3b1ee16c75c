"""Side information phi: the parameters of quantisers and entropy models, themselves quantised and entropy coded.

Hierarchy of the NVRC paper (section 3.2): theta, the representation's parameters, is coded with the help of phi,
which is coded with the help of psi. The paper stores psi as floats; here it is three small integers per tensor,
smaller and exact on every machine: log2 of phi's step in 1/8, the mean of its symbols in 1/16, their scale's index.
"""

from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from nvrc_components.coding import lattice
from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.coding.varint import ByteReader, ByteWriter
from nvrc_components.functional import gaussian_bits, lower_bound, round_straight_through, upper_bound
from nvrc_components.functional.exact import exact_exp2

_FINEST: Final = 6
_PER_OCTAVE: Final = 8


class SideTensor(nn.Module):
    """A small tensor on the 1/64 lattice with a learned step and a Gaussian fitted to its own symbols.

    Shape: any; one element is stored as a plain integer without psi.
    """

    log2_scale: Tensor

    def __init__(self, initial: Tensor, *, step: float = 0.125, limit: float = 16.0) -> None:
        super().__init__()
        self.limit = limit
        self.value = nn.Parameter(initial.detach().clone().float())
        self.log2_step = nn.Parameter(torch.tensor(step).log2(), requires_grad=initial.numel() > 1)

    def forward(self) -> Tensor:
        """Return the quantised values, exact multiples of 1/64; gradients pass straight through."""
        return self._symbols() * (self._step() / lattice.SIDE_STEPS)

    def bits(self) -> Tensor:
        """Return the bits to code these values, psi included.

        Shape: scalar, bits.
        """
        symbols = self._symbols()
        if symbols.numel() == 1:
            return symbols.new_tensor(_svarint_bits(int(symbols)))
        mean, scale = _fit(symbols.detach())
        log2_scale = symbols.new_tensor(scale / lattice.SCALES_PER_OCTAVE + lattice.LOG2_SCALE_MIN)
        mean_tensor = symbols.new_tensor(mean / lattice.MEAN_STEPS)
        return gaussian_bits(symbols, mean_tensor, log2_scale).sum() + 16 + _svarint_bits(mean)

    def encode(self, psi: ByteWriter, encoder: SymbolEncoder) -> None:
        """Append psi and the symbols."""
        symbols = self._symbols().detach().flatten()
        integers = symbols.cpu().numpy().astype(np.int64)
        if integers.size == 1:
            psi.svarint(int(integers[0]))
            return
        psi.uvarint(-int(self._log2_step() * _PER_OCTAVE))
        mean, scale = _fit(symbols)
        psi.svarint(mean)
        psi.uvarint(scale)
        encoder.encode(integers, np.full(integers.size, mean), np.full(integers.size, scale))

    @torch.no_grad()
    def decode(self, psi: ByteReader, decoder: SymbolDecoder) -> None:
        """Read psi and the symbols back, so that `forward` gives what the encoder's gave.

        Raises:
            BitstreamError: an integer of psi is out of its range.
        """
        count = self.value.numel()
        if count == 1:
            symbols = np.array([psi.svarint("side value")])
        else:
            self.log2_step.fill_(psi.uvarint("side step", 0, _FINEST * _PER_OCTAVE) / -_PER_OCTAVE)
            mean = psi.svarint("side mean", -(1 << 24), 1 << 24)
            scale = psi.uvarint("side scale", 0, lattice.SCALES - 1)
            symbols = decoder.decode(np.full(count, mean), np.full(count, scale))
        values = torch.from_numpy((symbols * int(self._step())).astype(np.float32) / lattice.SIDE_STEPS)
        self.value.copy_(values.view_as(self.value))

    def _log2_step(self) -> Tensor:
        bounded = upper_bound(lower_bound(self.log2_step, -float(_FINEST)), 0.0)
        return round_straight_through(bounded * _PER_OCTAVE) / _PER_OCTAVE

    def _step(self) -> Tensor:
        """Return the step in 1/64, an integer from 1 to 64."""
        return round_straight_through(exact_exp2(self._log2_step()) * lattice.SIDE_STEPS)

    def _symbols(self) -> Tensor:
        clipped = upper_bound(lower_bound(self.value, -self.limit), self.limit)
        return round_straight_through(clipped * lattice.SIDE_STEPS / self._step())


def _fit(symbols: Tensor) -> tuple[int, int]:
    """Return mean (sixteenths) and scale index of the Gaussian that fits the symbols."""
    mean = round(float(symbols.mean()) * lattice.MEAN_STEPS)
    spread = float((symbols - mean / lattice.MEAN_STEPS).square().mean().clamp_min(1e-4).sqrt().log2())
    index = round((spread - lattice.LOG2_SCALE_MIN) * lattice.SCALES_PER_OCTAVE)
    return mean, min(max(index, 0), lattice.SCALES - 1)


def _svarint_bits(value: int) -> int:
    """Return the bits of a zigzag variable-length integer: seven to a byte."""
    return 8 * max(1, -(-((value << 1) ^ (value >> 63)).bit_length() // 7))
