"""The shape of an NVRC-Lite network as plain integers, and the presets that choose it for a clip."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from nvrc_components.representations.fields import FieldReader, check, frame_sizes

LIMITS: Final = {
    "frames": (1, 2**24),
    "height": (1, 2**16),
    "width": (1, 2**16),
    "expansion": (1, 16),
    "out_channels": (1, 16),
    "shortcut": (0, 1),
    "local_channels": (0, 1024),
    "local_levels": (0, 16),
    "stages": (1, 8),
    "widths": (1, 4096),
    "depths": (1, 32),
    "strides": (1, 8),
    "stage_grids": (0, 4096),
    "base_levels": (1, 16),
    "base_grids": (1, 4096),
}
SCALARS: Final = (  # as they begin the list in a file header
    *("frames", "height", "width", "expansion", "out_channels", "shortcut"),
    *("local_channels", "local_levels"),
)


@dataclass(frozen=True)
class NvrcLiteConfig:
    """Everything a decoder needs to build the network; integers only, checked on creation.

    Attributes:
        frames: Frames of the video.
        height: Rows of a frame in pixels.
        width: Columns of a frame in pixels.
        widths: Channels of each stage.
        depths: Blocks of each stage.
        strides: Upsampling factor of each stage.
        expansion: Hidden channels of a block as a multiple of its width.
        base_grids: Levels under the stem, each (channels, time divisor, space divisor).
        stage_grids: One per stage, (channels, time divisor); 0 channels for none.
        local_channels: Channels of the first stage's first local grid, halved with every stage; 0 for none.
        local_levels: Local grids of each stage; time halves and channels double per level.
        shortcut: 1 where blocks that change width carry their input across by a linear map.
        out_channels: Channels of the video.

    Raises:
        ValueError: A field is out of range; the message starts with its name.
    """

    frames: int
    height: int
    width: int
    widths: tuple[int, ...] = (96, 48, 24, 12)
    depths: tuple[int, ...] = (1, 1, 1, 1)
    strides: tuple[int, ...] = (3, 2, 2, 2)
    expansion: int = 4
    base_grids: tuple[tuple[int, int, int], ...] = ((4, 1, 1), (8, 2, 2))
    stage_grids: tuple[tuple[int, int], ...] = ((2, 4), (1, 4), (1, 8), (0, 1))
    local_channels: int = 4
    local_levels: int = 2
    shortcut: int = 1
    out_channels: int = 3

    def __post_init__(self) -> None:
        for name in SCALARS:
            check(LIMITS, name, [getattr(self, name)])
        check(LIMITS, "stages", [len(self.widths)])
        for name in ("widths", "depths", "strides"):
            check(LIMITS, name, getattr(self, name))
        check(LIMITS, "base_levels", [len(self.base_grids)])
        for name, pairs, size in (("base_grids", self.base_grids, 3), ("stage_grids", self.stage_grids, 2)):
            if any(len(entry) != size for entry in pairs):
                raise ValueError(f"{name}: every entry needs {size} integers")
            check(LIMITS, name, [value for entry in pairs for value in entry])
        for name in ("depths", "strides", "stage_grids"):
            if len(getattr(self, name)) != len(self.widths):
                raise ValueError(f"{name}: {len(self.widths)} entries are needed, one per width")
        if any(divisor < 1 for _, divisor in self.stage_grids):
            raise ValueError("stage_grids: a time divisor must be at least 1")

    def sizes(self) -> list[tuple[int, int]]:
        """Height and width at the stem, then after every stage; the last is the frame itself."""
        return frame_sizes(self.height, self.width, self.strides)

    def to_ints(self) -> list[int]:
        """The configuration as a flat list for a file header; ``from_ints`` reads it back."""
        head = [*(getattr(self, name) for name in SCALARS), len(self.widths), len(self.base_grids)]
        grids = [value for entry in (*self.stage_grids, *self.base_grids) for value in entry]
        return [*head, *self.widths, *self.depths, *self.strides, *grids]

    @classmethod
    def from_ints(cls, ints: Sequence[int]) -> "NvrcLiteConfig":
        """Reads what ``to_ints`` wrote.

        Raises:
            ValueError: Too few or too many integers, or a field out of range (named first in the message).
        """
        fields = FieldReader(ints, LIMITS)
        scalars = {name: fields.take(name) for name in SCALARS}
        stages, levels = fields.take("stages"), fields.take("base_levels")
        widths, depths, strides = (fields.series(name, stages) for name in ("widths", "depths", "strides"))
        pairs = [fields.series("stage_grids", 2) for _ in range(stages)]
        base = [fields.series("base_grids", 3) for _ in range(levels)]
        fields.finish("base_grids")
        return cls(
            widths=widths,
            depths=depths,
            strides=strides,
            base_grids=tuple((channels, time, space) for channels, time, space in base),
            stage_grids=tuple((channels, time) for channels, time in pairs),
            **scalars,
        )


PRESETS: dict[str, tuple[int, ...]] = {  # widths; about 1, 3, 7, 12 and 20 kMAC per pixel, all included
    "xxs": (32, 16, 8, 4),
    "xs": (64, 32, 16, 8),
    "s": (96, 48, 24, 12),
    "m": (128, 64, 32, 16),
    "l": (160, 80, 40, 20),
}
# Short clips see few steps: there local grids cost a quarter of a step and changed nothing measurable
# (192x128, 32 frames, "xxs": 25.35 dB at 0.147 bpp of grids without, 25.29 dB at 0.152 bpp with, two seeds).
WITHOUT_LOCAL_GRIDS = ("xxs", "xs")
# Source pixels from which "auto" takes a preset: at about 4 bits each, the trunk's parameters should stay
# near or below 0.05 bit per source pixel, or they outweigh the grids in a short clip.
AUTO = ((0, "xxs"), (3_000_000, "xs"), (12_000_000, "s"), (1_000_000_000, "m"))


def auto_size(frames: int, height: int, width: int) -> str:
    """The preset that suits a clip's number of source pixels."""
    pixels = frames * height * width
    return [name for least, name in AUTO if pixels >= least][-1]


def nvrc_lite_config(size: str, frames: int, height: int, width: int, out_channels: int = 3) -> NvrcLiteConfig:
    """A network for a clip.

    Args:
        size: ``"auto"`` or one of ``PRESETS``.
        frames: Frames of the clip.
        height: Rows of a frame.
        width: Columns of a frame.
        out_channels: Channels of a frame.

    Raises:
        ValueError: The size is not known.
    """
    name = auto_size(frames, height, width) if size == "auto" else size
    if name not in PRESETS:
        raise ValueError(f"size: {size!r} is not one of auto, {', '.join(PRESETS)}")
    return NvrcLiteConfig(
        frames,
        height,
        width,
        widths=PRESETS[name],
        local_channels=0 if name in WITHOUT_LOCAL_GRIDS else 4,
        out_channels=out_channels,
    )
