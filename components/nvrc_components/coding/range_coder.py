"""The only file that knows constriction: Gaussian symbols, given by integer parameters, to bytes and back.

A symbol is coded as its residual from the rounded mean under the constant table of (scale, mean phase). Symbols
that share a table are coded together, so that a call into the coder handles thousands of them. Residuals beyond
the table's reach take an escape symbol and are stored exactly beside the range-coded words.
"""

from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from typing import Any, Final, NamedTuple

import constriction
import numpy as np
from numpy.typing import NDArray

from nvrc_components.coding import lattice
from nvrc_components.coding.varint import ByteReader, ByteWriter
from nvrc_components.errors import BitstreamError

Integers = NDArray[np.int64]
_HALF = lattice.MEAN_STEPS // 2
LIMIT: Final = 1 << 40
"""Symbols go from -LIMIT to LIMIT."""

_ESCAPE_LIMIT = 2 * LIMIT


@cache
def _model(scale_index: int, phase: int) -> Any:
    # Counts less one, as exact float64 integers: constriction gives every symbol one count and scales the rest
    # by (2^24 - n) / sum, which is exactly 1 here, so the coder works with the shipped integers themselves.
    counts = lattice.gaussian_counts(scale_index, phase).astype(np.float64) - 1
    return constriction.stream.model.Categorical(counts, perfect=False)


class _Calls(NamedTuple):
    """Symbols in coding order: call after call, in each those that share a table together.

    Shape: order (N,), the positions of symbols as given; centres and reaches (N,), each symbol's rounded mean and the
    largest residual of its table, in coding order; runs (scale, phase, start, stop) of symbols with one table.
    """

    order: Integers
    centres: Integers
    reaches: Integers
    runs: list[tuple[int, int, int, int]]


def _calls(means: Integers, scales: Integers, sizes: Sequence[int] = ()) -> _Calls:
    shifted = means + _HALF
    phases = np.where(scales < lattice.COARSE_SCALE, shifted & (lattice.MEAN_STEPS - 1), _HALF)
    keys = (scales * lattice.MEAN_STEPS + phases).astype(np.int16)
    order = np.argsort(keys, kind="stable")  # of 16 bits, which are sorted by radix
    if len(sizes):
        numbers = np.repeat(np.arange(len(sizes), dtype=np.int16), sizes)
        order = order[np.argsort(numbers[order], kind="stable")]
    ordered = keys[order]
    changes = ordered[1:] != ordered[:-1]
    if len(sizes):
        changes |= numbers[1:] != numbers[:-1]  # which rise
    starts = [0, *(np.flatnonzero(changes) + 1).tolist()] if len(order) else []
    tables = ordered[starts].tolist()
    runs = [
        (key // lattice.MEAN_STEPS, key % lattice.MEAN_STEPS - _HALF, start, stop)
        for key, (start, stop) in zip(tables, pairwise([*starts, len(order)]), strict=True)
    ]
    centres = shifted // lattice.MEAN_STEPS
    return _Calls(order, centres[order], _reaches()[ordered // lattice.MEAN_STEPS], runs)


@cache
def _reaches() -> Integers:
    return np.array(lattice.supports(), dtype=np.int64)


class SymbolEncoder:
    """Codes symbols with Gaussian tables into one stream, in call order."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()
        self._escapes = ByteWriter()

    def encode(self, symbols: Integers, means: Integers, scales: Integers, sizes: Sequence[int] = ()) -> None:
        """Append symbols under N(mean / 16, scale) tables.

        Shape: N symbols, N means (sixteenths of a step), N scale indices. `sizes` sum to N where the decoder is going
        to ask for them in several calls, 2^15 at most.

        Raises:
            OverflowError: a symbol is beyond +-2^40.
        """
        # Not by abs: that of the least integer, which a NaN becomes, is negative.
        if symbols.size and (symbols.max() > LIMIT or symbols.min() < -LIMIT):
            raise OverflowError("a quantised value exceeds 2^40; its quantisation step is far too small")
        calls = _calls(means, scales, sizes)
        residuals = symbols[calls.order] - calls.centres
        escaped = np.abs(residuals) > calls.reaches
        for value in residuals[escaped].tolist():
            self._escapes.svarint(value)
        indices = (np.where(escaped, calls.reaches + 1, residuals) + calls.reaches).astype(np.int32)
        for scale, phase, start, stop in calls.runs:
            self._coder.encode(indices[start:stop], _model(scale, phase))

    def to_bytes(self) -> bytes:
        """Return the stream: escapes with their length, then the range coder's little-endian words."""
        writer = ByteWriter()
        escapes = self._escapes.to_bytes()
        writer.uvarint(len(escapes))
        # Trailing zero bytes carry nothing: the decoder reads zeros past the end.
        words: bytes = self._coder.get_compressed().astype("<u4").tobytes().rstrip(b"\0")
        return writer.to_bytes() + escapes + words


class SymbolDecoder:
    """Reads back, call by call, what a `SymbolEncoder` wrote; messages start with `source`.

    Raises:
        BitstreamError: the stream ends before its escapes do.
    """

    def __init__(self, data: bytes, source: str = "parameter stream") -> None:
        reader = ByteReader(data, source)
        self._escapes = ByteReader(reader.bytes(reader.uvarint("escape length"), "escapes"), source)
        words = reader.rest()
        words += b"\0" * (-len(words) % 4)
        self._coder = constriction.stream.queue.RangeDecoder(np.frombuffer(words, dtype="<u4").astype(np.uint32))

    def decode(self, means: Integers, scales: Integers) -> Integers:
        """Return the next symbols, given the parameters they were coded with.

        Shape: N means (sixteenths of a step), N scale indices -> N symbols.

        Raises:
            BitstreamError: the stream does not hold them.
        """
        calls = _calls(means, scales)
        indices = np.empty(len(means), dtype=np.int32)
        try:
            for scale, phase, start, stop in calls.runs:
                indices[start:stop] = self._coder.decode(_model(scale, phase), stop - start)
        except AssertionError as error:
            raise BitstreamError(f"{self._escapes.source}: corrupted: no symbol matches its bits") from error
        residuals = indices - calls.reaches
        for position in np.flatnonzero(residuals > calls.reaches):
            residuals[position] = self._escapes.svarint("escaped symbol", -_ESCAPE_LIMIT, _ESCAPE_LIMIT)
        symbols = np.empty_like(residuals)
        symbols[calls.order] = residuals + calls.centres
        return symbols

    def finish(self) -> None:
        """Require that nothing is left.

        Raises:
            BitstreamError: the stream holds more than was decoded.
        """
        self._escapes.finish()
        if not self._coder.maybe_exhausted():
            raise BitstreamError(f"{self._escapes.source}: holds more symbols than the network has parameters")
