"""The only file that knows constriction: Gaussian symbols, given by integer parameters, to bytes and back.

A symbol is coded as its residual from the rounded mean under the constant table of (scale, mean phase). Symbols
that share a table are coded together, so that a call into the coder handles thousands of them. Residuals beyond
the table's reach take an escape symbol and are stored exactly beside the range-coded words.
"""

from collections.abc import Iterator
from functools import cache
from typing import Any, Final

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


def _tables(means: Integers, scales: Integers) -> tuple[Integers, Iterator[tuple[int, int, Integers]]]:
    """Split positions by the table that codes them; yield (scale, phase, positions) in a fixed order."""
    phases = np.where(scales < lattice.COARSE_SCALE, (means + _HALF) % lattice.MEAN_STEPS, _HALF)
    centres = (means + _HALF) // lattice.MEAN_STEPS
    keys = (scales * lattice.MEAN_STEPS + phases).astype(np.int16)
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.diff(ordered, prepend=-1))
    stops = np.append(starts, len(order))[1:]
    groups = (
        (int(ordered[a]) // lattice.MEAN_STEPS, int(ordered[a]) % lattice.MEAN_STEPS - _HALF, order[a:b])
        for a, b in zip(starts, stops, strict=True)
    )
    return centres, groups


class SymbolEncoder:
    """Codes symbols with Gaussian tables into one stream, in call order."""

    def __init__(self) -> None:
        self._coder = constriction.stream.queue.RangeEncoder()
        self._escapes = ByteWriter()

    def encode(self, symbols: Integers, means: Integers, scales: Integers) -> None:
        """Append symbols under N(mean / 16, scale) tables.

        Shape: N symbols, N means (sixteenths of a step), N scale indices.

        Raises:
            OverflowError: a symbol is beyond +-2^40.
        """
        # Not by abs: that of the least integer, which a NaN becomes, is negative.
        if symbols.size and (symbols.max() > LIMIT or symbols.min() < -LIMIT):
            raise OverflowError("a quantised value exceeds 2^40; its quantisation step is far too small")
        centres, groups = _tables(means, scales)
        residuals = symbols - centres
        for scale, phase, positions in groups:
            self._encode_group(residuals[positions], scale, phase)

    def _encode_group(self, residuals: Integers, scale: int, phase: int) -> None:
        reach = lattice.supports()[scale]
        escaped = np.abs(residuals) > reach
        for value in residuals[escaped]:
            self._escapes.svarint(int(value))
        indices = np.where(escaped, 2 * reach + 1, residuals + reach)
        self._coder.encode(indices.astype(np.int32), _model(scale, phase))

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
        centres, groups = _tables(means, scales)
        residuals = np.empty(len(means), dtype=np.int64)
        for scale, phase, positions in groups:
            residuals[positions] = self._decode_group(len(positions), scale, phase)
        return residuals + centres

    def finish(self) -> None:
        """Require that nothing is left.

        Raises:
            BitstreamError: the stream holds more than was decoded.
        """
        self._escapes.finish()
        if not self._coder.maybe_exhausted():
            raise BitstreamError(f"{self._escapes.source}: holds more symbols than the network has parameters")

    def _decode_group(self, count: int, scale: int, phase: int) -> Integers:
        reach = lattice.supports()[scale]
        try:
            indices = self._coder.decode(_model(scale, phase), count).astype(np.int64)
        except AssertionError as error:
            raise BitstreamError(f"{self._escapes.source}: corrupted: no symbol matches its bits") from error
        residuals: Integers = indices - reach
        for position in np.flatnonzero(indices == 2 * reach + 1):
            residuals[position] = self._escapes.svarint("escaped symbol", -_ESCAPE_LIMIT, _ESCAPE_LIMIT)
        return residuals
