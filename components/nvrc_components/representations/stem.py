"""The stem: base grids of several resolutions become the first feature map of a frame."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nvrc_components.representations.grids import FeatureGrid
from nvrc_components.representations.patches import blend, plan_blend
from nvrc_components.representations.representation import BaseStem

TAPS = 3  # frames the temporal convolution sees: the previous, this one, the next


class StemLevel(nn.Module):
    """One base grid and its full 3x3 or 3x3x3 convolution.

    The grid is blended in time before the convolution: both are linear and the blending weights sum to one,
    so the result is that of convolving the slices first, at one convolution for each frame asked.

    Args:
        grid: The base grid; for a 3x3x3 convolution one whose features are those of three slices.
        conv: 3x3, or 3x3x3 over the three slices.
    """

    def __init__(self, grid: FeatureGrid, conv: nn.Conv2d | nn.Conv3d) -> None:
        super().__init__()
        self.features = grid
        self.conv = conv
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, frames: Tensor, size: tuple[int, int]) -> Tensor:
        """Convolved features, resized bilinearly.

        Shape: ``frames`` (N,) -> (N, c_out, *size).
        """
        x = F.conv2d(self.features(frames), self._kernel(), self.conv.bias, padding=1)
        if x.shape[-2:] == size:
            return x
        return F.interpolate(x, size, mode="bilinear", align_corners=False)

    def crop(self, frames: Tensor, size: tuple[int, int], positions: tuple[Tensor, Tensor]) -> Tensor:
        """The same at chosen rows and columns of each sample only.

        Shape: ``frames`` (N,), ``positions`` (N, n) and (N, m) -> (N, c_out, n, m).
        """
        extent = self.features.grid.shape[-2:]
        rows, columns = (plan_blend(*axis) for axis in zip(positions, extent, size, strict=True))
        x = F.conv2d(self.features.span(frames, rows.span, columns.span), self._kernel(), self.conv.bias)
        return blend(x.permute(0, 2, 3, 1), rows, columns).permute(0, 3, 1, 2)

    def _kernel(self) -> Tensor:
        weight = self.conv.weight
        return weight if weight.dim() == 4 else weight.transpose(1, 2).flatten(1, 2)  # slice by slice


def sum_levels(
    levels: nn.ModuleList, frames: Tensor, size: tuple[int, int], positions: tuple[Tensor, Tensor] | None
) -> Tensor:
    """All levels at the base resolution, whole or at chosen rows and columns of each sample, added up.

    Shape: ``frames`` (N,), ``positions`` (N, n) and (N, m) -> (N, c_out, *size) or (N, c_out, n, m).
    """
    parts = []
    for level in levels:
        assert isinstance(level, StemLevel)
        parts.append(level(frames, size) if positions is None else level.crop(frames, size, positions))
    x: Tensor = parts[0]
    for part in parts[1:]:
        x = x + part
    return x


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
            self.weight[:, :, 1].diagonal().add_(1)

    def forward(self, x: Tensor) -> Tensor:
        """Blends the taps of every sample.

        Shape: (3, B, C, h, w), tap first -> (B, h, w, C).
        """
        x = x.permute(1, 3, 4, 0, 2)  # (B, h, w, 3, C)
        flat = x.reshape(*x.shape[:3], -1)
        return F.linear(flat, self.weight.transpose(1, 2).flatten(1), self.bias)


class Stem(BaseStem):
    """Sum of all levels at the base resolution, then the temporal convolution.

    Args:
        levels: Base grids, finest first.
        channels: Width of the result.
        total: Frames of the video.
        size: Height and width of the result.
    """

    def __init__(self, levels: list[FeatureGrid], channels: int, total: int, size: tuple[int, int]) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            StemLevel(grid, nn.Conv2d(grid.grid.shape[1], channels, 3, padding=1)) for grid in levels
        )
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
        repeated = None if positions is None else (positions[0].repeat(TAPS, 1), positions[1].repeat(TAPS, 1))
        x = sum_levels(self.levels, around, self.size, repeated)
        return self.temporal(x.reshape(TAPS, -1, *x.shape[1:]))  # type: ignore[no-any-return]
