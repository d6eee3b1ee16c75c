"""The lower half of a second decoder, written from docs/bitstream.md: tables, range coder, section SIDE."""

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction
from itertools import accumulate
from math import ceil, prod

import numpy as np

PARITIES = [(0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)]


def scale_index(log2_scale):
    return round(8 * min(max(log2_scale, Fraction(-13, 4)), Fraction(8))) + 26


class Tables:
    """The constant tables by (scale, phase), and powers of two as exact fractions."""

    def __init__(self, path):
        data = np.load(path)
        support, gaussian, start = data["support"].tolist(), data["gaussian"].tolist(), 0
        self.reach, self.sums = support, {}
        for scale in range(91):
            for phase in range(-8, 8) if scale < 50 else (0,):
                stop = start + 2 * support[scale] + 2
                self.sums[scale, phase] = [0, *accumulate(gaussian[start:stop])]
                start = stop
        pairs = zip(data["power_mantissa"].tolist(), data["power_exponent"].tolist(), strict=True)
        self.powers = [Fraction(mantissa) * Fraction(2) ** exponent for mantissa, exponent in pairs]
        self.magnitude = data["magnitude"].tolist()

    def power(self, log2):
        return self.powers[max(-1024, min(1024, int(log2 * 64))) + 1024]


class Numbers:
    """Variable-length integers."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def unsigned(self):
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def signed(self):
        value = self.unsigned()
        return value >> 1 if value % 2 == 0 else -(value >> 1) - 1


class Stream:
    def __init__(self, tables, data):
        self.tables, numbers = tables, Numbers(data)
        length = numbers.unsigned()
        self.escapes = Numbers(data[numbers.at : numbers.at + length])
        words = data[numbers.at + length :]
        words += bytes(-len(words) % 4)
        self.words = [int.from_bytes(words[i : i + 4], "little") for i in range(0, len(words), 4)]
        self.low, self.range = 0, 2**64 - 1
        self.point = self.word() << 32 | self.word()

    def word(self):
        return self.words.pop(0) if self.words else 0

    def call(self, means: Sequence[int], scales: Sequence[int]) -> list[int]:
        centres = [(mean + 8) // 16 for mean in means]
        keys = [
            (scale, mean - 16 * centre if scale < 50 else 0, position)
            for position, (mean, centre, scale) in enumerate(zip(means, centres, scales, strict=True))
        ]
        result = [0] * len(means)
        for scale, phase, position in sorted(keys):
            result[position] = centres[position] + self.residual(scale, phase)
        return result

    def residual(self, scale, phase):
        sums, share = self.tables.sums[scale, phase], self.range >> 24
        quantile = (self.point - self.low) % 2**64 // share
        assert quantile < 2**24
        index = bisect_right(sums, quantile) - 1
        self.low = (self.low + share * sums[index]) % 2**64
        self.range = share * (sums[index + 1] - sums[index])
        if self.range < 2**32:
            self.low, self.range = (self.low << 32) % 2**64, self.range << 32
            self.point = (self.point << 32) % 2**64 | self.word()
        reach = self.tables.reach[scale]
        return self.escapes.signed() if index == 2 * reach + 1 else index - reach


class Side:
    """Section SIDE, tensor by tensor."""

    def __init__(self, tables, data):
        numbers = Numbers(data)
        length = numbers.unsigned()
        self.tables = tables
        self.psi = Numbers(data[numbers.at : numbers.at + length])
        self.stream = Stream(tables, data[numbers.at + length :])

    def read(self, *shape: int, limit: int = 16) -> np.ndarray:
        count = prod(shape)
        if count == 1:
            step, symbols = Fraction(1, 8), [self.psi.signed()]
        else:
            step = Fraction(round(64 * self.tables.power(Fraction(-self.psi.unsigned(), 8))), 64)
            mean, scale = self.psi.signed(), self.psi.unsigned()
            symbols = self.stream.call([mean] * count, [scale] * count)
        most = round(limit / step)
        values = np.empty(count, dtype=object)
        values[:] = [max(-most, min(most, symbol)) * step for symbol in symbols]
        return values.reshape(shape)

    def dual_axis(self, shape: Sequence[int], configuration: Sequence[int] = ()) -> list[np.ndarray]:
        shortest = configuration[0] if configuration else 128
        rows = shape[0] if shape else 1
        columns = prod(shape) // rows
        parts = []
        if columns >= shortest:
            parts.append(self.read(rows).reshape(-1, *[1] * (len(shape) - 1)))
        if rows >= shortest:
            parts.append(self.read(columns).reshape(1, *shape[1:]))
        return parts or [self.read()]

    def quantizer(self, kind, configuration, shape):
        """Return log2 of the steps, and the steps."""
        if kind == 2:
            parts = self.dual_axis(shape, configuration)
        else:
            parts = [self.blocks(configuration, shape) if kind == 3 else self.read()]
        return sum(parts), prod(np.vectorize(self.tables.power, otypes=[object])(part) for part in parts)

    def blocks(self, block, shape):
        counts = [ceil(n / b) for n, b in zip((shape[0], *shape[2:]), block, strict=True)]
        whole = self.read(counts[0], shape[1], *counts[1:])
        for axis, size in zip((0, 2, 3), block, strict=True):
            whole = whole.repeat(size, axis)
        return whole[: shape[0], :, : shape[2], : shape[3]]
