"""What part of a video is wanted, and what a file without a header cannot say about itself."""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from nvrc_components.errors import InputError
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat

_SUBSAMPLING = {"420": Chroma.YUV420, "422": Chroma.YUV422, "444": Chroma.YUV444}

PixelFormat = Literal[
    "yuv420p", "yuv420p10le", "yuv422p", "yuv422p10le", "yuv444p", "yuv444p10le"
]  # one byte, or two bytes little endian, per sample


@dataclass(frozen=True)
class Selection:
    """The frames and the region of a video that are wanted; zeros mean all of it.

    Args:
        start: first frame.
        stop: one past the last frame; 0 is the end of the video.
        crop: (x, y, width, height) in luma pixels, applied before `size`; width or height 0 reaches the edge.
        size: (width, height) to resize to; (0, 0) keeps the size.

    Raises:
        InputError: the values contradict each other.
    """

    start: int = 0
    stop: int = 0
    crop: tuple[int, int, int, int] = (0, 0, 0, 0)
    size: tuple[int, int] = (0, 0)

    def __post_init__(self) -> None:
        """Refuse what no video could satisfy."""
        if self.start < 0 or self.stop < 0 or (self.stop and self.stop <= self.start):
            raise InputError(f"frames {self.start}:{self.stop or ''} is empty; give start:stop with stop > start >= 0")
        if min(self.crop) < 0:
            raise InputError(f"crop {self.crop} has a negative number; give x, y, width, height")
        if min(self.size) < 0 or (0 in self.size and self.size != (0, 0)):
            raise InputError(f"size {self.size} must be two positive numbers: width, height")

    @classmethod
    def parse(
        cls, frames: str, crop: tuple[int, int, int, int] = (0, 0, 0, 0), size: tuple[int, int] = (0, 0)
    ) -> "Selection":
        """Read the frames from "start:stop", where either side may be left out.

        Raises:
            InputError: the text is not of that form, or names no frame.
        """
        match = re.fullmatch(r"\s*(\d*)\s*:\s*(\d*)\s*", frames)
        if not match:
            raise InputError(f"frames {frames!r} is not start:stop with whole numbers, such as ':', '0:64' or '32:'")
        start, stop = match.groups()
        if stop and int(stop) == 0:
            raise InputError(f"frames {frames!r} is empty; stop must be larger than start")
        return cls(int(start or 0), int(stop or 0), crop, size)


@dataclass(frozen=True)
class RawGeometry:
    """What a headerless .yuv file needs to be told; `rate` also serves image folders, `matrix` untagged videos.

    Args:
        width: luma width in pixels; 0 is unknown.
        height: luma height in pixels; 0 is unknown.
        pix_fmt: planar layout of a frame.
        rate: frames per second, such as "25" or "30000/1001".
        matrix: luma coefficients where the file notes none; by default BT.709 for a raw file, as HD test sequences
            are, and for other videos BT.709 from 720 rows on, BT.601 below.
        colour_range: meaning of the extreme code values.
    """

    width: int = 0
    height: int = 0
    pix_fmt: PixelFormat = "yuv420p"
    rate: str = "25"
    matrix: ColourMatrix | None = None
    colour_range: ColourRange = ColourRange.LIMITED

    @property
    def fraction(self) -> Fraction:
        """The frame rate as an exact number.

        Raises:
            InputError: `rate` is not a positive number.
        """
        try:
            value = Fraction(self.rate)
        except (ValueError, ZeroDivisionError):
            value = Fraction(0)
        if value <= 0:
            raise InputError(f"rate {self.rate!r} is not a positive number such as 25 or 30000/1001")
        return value

    def frame_format(self, path: str) -> VideoFormat:
        """Describe one frame.

        Raises:
            InputError: a side is missing or out of range.
        """
        if self.width == 0 or self.height == 0:
            raise InputError(
                f"{path}: a raw file does not know its size; "
                "give width and height (--data.raw.width, --data.raw.height)"
            )
        depth, chroma = 10 if self.pix_fmt.endswith("10le") else 8, _SUBSAMPLING[self.pix_fmt[3:6]]
        rate, matrix = self.fraction, ColourMatrix.BT709 if self.matrix is None else self.matrix
        try:
            return VideoFormat(self.width, self.height, 1, rate, depth, chroma, matrix, self.colour_range)
        except ValueError as error:
            raise InputError(f"{path}: {error}") from error


WHOLE = Selection()
NO_GEOMETRY = RawGeometry()
