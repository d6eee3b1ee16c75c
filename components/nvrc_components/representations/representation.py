"""What the networks have in common: a stem makes the first feature map, stages enlarge it, a head paints it."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from nvrc_components.representations.grids import TemporalGrid
from nvrc_components.representations.patches import HALO, AxisPlans, Region, StagePlan, plan_axis, take
from nvrc_components.representations.pointwise import pointwise
from nvrc_components.representations.stage import Stage


class Config(Protocol):
    """What every network's configuration tells about the clip and the stages."""

    @property
    def frames(self) -> int:
        """Frames of the video."""

    @property
    def height(self) -> int:
        """Rows of a frame in pixels."""

    @property
    def width(self) -> int:
        """Columns of a frame in pixels."""

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of each stage."""

    @property
    def depths(self) -> tuple[int, ...]:
        """Blocks of each stage."""

    @property
    def strides(self) -> tuple[int, ...]:
        """Upsampling factor of each stage."""

    @property
    def out_channels(self) -> int:
        """Channels of the video."""

    def sizes(self) -> list[tuple[int, int]]:
        """Height and width at the stem, then after every stage."""

    def to_ints(self) -> list[int]:
        """The configuration as a flat list for a file header."""


class BaseStem(nn.Module):
    """Base grids in, the first feature map of a frame out.

    Shape: forward ``frames`` (B,), ``positions`` (B, n) rows and (B, m) columns of each sample, or None for all
    -> (B, h, w, channels) or (B, n, m, channels).
    """

    def neighbours(self, frames: Tensor) -> Tensor:
        """Frame numbers at whose times the base grids are read.

        Shape: (B,) -> (N,).
        """
        return frames

    def published_macs(self, own: float) -> float:
        """Multiply-accumulates that published tables charge a frame for the stem.

        Args:
            own: Those that rendering one frame takes here.
        """
        return own


class Representation(nn.Module):
    """The representation of one video.

    Works with its parameters replaced (``torch.func.functional_call``): those named by ``windows(frames)``
    may be given as the named temporal slices alone.

    Args:
        config: Shape of the network and of the clip.
        stem: Makes the first feature map.
        stages: Enlarge it to the frame's size.
    """

    def __init__(self, config: Config, stem: BaseStem, stages: Sequence[Stage]) -> None:
        super().__init__()
        self.config = config
        self.stem = stem
        self.stages = nn.ModuleList(stages)
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

    def forward(self, frames: Tensor, region: Region | None = None) -> Tensor:
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
        if x.shape[1:3] != (region.height, region.width):
            x = take(x, rows.asked, columns.asked)
        return self._colours(x).permute(0, 3, 1, 2)

    def patch_cost(self, region: Region) -> float:
        """What one patch of a region takes, surroundings included, as a part of what a whole frame takes.

        Counted are the multiplications of the blocks, which outweigh all else.
        """
        rows, columns = self._plan(region)
        patch = whole = 0
        for stage, *plans in zip(self.stages, rows.stages, columns.stages, strict=True):
            assert isinstance(stage, Stage)
            tall, wide = (plan.inside.shape[1] for plan in plans)
            for margin, block in enumerate(stage.blocks, 1):
                each = sum(weight.numel() for weight in block.parameters())
                patch += each * (tall - 2 * HALO * margin) * (wide - 2 * HALO * margin)
                whole += each * stage.size[0] * stage.size[1]
        return patch / whole

    def _colours(self, x: Tensor) -> Tensor:
        return torch.sigmoid(pointwise(x, self.head.weight, self.head.bias))

    def _plan(self, region: Region) -> tuple[AxisPlans, AxisPlans]:
        config = self.config
        heights, widths = zip(*config.sizes(), strict=True)
        stages = config.depths, config.strides
        rows = plan_axis(region.tops, region.height, region.multiple, heights, *stages)
        return rows, plan_axis(region.lefts, region.width, region.multiple, widths, *stages)
