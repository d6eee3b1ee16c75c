"""A second decoder, from bytes to symbols, written from docs/bitstream.md with plain integers and no shared code."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import accumulate, product
from math import ceil, prod

import numpy as np

PARITIES = [(0, 0, 1), (0, 1, 0), (0, 1, 1), (1, 0, 0), (1, 0, 1), (1, 1, 0), (1, 1, 1)]


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

    def dual_axis(self, shape: Sequence[int]) -> list[np.ndarray]:
        rows = shape[0] if shape else 1
        columns = prod(shape) // rows
        parts = []
        if columns >= 128:
            parts.append(self.read(rows).reshape(-1, *[1] * (len(shape) - 1)))
        if rows >= 128:
            parts.append(self.read(columns).reshape(1, *shape[1:]))
        return parts or [self.read()]

    def quantizer(self, kind, block, shape):
        """Return log2 of the steps."""
        if kind == 1:
            return self.read()
        if kind == 2:
            return sum(self.dual_axis(shape))
        counts = [ceil(n / b) for n, b in zip((shape[0], *shape[2:]), block, strict=True)]
        whole = self.read(counts[0], shape[1], *counts[1:])
        for axis, size in zip((0, 2, 3), block, strict=True):
            whole = whole.repeat(size, axis)
        return whole[: shape[0], :, : shape[2], : shape[3]]


def scale_index(log2_scale):
    return round(8 * min(max(log2_scale, Fraction(-13, 4)), Fraction(8))) + 26


class Gaussian:
    def __init__(self, side, kind, shape):
        self.tables, self.shape = side.tables, shape
        self.log2_scale, self.mean = (side.read() if kind == 1 else sum(side.dual_axis(shape)) for _ in range(2))

    def symbols(self, stream, log2_step):
        ratio = np.broadcast_to(self.log2_scale - log2_step, self.shape).flatten()
        mean = np.broadcast_to(self.mean, self.shape).flatten()
        means = [round(16 * m * self.tables.power(a)) for m, a in zip(mean, ratio, strict=True)]
        return np.array(stream.call(means, [scale_index(a) for a in ratio]), dtype=object).reshape(self.shape)


def groups(passes):
    ranked = sorted(PARITIES, key=lambda p: (sum(p), p))
    return {p: {4: 1, 10: sum(p), 22: ranked.index(p)}[passes] for p in PARITIES} | {(0, 0, 0): -1}


def taps(parity, passes) -> list[list[tuple[int, int, int]]]:
    """Return the offsets of a phase, class by class."""
    group, classes = groups(passes), {}
    for offset in product(range(-2, 3), repeat=3):
        seen = tuple((p + o) % 2 for p, o in zip(parity, offset, strict=True))
        if group[seen] < group[parity]:
            classes.setdefault(tuple(map(abs, offset)), []).append(offset)
    chosen = []
    for key in sorted(classes, key=lambda c: (sum(n * n for n in c), c)):
        if sum(map(len, chosen)) + len(classes[key]) > 26:
            break
        chosen.append(classes[key])
    return chosen


class Octree:
    def __init__(self, side, configuration, shape):
        *block, self.passes, width = configuration
        if width == -1:
            width = 0 if prod(shape) < 2**14 else 4 if prod(shape) < 2**17 else 8
        self.shape, self.width, self.magnitude = shape, width, side.tables.magnitude
        self.block = [min(b, n) for b, n in zip(block, (shape[0], *shape[2:]), strict=True)]
        self.taps = [taps(parity, self.passes) for parity in PARITIES]
        starts = [0, *accumulate(map(len, self.taps))]
        self.starts, channels = starts, shape[1]
        self.root = side.read(channels), side.read(channels)
        self.w, self.u = side.read(starts[-1], limit=4), side.read(starts[-1], limit=4)
        self.b = side.read(21, channels)
        if width:
            self.v, self.f = side.read(starts[-1], width, limit=4), side.read(7, width)
            self.o = side.read(7, width, limit=4)

    def blocks(self) -> list[tuple[int, int, int]]:
        sizes = self.shape[0], *self.shape[2:]
        return list(product(*(range(0, n, b) for n, b in zip(sizes, self.block, strict=True))))

    def calls(self) -> Iterator[list[tuple[int, int, tuple[int, int, int]]]]:
        """Yield for each pass (parity number or -1, level, position in a block)."""
        yield [(-1, 0, position) for position in product(*(range(0, n, 8) for n in self.block))]
        group = groups(self.passes)
        for level, stride in enumerate((4, 2, 1)):
            for number in sorted(set(group.values()) - {-1}):
                members = []
                for index, parity in enumerate(PARITIES):
                    if group[parity] == number:
                        axes = (range(stride * p, n, 2 * stride) for p, n in zip(parity, self.block, strict=True))
                        members += [(index, level, position) for position in product(*axes)]
                if members:
                    yield members

    def symbols(self, stream, log2_step):
        grid = np.zeros(self.shape, dtype=object)
        for members in self.calls():
            wanted, means, scales = [], [], []
            for (index, level, inner), corner, channel in product(members, self.blocks(), range(self.shape[1])):
                t, h, w = (i + c for i, c in zip(inner, corner, strict=True))
                if t < self.shape[0] and h < self.shape[2] and w < self.shape[3]:
                    mean, log2_scale = self.predict(grid, index, level, inner, corner, channel)
                    wanted.append((t, channel, h, w))
                    means.append(round(16 * mean))
                    scales.append(scale_index(log2_scale))
            for where, symbol in zip(wanted, stream.call(means, scales), strict=True):
                grid[where] = symbol
        return grid

    def predict(self, grid, index, level, inner, corner, channel):
        if index < 0:
            return self.root[0][channel], self.root[1][channel]
        stride, mean, log2_scale = (4, 2, 1)[level], 0, self.b[7 * level + index, channel]
        hidden = list(self.f[index]) if self.width else []
        for place, offsets in enumerate(self.taps[index], self.starts[index]):
            for offset in offsets:
                symbol = self.tap(grid, [i + stride * o for i, o in zip(inner, offset, strict=True)], corner, channel)
                if symbol:
                    symbol = max(-127, min(127, symbol))
                    size = Fraction(self.magnitude[abs(symbol)], 16)
                    mean += self.w[place] * symbol
                    log2_scale += self.u[place] * size
                    hidden = [h + v * size for h, v in zip(hidden, self.v[place] if self.width else [], strict=True)]
        for unit, value in enumerate(hidden):
            active = min(max(Fraction(round(16 * value), 16), 0), Fraction(2047, 16))
            log2_scale += self.o[index, unit] * active
        return mean, log2_scale

    def tap(self, grid, inner, corner, channel):
        t, h, w = (i + c for i, c in zip(inner, corner, strict=True))
        inside = all(0 <= i < b for i, b in zip(inner, self.block, strict=True))
        return grid[t, channel, h, w] if inside and t < len(grid) and h < grid.shape[2] and w < grid.shape[3] else 0


def decode(tables, side_section, sections, parameters) -> Iterator[np.ndarray]:
    """Yield the symbols of every parameter.

    `sections` holds the groups' payloads; `parameters` lists (shape, group, quantizer kind, its configuration,
    entropy model kind, its configuration).
    """
    side, plans = Side(tables, side_section), []
    streams = {name: Stream(tables, payload) for name, payload in sections.items()}
    for shape, group, quantizer, block, model, configuration in parameters:
        log2_step = side.quantizer(quantizer, block, shape)
        coder = Octree(side, configuration, shape) if model == 3 else Gaussian(side, model, shape)
        plans.append((group, coder, log2_step))
    for group, coder, log2_step in plans:
        yield coder.symbols(streams[group], log2_step)
