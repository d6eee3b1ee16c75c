"""NVRC-Lite: a video as a small network over feature grids of several resolutions (arXiv 2512.04019)."""

from nvrc_components.representations.grids import FeatureGrid, LocalGrid
from nvrc_components.representations.nvrc_lite_config import NvrcLiteConfig, nvrc_lite_config
from nvrc_components.representations.representation import Representation
from nvrc_components.representations.stage import Stage
from nvrc_components.representations.stem import Stem

__all__ = ["NvrcLite", "NvrcLiteConfig", "nvrc_lite_config"]


class NvrcLite(Representation):
    """NVRC-Lite for one video.

    Args:
        config: Shape of the network and of the clip.
    """

    config: NvrcLiteConfig

    def __init__(self, config: NvrcLiteConfig) -> None:
        sizes = config.sizes()
        stem = Stem(_base_grids(config), config.widths[0], config.frames, sizes[0])
        super().__init__(config, stem, [_stage(config, i, sizes[i + 1]) for i in range(len(config.widths))])


def _slices(config: NvrcLiteConfig, divisor: int) -> int:
    return -(-config.frames // divisor)


def _base_grids(config: NvrcLiteConfig) -> list[FeatureGrid]:
    height, width = config.sizes()[0]
    return [
        FeatureGrid(_slices(config, time), config.frames, channels, -(-height // space), -(-width // space))
        for channels, time, space in config.base_grids
    ]


def _stage(config: NvrcLiteConfig, index: int, size: tuple[int, int]) -> Stage:
    stride = config.strides[index]
    local = [
        LocalGrid(
            _slices(config, 2**level),
            config.frames,
            stride,
            max(1, config.local_channels >> index) * 2**level,
        )
        for level in range(config.local_levels if config.local_channels else 0)
    ]
    channels, divisor = config.stage_grids[index]
    features = FeatureGrid(_slices(config, divisor), config.frames, channels, *size) if channels else None
    return Stage(
        channels=(config.widths[max(index - 1, 0)], config.widths[index]),
        depth=config.depths[index],
        stride=stride,
        expansion=config.expansion,
        shortcut=bool(config.shortcut),
        size=size,
        local=local,
        features=features,
    )
