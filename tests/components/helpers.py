"""A module to compress, and ways to wrap it."""

from functools import partial

import torch
from torch import nn

from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior, OctreeContext
from nvrc_components.quantizers import BlockQuantizer, DualAxisQuantizer, TensorQuantizer
from nvrc_components.side import sides_of


class Picture(nn.Module):
    """A grid and a layer on it: the smallest video representation."""

    def __init__(self, shape=(6, 3, 12, 10)):
        super().__init__()
        self.grid = nn.Parameter(torch.randn(shape) * 0.1)
        self.mix = nn.Conv2d(shape[1], 8, 1)
        self.out = nn.Conv2d(8, 3, 1)

    def forward(self, frames):
        return self.out(torch.relu(self.mix(self.grid[frames])))


DUAL = [Group("all", "*", DualAxisQuantizer, DualAxisGaussian)]
PLAIN = [Group("all", "*", TensorQuantizer, GaussianPrior)]
GRID = [
    Group("grids", "*grid", partial(BlockQuantizer, block=(4, 8, 8)), partial(OctreeContext, block=(4, 8, 8), width=2)),
    *DUAL,
]


def randomised(compressed, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for side in sides_of([compressed]):
        side.value.data.add_(torch.randn(side.value.shape, generator=generator) * 0.3)
    return compressed


def wrapped(make=Picture, groups=GRID, seed=0, **options):
    torch.manual_seed(seed)
    return randomised(CompressedModule(make(), groups, **options), seed)


def size(streams):
    return len(streams.side) + sum(len(stream) for stream in streams.groups.values())
