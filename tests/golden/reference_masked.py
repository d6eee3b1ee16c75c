"""Masked 3-D convolutions for the second decoder, written from docs/bitstream.md with integers.

Weights are held in units of 1/64, magnitudes and activations in units of 1/16, their sums in units of 1/1024.
"""

from collections.abc import Iterator
from fractions import Fraction
from itertools import product
from math import prod

import numpy as np

from tests.golden.reference_stream import scale_index

TAPS = [o for o in product((-2, -1, 0), range(-2, 3), range(-2, 3)) if o <= (0, 0, 0)]


def sixteenths(total):
    return round(Fraction(total, 64))


def activation(total):
    return min(max(sixteenths(total), 0), 255)


def sign(x):
    return (x > 0) - (x < 0)


class MaskedConv3d:
    def __init__(self, side, configuration, shape):
        *block, width = configuration
        if width == -1:
            width = 0 if prod(shape) < 2**17 else 4 if prod(shape) < 2**20 else 8
        self.shape, self.width, self.magnitude = shape, width, side.tables.magnitude
        self.block = [min(b, n) for b, n in zip(block, (shape[0], *shape[2:]), strict=True)]
        self.w, self.u = (self.read(side, 62, limit=4) for _ in range(2))
        self.p = self.read(side, width + 1, 62, limit=1)
        self.b = self.read(side, 2, shape[1])
        self.f, self.s, self.e, self.o = [], [], [], [[], []]
        if width:
            self.f, self.s = self.read(side, width, 2, 62, limit=1), self.read(side, width, width, 63, limit=1)
            self.e, self.o = self.read(side, width), self.read(side, 2, width, 63, limit=1)

    def read(self, side, *shape, limit=16):
        return np.vectorize(lambda value: int(64 * value), otypes=[object])(side.read(*shape, limit=limit)).tolist()

    def calls(self) -> Iterator[list[tuple[int, int, int]]]:
        """Yield the positions of each wave."""
        positions = list(product(*map(range, self.block)))
        waves = [9 * t + 3 * h + w for t, h, w in positions]
        for number in sorted(set(waves)):
            yield [position for position, wave in zip(positions, waves, strict=True) if wave == number]

    def symbols(self, stream, log2_step):
        grid = np.zeros(self.shape, dtype=object)
        sizes = self.shape[0], *self.shape[2:]
        corners = product(*(range(0, n, b) for n, b in zip(sizes, self.block, strict=True)))
        columns = [(corner, Column(self, channel)) for corner in corners for channel in range(self.shape[1])]
        for members in self.calls():
            wanted, means, scales = [], [], []
            for inner, (corner, column) in product(members, columns):
                mean, scale = column.predict(inner)
                t, h, w = (i + c for i, c in zip(inner, corner, strict=True))
                if t < sizes[0] and h < sizes[1] and w < sizes[2]:
                    wanted.append((column, inner, (t, column.channel, h, w)))
                    means.append(mean)
                    scales.append(scale)
            for (column, inner, where), symbol in zip(wanted, stream.call(means, scales), strict=True):
                column.x[inner] = max(-127, min(127, symbol))
                grid[where] = symbol
        return grid


class Column:
    """One channel of one block: clamped symbols and hidden units of its positions so far."""

    def __init__(self, model, channel):
        self.model, self.channel = model, channel
        self.x, self.g, self.h = {}, {}, {}

    def predict(self, position):
        """Return the position's mean in sixteenths and its scale index."""
        model, places = self.model, self.places(position)
        inputs = [(k, self.x.get(place, 0)) for k, place in places if k < 62]
        sizes = [(k, x, model.magnitude[abs(x)]) for k, x in inputs]
        present = [sum(16 * row[k] for k, _ in inputs) for row in model.p]
        self.g[position] = [
            activation(present[j] + sum(f[0][k] * sign(x) * size + f[1][k] * size for k, x, size in sizes))
            for j, f in enumerate(model.f)
        ]
        self.h[position] = [
            activation(self.sum(s, self.g, places) + 16 * e) for s, e in zip(model.s, model.e, strict=True)
        ]
        heads = [self.sum(o, self.h, places) + 16 * b[self.channel] for o, b in zip(model.o, model.b, strict=True)]
        mean = round(Fraction(sum(model.w[k] * x for k, x in inputs), 4)) + sixteenths(heads[0])
        log2_scale = sum(model.u[k] * size for k, _, size in sizes) + present[-1] + heads[1]
        return mean, scale_index(Fraction(log2_scale, 1024))

    def places(self, position):
        """Return the number and the position of every tap inside the block."""
        places = [(k, tuple(i + o for i, o in zip(position, offset, strict=True))) for k, offset in enumerate(TAPS)]
        block = self.model.block
        return [(k, place) for k, place in places if all(0 <= i < b for i, b in zip(place, block, strict=True))]

    def sum(self, weights, units, places):
        return sum(row[k] * units[place][i] for i, row in enumerate(weights) for k, place in places)
