"""The stem: base grids of several resolutions become the first feature map of a frame."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nvrc_components.representations.grids import FeatureGrid

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

    def forward(self, frames: Tensor) -> Tensor:
        """First feature map of each frame.

        Shape: ``frames`` (B,) -> (B, h, w, channels).
        """
        around = self.neighbours(frames)
        x = self.levels[0](around, self.size)
        for level in self.levels[1:]:
            x = x + level(around, self.size)
        return self.temporal(x.unflatten(0, (TAPS, -1)))  # type: ignore[no-any-return]
