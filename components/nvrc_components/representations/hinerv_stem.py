"""HiNeRV's two stems: the original's, and NVRC's, which convolves over time as well and before interpolating."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nvrc_components.representations.grids import FeatureGrid
from nvrc_components.representations.patches import blend, plan_blend
from nvrc_components.representations.representation import BaseStem
from nvrc_components.representations.stem import StemLevel, sum_levels

TAPS = 3  # slices a 3x3x3 convolution sees: the one before, this one, the one after


class NeighbourGrid(FeatureGrid):
    """A feature grid that gives the slices before, at and after a frame's time together, as channels.

    Each of the three is blended as the frame's own slices are; beyond the grid's ends there are zeros, which blend
    like any slice. A 3x3x3 convolution of the slices, blended, is a 3x3 convolution of these channels.

    Shape: ``grid`` (slices, channels, height, width); forward (B,) -> (B, 3 channels, height, width).
    """

    share: Tensor

    def _tables(self, frames: Tensor) -> dict[str, Tensor]:
        """The same with three entries a frame, and the share of what is read in place of a slice outside.

        What is read there is the other slice of its blend: a factor makes up for that.
        """
        taps = super()._tables(frames)
        offsets = torch.arange(TAPS, device=frames.device) - 1
        low, high = ((taps[name][:, None] + offsets).flatten() for name in ("low", "high"))
        inside = low.clamp(0, self.slices - 1), high.clamp(0, self.slices - 1)
        weight = taps["weight"].repeat_interleave(TAPS)
        share = torch.lerp((low == inside[0]).float(), (high == inside[1]).float(), weight)
        return {"low": inside[0], "high": inside[1], "weight": weight, "share": share}

    def window(self, frames: Sequence[int] | Tensor) -> tuple[int, ...]:
        """Numbers of the slices that these frames touch and of their neighbours, ascending.

        Shape: ``frames`` any number of frame numbers, at least one, in any order, repeats allowed.
        """
        touched = {row + offset for row in super().window(frames) for offset in (-1, 0, 1)}
        return tuple(sorted(row for row in touched if 0 <= row < self.slices))

    def forward(self, frames: Tensor) -> Tensor:
        """Three slices around the time of each frame.

        Shape: ``frames`` (B,) int64 -> (B, 3 channels, height, width), slice by slice.
        """
        entries = _entries(frames)
        x = super().forward(entries) * self._shares(entries)
        return x.view(-1, TAPS * x.shape[1], *x.shape[2:])

    def crop(self, frames: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """The same features at chosen positions of each sample only.

        Shape: ``frames`` (B,), ``rows`` (B, h) and ``columns`` (B, w) inside the grid -> (B, h, w, 3 channels).
        """
        entries = _entries(frames)
        x = super().crop(entries, rows.repeat_interleave(TAPS, 0), columns.repeat_interleave(TAPS, 0))
        x = (x * self._shares(entries)).view(-1, TAPS, *x.shape[1:])
        return x.permute(0, 2, 3, 1, 4).flatten(3)

    def _shares(self, entries: Tensor) -> Tensor:
        return self.share[entries].to(self.grid.dtype).view(-1, 1, 1, 1)


def _entries(frames: Tensor) -> Tensor:
    """Where the tables, of three entries a frame, tell of these frames.

    Shape: (B,) -> (3 B,).
    """
    return (TAPS * frames[:, None] + torch.arange(TAPS, device=frames.device)).flatten()


class SummedStem(BaseStem):
    """A 3x3x3 convolution on each base grid, interpolated in time and space, all added up (NVRC's HiNeRV).

    Args:
        levels: Base grids, finest first.
        channels: Width of the result.
        size: Height and width of the result.
    """

    def __init__(self, levels: Sequence[NeighbourGrid], channels: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            StemLevel(grid, nn.Conv3d(grid.grid.shape[1], channels, 3, padding=1)) for grid in levels
        )
        self.size = size
        self.whole_macs = TAPS**3 * channels * sum(grid.grid.numel() for grid in levels)

    def forward(self, frames: Tensor, positions: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """First feature map of each frame, whole or at chosen rows and columns of each sample.

        Shape: ``frames`` (B,), ``positions`` (B, n) and (B, m) -> (B, h, w, channels) or (B, n, m, channels).
        """
        return sum_levels(self.levels, frames, self.size, positions).permute(0, 2, 3, 1)

    def published_macs(self, own: float) -> float:
        """Multiply-accumulates of convolving every base grid whole, which published tables charge to each frame."""
        return self.whole_macs


class GridLevel(nn.Module):
    """A base grid without a convolution of its own, under the name that all feature grids bear."""

    def __init__(self, features: FeatureGrid) -> None:
        super().__init__()
        self.features = features

    def forward(self, frames: Tensor, spans: tuple[Tensor, Tensor] | None) -> Tensor:
        """The whole grid at the times of the frames, or rows and columns of it with zeros outside.

        Shape: ``frames`` (B,), ``spans`` (B, h) and (B, w) -> (B, channels, height, width) or (B, channels, h, w).
        """
        features: Tensor = self.features(frames) if spans is None else self.features.span(frames, *spans)
        return features


class ConcatenatedStem(BaseStem):
    """All base grids interpolated in time, concatenated, then one 3x3 convolution (the original HiNeRV).

    Args:
        levels: Base grids of the result's height and width, finest in time first.
        channels: Width of the result.
    """

    def __init__(self, levels: Sequence[FeatureGrid], channels: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(GridLevel(grid) for grid in levels)
        self.conv = nn.Conv2d(sum(grid.grid.shape[1] for grid in levels), channels, 3, padding=1)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]
        self.size = levels[0].grid.shape[-2:]

    def forward(self, frames: Tensor, positions: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """First feature map of each frame, whole or at chosen rows and columns of each sample.

        Shape: ``frames`` (B,), ``positions`` (B, n) and (B, m) -> (B, h, w, channels) or (B, n, m, channels).
        """
        if positions is None:
            return self._convolved(frames, None, padding=1)
        rows, columns = (plan_blend(at, full, full) for at, full in zip(positions, self.size, strict=True))
        return blend(self._convolved(frames, (rows.span, columns.span), padding=0), rows, columns)

    def _convolved(self, frames: Tensor, spans: tuple[Tensor, Tensor] | None, padding: int) -> Tensor:
        x = torch.cat([level(frames, spans) for level in self.levels], 1)
        return F.conv2d(x, self.conv.weight, self.conv.bias, padding=padding).permute(0, 2, 3, 1)
