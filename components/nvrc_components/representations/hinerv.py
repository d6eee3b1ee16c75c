"""HiNeRV: a video as a ConvNeXt network over small feature grids and hierarchical encodings.

Version 1 is the original (arXiv 2306.09818), version 2 the network of NVRC (arXiv 2409.07414).
"""

from nvrc_components.representations.grids import FeatureGrid, LocalGrid
from nvrc_components.representations.hinerv_config import HiNervConfig, halved
from nvrc_components.representations.hinerv_presets import hinerv_config
from nvrc_components.representations.hinerv_stem import ConcatenatedStem, NeighbourGrid, SummedStem
from nvrc_components.representations.representation import BaseStem, Representation
from nvrc_components.representations.stage import Stage

__all__ = ["HiNerv", "HiNervConfig", "hinerv_config"]


class HiNerv(Representation):
    """HiNeRV for one video.

    Args:
        config: Shape of the network and of the clip.
    """

    config: HiNervConfig

    def __init__(self, config: HiNervConfig) -> None:
        super().__init__(config, _stem(config), [_stage(config, index) for index in range(len(config.widths))])


def _stem(config: HiNervConfig) -> BaseStem:
    shapes, channels = config.base_grids(), config.widths[0]
    if config.version == 1:
        return ConcatenatedStem([FeatureGrid(slices, config.frames, *shape) for slices, *shape in shapes], channels)
    grids = [NeighbourGrid(slices, config.frames, *shape) for slices, *shape in shapes]
    return SummedStem(grids, channels, config.sizes()[0])


def _stage(config: HiNervConfig, index: int) -> Stage:
    stride = config.strides[index]
    local = [
        LocalGrid(halved(config.frames, level), config.frames, stride, halved(config.local_channels, index) << level)
        for level in range(config.local_levels if config.local_channels else 0)
    ]
    return Stage(
        channels=(config.widths[max(index - 1, 0)], config.widths[index]),
        depth=config.depths[index],
        stride=stride,
        expansion=config.expansion[index],
        shortcut=bool(config.shortcut),
        size=config.sizes()[index + 1],
        local=local,
        features=None,
    )
