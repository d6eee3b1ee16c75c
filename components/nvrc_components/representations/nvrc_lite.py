"""NVRC-Lite: a video as a small network over feature grids of several resolutions (arXiv 2512.04019)."""

from collections.abc import Sequence
from typing import Final

import torch
from torch import Tensor, nn

from nvrc_components.representations.grids import FeatureGrid, LocalGrid, TemporalGrid
from nvrc_components.representations.nvrc_lite_config import NvrcLiteConfig, nvrc_lite_config
from nvrc_components.representations.patches import AxisPlans, Region, StagePlan, plan_axis, take
from nvrc_components.representations.pointwise import pointwise
from nvrc_components.representations.stage import Stage
from nvrc_components.representations.stem import Stem

__all__ = ["WHOLE", "NvrcLite", "NvrcLiteConfig", "nvrc_lite_config"]

WHOLE: Final = None  # the region that is the whole frame


class NvrcLite(nn.Module):
    """The representation of one video.

    Works with its parameters replaced (``torch.func.functional_call``): those named by ``windows(frames)``
    may be given as the named temporal slices alone.

    Args:
        config: Shape of the network and of the clip.
    """

    def __init__(self, config: NvrcLiteConfig) -> None:
        super().__init__()
        self.config = config
        sizes = config.sizes()
        self.stem = Stem(_base_grids(config), config.widths[0], config.frames, sizes[0])
        self.stages = nn.ModuleList(_stage(config, i, sizes[i + 1]) for i in range(len(config.widths)))
        self.head = nn.Linear(config.widths[-1], config.out_channels)
        nn.init.zeros_(self.head.bias)  # sigmoid(0) is mid-grey

    def windows(self, frames: Sequence[int] | Tensor) -> dict[str, tuple[int, ...]]:
        """Numbers, ascending, of the temporal slices of every temporal parameter that these frames touch.

        Parameters that are not named have no time axis and are always needed whole.

        Shape: ``frames`` any number of frame numbers, at least one, in any order, repeats allowed.
        """
        numbers = torch.as_tensor(frames, dtype=torch.int64).cpu()
        asked, around = numbers.tolist(), self.stem.neighbours(numbers).tolist()
        return {
            f"{name}.grid": module.window(around if name.startswith("stem.") else asked)
            for name, module in self.named_modules()
            if isinstance(module, TemporalGrid)
        }

    def forward(self, frames: Tensor, region: Region | None = WHOLE) -> Tensor:
        """Renders frames, or a patch of each.

        Shape: ``frames`` (B,) int64, in any order, repeats allowed -> (B, C, H, W), or (B, C, h, w) with a
        region; values in [0, 1].
        """
        if region is None:
            x = self.stem(frames)
            for stage in self.stages:
                x = stage(x, frames, None)
            return self._colours(x).permute(0, 3, 1, 2)
        rows, columns = self._plan(region)
        x = self.stem(frames, (rows.base, columns.base))
        for stage, *plan in zip(self.stages, rows.stages, columns.stages, strict=True):
            x = stage(x, frames, StagePlan(*plan))
        return self._colours(take(x, rows.asked, columns.asked)).permute(0, 3, 1, 2)

    def _colours(self, x: Tensor) -> Tensor:
        return torch.sigmoid(pointwise(x, self.head.weight, self.head.bias))

    def _plan(self, region: Region) -> tuple[AxisPlans, AxisPlans]:
        config = self.config
        heights, widths = zip(*config.sizes(), strict=True)
        rows = plan_axis(region.tops, region.height, heights, config.depths, config.strides)
        return rows, plan_axis(region.lefts, region.width, widths, config.depths, config.strides)


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
