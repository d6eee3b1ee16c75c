"""Learned feature grids whose first axis is time: smooth ones, and ones tiled over space."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

INIT_RANGE = 1e-3  # NVRC, section 1.1 of the paper's supplement: grids start in U(-1e-3, 1e-3)


class TimeTaps(NamedTuple):
    """The two temporal slices a frame lies between, and the second one's weight.

    Shape: ``low``, ``high`` (B,) int64 slice numbers; ``weight`` (B,) in [0, 1).
    """

    low: Tensor
    high: Tensor
    weight: Tensor


def time_taps(frames: Tensor, slices: int, total: int) -> TimeTaps:
    """Places frames on a coarser temporal axis: source coordinate (t + 0.5) * slices / total - 0.5, clamped.

    Integer arithmetic, so that a frame which falls on a slice touches that slice alone on every machine.

    Shape: ``frames`` (B,) int64, in any order, repeats allowed.
    """
    position = ((2 * frames + 1) * slices - total).clamp(0, 2 * total * (slices - 1))
    low = torch.div(position, 2 * total, rounding_mode="floor")
    remainder = position - low * (2 * total)
    return TimeTaps(low, low + (remainder > 0).long(), remainder.float() / (2 * total))


def _slices(grid: Tensor, index: Tensor) -> Tensor:
    # an embedding lookup is index_select with a far cheaper backward pass
    return F.embedding(index, grid.flatten(1)).reshape(-1, *grid.shape[1:])


def _places(low: Tensor, high: Tensor, slices: int) -> tuple[Tensor, Tensor]:
    """Where the touched slices are among themselves; ``unique`` would have to wait for the device."""
    if low.numel() == 1:
        return low - low, high - low
    touched = torch.zeros(slices, dtype=torch.int64, device=low.device)
    places = touched.index_fill_(0, torch.cat((low, high)), 1).cumsum(0) - 1
    return places[low], places[high]


class TemporalGrid(nn.Module):
    """A parameter ``grid`` whose first axis is time, read by linear interpolation between two slices.

    While training, ``grid`` may be replaced (``torch.func.functional_call``) by the quantised slices
    ``window(frames)`` alone, in that order; nothing else of it is ever read.

    Args:
        slices: Temporal length of the grid.
        total: Frames of the video.
        shape: What one slice looks like.
    """

    grid: nn.Parameter
    low: Tensor
    high: Tensor
    weight: Tensor

    def __init__(self, slices: int, total: int, shape: Sequence[int]) -> None:
        super().__init__()
        self.slices = slices
        self.total = total
        self.grid = nn.Parameter(torch.empty(slices, *shape).uniform_(-INIT_RANGE, INIT_RANGE))
        self.tabulate()

    def tabulate(self) -> None:
        """Sets the tables of the frames' times, which are looked up and not recomputed: many small operators."""
        if self.grid.is_meta:
            # Arithmetic there would load PyTorch's compiler, three seconds of a decoder's time: one frame tells enough.
            shapes = self._tables(torch.zeros(1, dtype=torch.int64, device="cpu"))
            tables = {name: torch.empty(self.total * len(one), dtype=one.dtype) for name, one in shapes.items()}
        else:
            tables = self._tables(torch.arange(self.total))
        for name, table in tables.items():
            self.register_buffer(name, table, persistent=False)

    def _tables(self, frames: Tensor) -> dict[str, Tensor]:
        return time_taps(frames, self.slices, self.total)._asdict()

    def window(self, frames: Sequence[int] | Tensor) -> tuple[int, ...]:
        """Numbers of the slices that these frames touch, ascending.

        Shape: ``frames`` any number of frame numbers, at least one, in any order, repeats allowed.
        """
        # In plain integers: a look at the tables would wait for the device, once for every grid.
        numbers = frames.tolist() if isinstance(frames, Tensor) else frames
        period = 2 * self.total
        touched: set[int] = set()
        for frame in numbers:
            position = min(max((2 * frame + 1) * self.slices - self.total, 0), period * (self.slices - 1))
            touched.update((position // period, -(-position // period)))
        return tuple(sorted(touched))

    def taps(self, frames: Tensor) -> TimeTaps:
        """The slices to blend, numbered within whatever ``grid`` holds now: the whole or the window.

        Shape: ``frames`` (B,) int64, those that the window was made for.
        """
        low, high = self.low[frames], self.high[frames]
        if self.grid.shape[0] != self.slices:
            low, high = _places(low, high, self.slices)
        return TimeTaps(low, high, self.weight[frames])

    def forward(self, frames: Tensor) -> Tensor:
        """Slices at the times of the frames.

        Shape: ``frames`` (B,) int64 -> (B, *slice shape).
        """
        taps = self.taps(frames)
        if self.slices == self.total:
            return _slices(self.grid, taps.low)
        weight = taps.weight.to(self.grid.dtype).view(-1, *[1] * (self.grid.dim() - 1))
        return torch.lerp(_slices(self.grid, taps.low), _slices(self.grid, taps.high), weight)


class FeatureGrid(TemporalGrid):
    """Features over time and space.

    Shape: ``grid`` (slices, channels, height, width); forward (B,) -> (B, channels, height, width).
    """

    def __init__(self, slices: int, total: int, channels: int, height: int, width: int) -> None:
        super().__init__(slices, total, (channels, height, width))

    def crop(self, frames: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """The same features at chosen positions of each sample only.

        Shape: ``frames`` (B,), ``rows`` (B, h) and ``columns`` (B, w) inside the grid -> (B, h, w, channels).
        """
        taps = self.taps(frames)
        at_rows, at_columns = rows[:, :, None], columns[:, None, :]
        low = self.grid[taps.low[:, None, None], :, at_rows, at_columns]
        if self.slices == self.total:
            return low
        high = self.grid[taps.high[:, None, None], :, at_rows, at_columns]
        return torch.lerp(low, high, taps.weight.to(low.dtype)[:, None, None, None])

    def span(self, frames: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        """The same at positions that may lie outside the grid, where features are zero.

        Shape: ``frames`` (B,), ``rows`` (B, h), ``columns`` (B, w) -> (B, channels, h, w).
        """
        height, width = self.grid.shape[-2:]
        at = rows.clamp(0, height - 1), columns.clamp(0, width - 1)
        inside = (at[0] == rows)[:, :, None] & (at[1] == columns)[:, None, :]
        return (self.crop(frames, *at) * inside[..., None]).permute(0, 3, 1, 2)


class LocalGrid(TemporalGrid):
    """Features that depend on time and on the position inside one upsampled pixel, tiled over space.

    Position (y, x) after upsampling by ``factor`` reads ``grid[:, y % factor, x % factor]``
    (the hierarchical encoding of HiNeRV, arXiv 2306.09818).

    Shape: ``grid`` (slices, factor, factor, channels); forward (B,) -> (B, factor, factor, channels).
    """

    def __init__(self, slices: int, total: int, factor: int, channels: int) -> None:
        super().__init__(slices, total, (factor, factor, channels))
