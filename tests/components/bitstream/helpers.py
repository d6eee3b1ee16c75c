"""A small network and the video that it is meant for."""

from fractions import Fraction
from functools import partial

import torch

from nvrc_components.compressed_module import CompressedModule, Group
from nvrc_components.entropy_models import DualAxisGaussian, GaussianPrior, OctreeContext
from nvrc_components.quantizers import BlockQuantizer, DualAxisQuantizer, TensorQuantizer
from nvrc_components.representations.nvrc_lite import NvrcLite, NvrcLiteConfig
from nvrc_components.side import sides_of
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat

FORMAT = VideoFormat(29, 26, 5, Fraction(25), 8, Chroma.RGB, ColourMatrix.BT709, ColourRange.FULL)
GROUPS = [
    Group("grids", "*features.grid", partial(BlockQuantizer, log2_start=-3.0), OctreeContext),
    Group("local", "*.grid", TensorQuantizer, GaussianPrior),
    Group("weights", "*", DualAxisQuantizer, DualAxisGaussian),
]


def made(groups=GROUPS, seed=0):
    torch.manual_seed(seed)
    network = NvrcLite(NvrcLiteConfig(FORMAT.frames, FORMAT.height, FORMAT.width, widths=(12, 8, 6, 4)))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    compressed = CompressedModule(network, groups).eval()
    for side in sides_of([compressed]):
        side.value.data.add_(torch.randn(side.value.shape) * 0.3)
    return compressed
