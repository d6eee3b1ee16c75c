"""The stem: base grids of several resolutions become the first feature map of a frame."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nvrc_components.representations.grids import FeatureGrid
from nvrc_components.representations.patches import AxisBlend, blend, plan_blend

TAPS = 3  # frames the temporal convolution sees: the previous, this one, the next


class StemLevel(nn.Module):
    """One base grid and its full 3x3 convolution.

    The grid is blended in time before the convolution: both are linear and the blending weights sum to one,
    so the result is that of convolving the slices first, at one convolution for each frame asked.
    """

    def __init__(self, grid: FeatureGrid, c_out: int) -> None:
        super().__init__()
        self.features = grid
        self.conv = nn.Conv2d(grid.grid.shape[1], c_out, 3, padding=1)
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, frames: Tensor, size: tuple[int, int]) -> Tensor:
        """Convolved features, resized bilinearly.

        Shape: ``frames`` (N,) -> (N, c_out, *size).
        """
        x: Tensor = self.conv(self.features(frames))
        if x.shape[-2:] == size:
            return x
        return F.interpolate(x, size, mode="bilinear", align_corners=False)

    def crop(self, frames: Tensor, rows: AxisBlend, columns: AxisBlend) -> Tensor:
        """The same at the planned positions only.

        Shape: ``frames`` (N,), plans for N samples -> (N, c_out, n, m).
        """
        height, width = self.features.grid.shape[-2:]
        at = rows.span.clamp(0, height - 1), columns.span.clamp(0, width - 1)
        x = self.features.crop(frames, *at)
        inside = (at[0] == rows.span)[:, :, None] & (at[1] == columns.span)[:, None, :]
        x = (x * inside[..., None]).permute(0, 3, 1, 2)
        x = F.conv2d(x, self.conv.weight, self.conv.bias)
        return blend(x.permute(0, 2, 3, 1), rows, columns).permute(0, 3, 1, 2)


class TemporalConv(nn.Module):
    """A convolution over the previous, this and the next frame; starts as the identity.

    Shape: ``weight`` (C, C, 3), ``bias`` (C,).
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, channels, TAPS))
        self.bias = nn.Parameter(torch.zeros(channels))
        nn.init.kaiming_uniform_(self.weight, a=5**0.5)
        with torch.no_grad():
            self.weight.mul_(0.1)
            self.weight[:, :, 1] += torch.eye(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Blends the taps of every sample.

        Shape: (3, B, C, h, w), tap first -> (B, h, w, C).
        """
        x = x.permute(1, 3, 4, 0, 2)  # (B, h, w, 3, C)
        flat = x.reshape(*x.shape[:3], -1)
        return F.linear(flat, self.weight.transpose(1, 2).flatten(1), self.bias)


class Stem(nn.Module):
    """Sum of all levels at the base resolution, then the temporal convolution.

    Args:
        levels: Base grids, finest first.
        channels: Width of the result.
        total: Frames of the video.
        size: Height and width of the result.
    """

    def __init__(self, levels: list[FeatureGrid], channels: int, total: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(StemLevel(grid, channels) for grid in levels)
        self.temporal = TemporalConv(channels)
        self.total = total
        self.size = size

    def neighbours(self, frames: Tensor) -> Tensor:
        """Frame numbers the stem needs: previous, same, next, repeated at the video's ends.

        Shape: (B,) -> (3 B,), tap first.
        """
        taps = torch.arange(-1, TAPS - 1, device=frames.device)
        return (frames + taps[:, None]).clamp(0, self.total - 1).flatten()

    def forward(self, frames: Tensor, positions: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """First feature map of each frame, whole or at chosen rows and columns of each sample.

        Shape: ``frames`` (B,), ``positions`` (B, n) and (B, m) -> (B, h, w, channels) or (B, n, m, channels).
        """
        around = self.neighbours(frames)
        parts = [self._level(level, around, positions) for level in self.levels]
        x = parts[0]
        for part in parts[1:]:
            x = x + part
        return self.temporal(x.reshape(TAPS, -1, *x.shape[1:]))  # type: ignore[no-any-return]

    def _level(self, level: nn.Module, around: Tensor, positions: tuple[Tensor, Tensor] | None) -> Tensor:
        assert isinstance(level, StemLevel)
        if positions is None:
            return level(around, self.size)  # type: ignore[no-any-return]
        plans = (
            plan_blend(at.repeat(TAPS, 1), small, full)
            for at, small, full in zip(positions, level.features.grid.shape[-2:], self.size, strict=True)
        )
        return level.crop(around, *plans)
