"""FFmpeg's words for a video format."""

from typing import Final

from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat

__all__ = ["RANGES", "SPACES", "planar_pix_fmt"]

SPACES: Final = {ColourMatrix.BT601: 6, ColourMatrix.BT709: 1, ColourMatrix.BT2020: 9}
"""AVColorSpace of a matrix."""

RANGES: Final = {ColourRange.LIMITED: 1, ColourRange.FULL: 2}
"""AVColorRange of a range."""


def planar_pix_fmt(fmt: VideoFormat) -> str:
    """Name of three separate planes, little endian above 8 bits; RGB lies as G, B, R."""
    depth = "" if fmt.bit_depth == 8 else f"{fmt.bit_depth}le"
    return f"gbrp{depth}" if fmt.chroma == Chroma.RGB else f"{fmt.chroma.name.lower()}p{depth}"
