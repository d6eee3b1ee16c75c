"""Models with random parameters, symbols like those of trained grids, and a coder that only listens."""

import numpy as np
import torch
import torch.nn.functional as F

from nvrc_components.coding.range_coder import SymbolDecoder, SymbolEncoder
from nvrc_components.entropy_models import MaskedConv3dContext, OctreeContext
from nvrc_components.side import sides_of

ZERO = torch.zeros(())
SHAPES = [
    (1, 1, 1, 1),
    (1, 2, 5, 9),
    (7, 3, 17, 11),
    (16, 1, 8, 8),
    (33, 2, 9, 8),
    (3, 4, 1, 30),
    (2, 1, 41, 3),
]


def randomised(model, seed=0, spread=0.7):
    generator = torch.Generator().manual_seed(seed)
    for side in sides_of([model]):
        side.value.data.copy_(torch.randn(side.value.shape, generator=generator) * spread)
    return model


def octree(shape, passes=10, width=4, block=(16, 8, 8), seed=0):
    return randomised(OctreeContext(torch.zeros(shape), block, passes, width), seed)


def masked_conv(shape, width=4, block=(16, 8, 8), seed=0):
    return randomised(MaskedConv3dContext(torch.zeros(shape), block, width), seed, 0.3)


def laplacian(shape, seed=0, scale=2.0):
    """Integers that resemble a trained grid's: heavy tails, neighbours alike, activity that varies."""
    generator = torch.Generator().manual_seed(seed)
    uniform = torch.rand(shape, generator=generator) - 0.5
    noise = -uniform.sign() * torch.log1p(-2 * uniform.abs() * (1 - 1e-6))
    activity = torch.randn(shape[0] // 4 + 1, shape[1], shape[2] // 4 + 1, shape[3] // 4 + 1, generator=generator).exp()
    for axis in (0, 2, 3):
        noise = noise + 0.7 * (noise.roll(1, axis) + noise.roll(-1, axis))
    activity = F.interpolate(activity.transpose(0, 1)[None], (shape[0], shape[2], shape[3]))[0].transpose(0, 1)
    return (scale * noise * activity).round()


def encoded(model, symbols, log2_step=ZERO):
    encoder = SymbolEncoder()
    model.encode(symbols, log2_step, encoder)
    return encoder.to_bytes()


def decoded(model, shape, data, log2_step=ZERO):
    decoder = SymbolDecoder(data)
    result = model.decode(torch.Size(shape), log2_step, decoder)
    decoder.finish()
    return result


def heard(model, grid):
    """Return all symbols, means and scales that a model gives an encoder, and the size of each call."""
    listener = Listener()
    model.encode(grid, ZERO, listener)
    return *(np.concatenate(column) for column in zip(*listener.calls, strict=True)), [
        len(c[0]) for c in listener.calls
    ]


class Listener:
    """Takes the place of an encoder and keeps what it is given, call by call."""

    def __init__(self):
        self.calls = []

    def encode(self, symbols, means, scales, sizes):
        stops = np.cumsum(sizes)
        assert stops[-1] == len(symbols)
        self.calls += zip(*(np.split(values, stops[:-1]) for values in (symbols, means, scales)), strict=True)
