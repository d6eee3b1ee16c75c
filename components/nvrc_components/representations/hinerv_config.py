"""The shape of a HiNeRV network as plain integers."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from nvrc_components.representations.fields import FieldReader, check, frame_sizes

LIMITS: Final = {
    "version": (1, 2),
    "frames": (1, 2**24),
    "height": (1, 2**16),
    "width": (1, 2**16),
    "out_channels": (1, 16),
    "shortcut": (0, 1),
    "grid_slices": (1, 2**24),
    "grid_channels": (1, 1024),
    "grid_levels": (1, 8),
    "local_channels": (0, 1024),
    "local_levels": (0, 8),
    "stages": (1, 8),
    "widths": (1, 4096),
    "depths": (1, 32),
    "strides": (1, 8),
    "expansion": (1, 16),
}
SCALARS: Final = (  # as they begin the list in a file header
    *("version", "frames", "height", "width", "out_channels", "shortcut"),
    *("grid_slices", "grid_channels", "grid_levels", "local_channels", "local_levels"),
)
SERIES: Final = ("widths", "depths", "strides", "expansion")


class GridShape(NamedTuple):
    """Shape of one base grid."""

    slices: int
    channels: int
    height: int
    width: int


@dataclass(frozen=True)
class HiNervConfig:
    """Everything a decoder needs to build the network; integers only, checked on creation.

    Attributes:
        frames: Frames of the video.
        height: Rows of a frame in pixels.
        width: Columns of a frame in pixels.
        grid_slices: Temporal length of the finest base grid.
        grid_channels: Channels of the finest base grid; they double with every level.
        grid_levels: Base grids; time halves per level, and so do height and width in version 2.
        local_channels: Channels of the first stage's first local grid, halved with every stage; 0 for none.
        local_levels: Local grids of each stage; time halves and channels double per level.
        widths: Channels of each stage.
        depths: Blocks of each stage.
        strides: Upsampling factor of each stage.
        expansion: Hidden channels of each stage's blocks as a multiple of their width.
        version: 1 is the original (arXiv 2306.09818), 2 the network of NVRC (arXiv 2409.07414); their stems differ.
        shortcut: 1 where blocks that change width carry their input across by a linear map; never as published.
        out_channels: Channels of the video.

    Raises:
        ValueError: A field is out of range; the message starts with its name.
    """

    frames: int
    height: int
    width: int
    grid_slices: int
    grid_channels: int = 2
    grid_levels: int = 4
    local_channels: int = 4
    local_levels: int = 3
    widths: tuple[int, ...] = (96, 48, 24, 12)
    depths: tuple[int, ...] = (3, 3, 3, 1)
    strides: tuple[int, ...] = (3, 2, 2, 2)
    expansion: tuple[int, ...] = (4, 4, 4, 4)
    version: int = 2
    shortcut: int = 0
    out_channels: int = 3

    def __post_init__(self) -> None:
        for name in SCALARS:
            check(LIMITS, name, [getattr(self, name)])
        check(LIMITS, "stages", [len(self.widths)])
        for name in SERIES:
            check(LIMITS, name, getattr(self, name))
            if len(getattr(self, name)) != len(self.widths):
                raise ValueError(f"{name}: {len(self.widths)} entries are needed, one per width")

    def sizes(self) -> list[tuple[int, int]]:
        """Height and width at the stem, then after every stage; the last is the frame itself."""
        return frame_sizes(self.height, self.width, self.strides)

    def base_grids(self) -> list[GridShape]:
        """Shapes of the base grids, finest first; halves are rounded down, as in the papers, and never to nothing."""
        height, width = self.sizes()[0]
        spatial = self.version == 2
        return [
            GridShape(
                halved(self.grid_slices, level),
                self.grid_channels << level,
                halved(height, level * spatial),
                halved(width, level * spatial),
            )
            for level in range(self.grid_levels)
        ]

    def to_ints(self) -> list[int]:
        """The configuration as a flat list for a file header; ``from_ints`` reads it back."""
        scalars = [getattr(self, name) for name in SCALARS]
        return [*scalars, len(self.widths), *(value for name in SERIES for value in getattr(self, name))]

    @classmethod
    def from_ints(cls, ints: Sequence[int]) -> "HiNervConfig":
        """Reads what ``to_ints`` wrote.

        Raises:
            ValueError: Too few or too many integers, or a field out of range (named first in the message).
        """
        fields = FieldReader(ints, LIMITS)
        scalars = {name: fields.take(name) for name in SCALARS}
        stages = fields.take("stages")
        widths, depths, strides, expansion = (fields.series(name, stages) for name in SERIES)
        fields.finish("expansion")
        return cls(widths=widths, depths=depths, strides=strides, expansion=expansion, **scalars)


def halved(value: int, times: int) -> int:
    """The value halved so many times, rounded down, at least 1."""
    return max(1, value >> times)
