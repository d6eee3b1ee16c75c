"""Networks whose every number comes from the counter-based generator: one for each kind that a file can name."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import torch

from nvrc_components import (
    BlockQuantizer,
    Chroma,
    CodedColour,
    ColourMatrix,
    ColourRange,
    CompressedModule,
    DualAxisGaussian,
    DualAxisQuantizer,
    GaussianPrior,
    Group,
    MaskedConv3dContext,
    OctreeContext,
    TensorQuantizer,
    VideoFormat,
    ZeroInflatedGaussian,
)
from nvrc_components.coding.range_coder import LIMIT
from nvrc_components.entropy_models.context import AUTO
from nvrc_components.entropy_models.gaussian import FactorizedGaussian
from nvrc_components.functional import counter_uniform
from nvrc_components.representations.hinerv import HiNerv, HiNervConfig
from nvrc_components.representations.nvrc_lite import NvrcLite, NvrcLiteConfig
from nvrc_components.representations.representation import Config, Representation
from nvrc_components.side import sides_of


@dataclass(frozen=True)
class Recipe:
    """What a golden file is made of."""

    format: VideoFormat
    config: Callable[[int, int, int], Config]
    groups: tuple[Group, ...]
    colour: CodedColour = CodedColour.RGB
    representation: Callable[[Any], Representation] = NvrcLite

    def network(self) -> CompressedModule:
        config = self.config(self.format.frames, self.format.height, self.format.width)
        return numbered(CompressedModule(self.representation(config), self.groups).eval())


# Every setting is named, for defaults may change.
SMALL = partial(
    NvrcLiteConfig,
    widths=(6, 4),
    depths=(1, 1),
    strides=(3, 2),
    expansion=2,
    base_grids=((3, 1, 1),),
    stage_grids=((2, 2), (0, 1)),
    local_channels=2,
    local_levels=1,
    shortcut=1,
    out_channels=3,
)
LARGE = partial(
    NvrcLiteConfig,
    widths=(32, 4, 2, 2),
    depths=(1, 1, 1, 1),
    strides=(3, 2, 2, 2),
    expansion=4,
    base_grids=((4, 1, 1), (8, 2, 2)),
    stage_grids=((2, 2), (1, 2), (1, 4), (0, 1)),
    local_channels=4,
    local_levels=2,
    shortcut=1,
    out_channels=3,
)
HINERV = partial(
    HiNervConfig,
    grid_slices=4,
    grid_channels=2,
    grid_levels=3,
    local_channels=3,
    local_levels=2,
    widths=(6, 4),
    depths=(2, 1),
    strides=(3, 2),
    expansion=(1, 2),
    version=2,
    shortcut=1,
    out_channels=3,
)
# Both axes of a matrix need 128 lines to have their own steps.
WIDE = partial(SMALL, widths=(8, 128), expansion=1, shortcut=0)
RGB = VideoFormat(31, 43, 7, Fraction(25), 8, Chroma.RGB, ColourMatrix.BT601, ColourRange.FULL)
YUV = VideoFormat(42, 30, 6, Fraction(30000, 1001), 10, Chroma.YUV420, ColourMatrix.BT2020, ColourRange.LIMITED)


def _grids(quantizer: Callable[..., object], model: Callable[..., object], rest: Sequence[type]) -> tuple[Group, ...]:
    return Group("grids", "*features.grid", quantizer, model), Group("weights", "*", *rest)


CUBES = (16, 8, 8)
BLOCKS = partial(BlockQuantizer, block=(2, 3, 5))
FREE = partial(OctreeContext, block=(6, 16, 10), mirrored=False)
PLAIN, DUAL = (TensorQuantizer, GaussianPrior), (DualAxisQuantizer, DualAxisGaussian)
FIRST = {
    "mixed": Recipe(
        VideoFormat(45, 50, 9, Fraction(24), 8, Chroma.RGB, ColourMatrix.BT709, ColourRange.FULL),
        LARGE,
        (
            Group(
                "grids",
                "*features.grid",
                partial(BlockQuantizer, block=(4, 8, 8)),
                partial(OctreeContext, block=CUBES, passes=10, width=3, mirrored=True),
            ),
            Group("local", "*.grid", *PLAIN),
            Group("weights", "*", *DUAL),
        ),
    ),
}
"""What the first golden file was made of, its numbers by other rules than those below."""

RECIPES = {
    "gaussian": Recipe(RGB, SMALL, (Group("all", "*", *PLAIN),)),
    "dual_axis": Recipe(YUV, WIDE, (Group("all", "*", *DUAL),), CodedColour.YUV444),
    "short_lines": Recipe(
        RGB, WIDE, (Group("all", "*", partial(DualAxisQuantizer, shortest=12), partial(DualAxisGaussian, shortest=9)),)
    ),
    "octree_4": Recipe(
        YUV,
        SMALL,
        _grids(DualAxisQuantizer, partial(OctreeContext, block=(3, 5, 7), passes=4, width=2, mirrored=True), PLAIN),
    ),
    "octree_10": Recipe(
        RGB, SMALL, _grids(BLOCKS, partial(OctreeContext, block=CUBES, passes=10, width=AUTO, mirrored=True), DUAL)
    ),
    "octree_22": Recipe(
        RGB,
        SMALL,
        _grids(TensorQuantizer, partial(OctreeContext, block=(4, 16, 8), passes=22, width=16, mirrored=True), PLAIN),
    ),
    "octree_free": Recipe(
        YUV,
        partial(SMALL, base_grids=((3, 1, 1), (2, 2, 2))),
        (
            Group("first", "stem.levels.0.features.grid", BLOCKS, partial(FREE, passes=4, width=AUTO)),
            Group("second", "stem.levels.1.features.grid", BLOCKS, partial(FREE, passes=22, width=2)),
            *_grids(BLOCKS, partial(FREE, passes=10, width=1), PLAIN),
        ),
    ),
    "masked_conv": Recipe(
        YUV,
        SMALL,
        (
            Group("stem", "stem.*features.grid", BLOCKS, partial(MaskedConv3dContext, block=CUBES, width=AUTO)),
            *_grids(BLOCKS, partial(MaskedConv3dContext, block=(4, 3, 7), width=3), PLAIN),
        ),
    ),
    "zero_inflated": Recipe(RGB, WIDE, (Group("all", "*", DualAxisQuantizer, ZeroInflatedGaussian),)),
    "hinerv_1": Recipe(
        RGB, partial(HINERV, version=1, shortcut=0), (Group("all", "*", *PLAIN),), representation=HiNerv
    ),
    "hinerv": Recipe(YUV, HINERV, (Group("all", "*", *PLAIN),), CodedColour.YUV444, HiNerv),
}


def _noise(tensor: torch.Tensor, key: int) -> torch.Tensor:
    return counter_uniform(torch.arange(tensor.numel()), key).view(tensor.shape) * 2 - 1


@torch.no_grad()
def numbered(compressed: CompressedModule) -> CompressedModule:
    """Give every tensor of phi and theta its numbers, extremes among them."""
    for key, side in enumerate(sides_of([compressed])):
        noise = _noise(side.value, key)
        single = side.value.numel() == 1
        # Near zero, where there are many, and now and then at the limits.
        spread = 0.5 if side.limit == 1 else side.limit / 16
        side.value.copy_((noise * 6 if single else noise * spread + noise**301 * 20) / side.pace)
        if not single:
            side.log2_step.fill_(-(key * 11 % 49) / 8)
    parameters = compressed.module.parameters()
    for key, (codec, parameter) in enumerate(zip(compressed.tensor_codecs(), parameters, strict=True)):
        if isinstance(codec.entropy_model, ZeroInflatedGaussian):
            _toss(codec.entropy_model.zero, key)
        symbols = _expected(codec, parameter, 1000 + key).view(-1)
        symbols[1::127] += (_noise(symbols[1::127], 2000 + key) * 400).round()
        # Powers of two: their products with a step are exact.
        symbols[3::1009], symbols[5::1013] = LIMIT, -LIMIT
        symbols[7::1019], symbols[11::1021] = LIMIT >> 9, -(LIMIT >> 16)
        parameter.copy_(symbols.view(parameter.shape) * codec.quantizer.step())
    return compressed


def _expected(codec: torch.nn.Module, parameter: torch.Tensor, key: int) -> torch.Tensor:
    """Return symbols as the entropy model expects them: about two deviations around its means, or near zero."""
    noise, model = _noise(parameter, key), codec.entropy_model
    pruned = isinstance(model, ZeroInflatedGaussian)
    if not isinstance(model, FactorizedGaussian | ZeroInflatedGaussian):
        return (noise**9 * 9 + noise**301 * 150).round()
    mean, log2_scale = (model.value if pruned else model).distribution(codec.quantizer.log2_step())
    symbols = (mean + log2_scale.exp2() * noise**3 * 3).round()
    return symbols * (_noise(parameter, 3000 + key) > 0.4) if pruned else symbols


def _toss(coin: FactorizedGaussian, key: int) -> None:
    """Make two coins of three as narrow as fitted ones, with either side likely; the third keeps any numbers."""
    if key % 3:
        log2_scale = -2 - key % 5 / 4
        coin.log2_scale.value.fill_(log2_scale)
        coin.mean.value.fill_((0.5 + (key % 4 - 1) / 32) / 2**log2_scale)
