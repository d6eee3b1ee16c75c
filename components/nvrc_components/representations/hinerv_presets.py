"""HiNeRV's published sizes, smaller ones for short clips, and the rule that picks one."""

from typing import Any, Final, NamedTuple

from nvrc_components.representations.hinerv_config import HiNervConfig

ORIGINAL: Final = 1
NVRC: Final = 2


class Preset(NamedTuple):
    """A size: channels of the first stage (halved with every stage), the finest base grid and the first local grid."""

    width: int
    grid_channels: int
    local_channels: int
    depths: tuple[int, ...] = (3, 3, 3, 1)


COMMON: Final[dict[int, dict[str, Any]]] = {
    ORIGINAL: {"strides": (5, 3, 2, 2), "expansion": (4, 4, 4, 1), "grid_levels": 2},
    NVRC: {"strides": (3, 2, 2, 2), "expansion": (4, 4, 4, 4), "grid_levels": 4},
}
PRESETS: Final = {  # w and a number: sizes of ours for short clips, by the first width
    ORIGINAL: {
        "w48": Preset(48, 2, 4),
        "w96": Preset(96, 2, 4),
        "mcl-xxs": Preset(136, 2, 4),  # for MCL-JCV: smaller networks with the grids of the sizes below
        "mcl-xs": Preset(196, 4, 8),
        "mcl-s": Preset(280, 8, 16),
        "mcl-m": Preset(400, 16, 32),
        "mcl-l": Preset(560, 32, 64),
        "s": Preset(280, 2, 4),
        "m": Preset(400, 4, 8),
        "l": Preset(560, 8, 16),
        "xl": Preset(688, 16, 32, (4, 4, 4, 1)),
        "xxl": Preset(864, 32, 64, (5, 5, 5, 1)),
    },
    NVRC: {
        "w32": Preset(32, 1, 2),
        "w64": Preset(64, 1, 4),
        "w96": Preset(96, 2, 4),
        "w144": Preset(144, 2, 4),
        "s1": Preset(224, 1, 4),
        "s2": Preset(336, 2, 8),
        "s3": Preset(512, 4, 16),
        "s4": Preset(768, 8, 32),
        "xxl": Preset(1152, 16, 64),
    },
}
# Source pixels from which "auto" takes a size: at about 4 bits each, its parameters stay below 0.05 bit a pixel.
AUTO: Final = {
    ORIGINAL: (
        *((0, "w48"), (26_000_000, "w96"), (60_000_000, "mcl-xxs"), (125_000_000, "mcl-xs")),
        *((255_000_000, "s"), (520_000_000, "m"), (1_030_000_000, "l")),
    ),
    NVRC: (
        *((0, "w32"), (14_000_000, "w64"), (32_000_000, "w96"), (65_000_000, "w144")),
        *((145_000_000, "s1"), (490_000_000, "s2"), (1_100_000_000, "s3")),
    ),
}
# Frames for each slice of the finest base grid. Published are 200 slices for 600 frames and 50 for 150 (NVRC), 150 and
# 40 (original), and the same numbers for the shorter clips of the same sets.
FRAMES_PER_SLICE: Final = {ORIGINAL: 4, NVRC: 3}


def auto_size(frames: int, height: int, width: int, version: int = NVRC) -> str:
    """The preset that suits a clip's number of source pixels."""
    pixels = frames * height * width
    return [name for least, name in AUTO[version] if pixels >= least][-1]


def hinerv_config(
    size: str, frames: int, height: int, width: int, version: int = NVRC, out_channels: int = 3
) -> HiNervConfig:
    """A network for a clip.

    Args:
        size: ``"auto"`` or one of the version's ``PRESETS``.
        frames: Frames of the clip.
        height: Rows of a frame.
        width: Columns of a frame.
        version: 1 for the original HiNeRV, 2 for NVRC's.
        out_channels: Channels of a frame.

    Raises:
        ValueError: The version or the size is not known.
    """
    if version not in PRESETS:
        raise ValueError(f"version: {version!r} is neither 1, the original HiNeRV, nor 2, NVRC's")
    name = auto_size(frames, height, width, version) if size == "auto" else size
    if name not in PRESETS[version]:
        raise ValueError(f"size: {size!r} is not one of auto, {', '.join(PRESETS[version])} (version {version})")
    preset = PRESETS[version][name]
    return HiNervConfig(
        frames,
        height,
        width,
        grid_slices=-(-frames // FRAMES_PER_SLICE[version]),
        grid_channels=preset.grid_channels,
        local_channels=preset.local_channels,
        widths=tuple(preset.width >> stage for stage in range(len(preset.depths))),
        depths=preset.depths,
        version=version,
        out_channels=out_channels,
        **COMMON[version],
    )
