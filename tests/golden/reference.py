"""A second decoder, from bytes to symbols, written from docs/bitstream.md with plain integers and no shared code."""

from collections.abc import Iterator
from fractions import Fraction
from itertools import accumulate, product
from math import prod

import numpy as np

from tests.golden.reference_masked import MaskedConv3d
from tests.golden.reference_stream import PARITIES, Side, Stream, Tables, scale_index

__all__ = ["Tables", "decode"]


class Gaussian:
    def __init__(self, side, kind, configuration, shape):
        self.tables, self.shape = side.tables, shape
        parts = ([side.read()] if kind == 1 else side.dual_axis(shape, configuration) for _ in range(2))
        self.log2_scale, self.mean = map(sum, parts)

    def distribution(self, log2_step):
        ratio = np.broadcast_to(self.log2_scale - log2_step, self.shape).flatten()
        mean = np.broadcast_to(self.mean, self.shape).flatten()
        means = [round(16 * m * self.tables.power(a)) for m, a in zip(mean, ratio, strict=True)]
        return means, [scale_index(a) for a in ratio]

    def symbols(self, stream, log2_step):
        return np.array(stream.call(*self.distribution(log2_step)), dtype=object).reshape(self.shape)


class ZeroInflated:
    def __init__(self, side, shape):
        self.shape = shape
        self.zero, self.value = Gaussian(side, 1, (), shape), Gaussian(side, 2, (), shape)

    def symbols(self, stream, log2_step):
        flags = self.zero.symbols(stream, 0).flatten()
        means, scales = self.value.distribution(log2_step)
        kept = np.flatnonzero(flags == 0)
        symbols = np.zeros(flags.size, dtype=object)
        coded = stream.call([means[i] - 8 for i in kept], [scales[i] for i in kept])
        symbols[kept] = [value if value < 0 else value + 1 for value in coded]
        return symbols.reshape(self.shape)


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
        *block, self.passes, width = configuration[:5]
        shared = len(configuration) == 5
        if width == -1:
            width = 0 if not shared or prod(shape) < 2**14 else 4 if prod(shape) < 2**17 else 8
        self.shape, self.width, self.magnitude = shape, width, side.tables.magnitude
        self.block = [min(b, n) for b, n in zip(block, (shape[0], *shape[2:]), strict=True)]
        self.taps = [taps(parity, self.passes) for parity in PARITIES]
        if not shared:
            self.taps = [[[offset] for offsets in classes for offset in offsets] for classes in self.taps]
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


def entropy_model(side, kind, configuration, shape):
    if kind == 5:
        return ZeroInflated(side, shape)
    grids = {3: Octree, 4: MaskedConv3d}
    return grids[kind](side, configuration, shape) if kind in grids else Gaussian(side, kind, configuration, shape)


def decode(tables, side_section, sections, parameters) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield the symbols of every parameter, and its values.

    `sections` holds the groups' payloads; `parameters` lists (shape, group, quantizer kind, its configuration,
    entropy model kind, its configuration).
    """
    side, plans = Side(tables, side_section), []
    streams = {name: Stream(tables, payload) for name, payload in sections.items()}
    for shape, group, quantizer, steps, model, configuration in parameters:
        log2_step, step = side.quantizer(quantizer, steps, shape)
        coder = entropy_model(side, model, configuration, shape)
        plans.append((group, coder, log2_step, np.asarray(step, dtype="<f4")))
    for group, coder, log2_step, step in plans:
        symbols = coder.symbols(streams[group], log2_step)
        yield symbols.astype("<i8"), symbols.astype("<f4") * step
