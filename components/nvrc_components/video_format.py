"""What is known about a video apart from its pixels: size, rate, bit depth and what its code values mean."""

from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction

MAX_SIDE = 65535
MAX_COUNT = 2**32 - 1


class ColourMatrix(IntEnum):
    """Luma coefficients that tie Y'CbCr to R'G'B' (ITU-T H.273, table 4; BT2020 is the NCL form)."""

    BT601 = 0
    BT709 = 1
    BT2020 = 2


class ColourRange(IntEnum):
    """Which code values black and white take: limited 16..235 times 2^(bits-8), full 0..2^bits-1."""

    LIMITED = 0
    FULL = 1


class Chroma(IntEnum):
    """Kind and resolution of the three planes of a frame."""

    YUV420 = 0
    YUV422 = 1
    YUV444 = 2
    RGB = 3


@dataclass(frozen=True)
class VideoFormat:
    """Everything needed to interpret the three integer planes of a video.

    RGB planes are always full range; `matrix` then says which Y'CbCr to use if they are ever converted.

    Args:
        width: luma samples per row, 1..65535.
        height: luma rows, 1..65535.
        frames: number of frames, 1..2^32-1.
        rate: frames per second.
        bit_depth: bits of a code value, 8..16, the same in all planes.
        chroma: kind and subsampling of the planes.
        matrix: luma coefficients.
        colour_range: meaning of the extreme code values.

    Raises:
        ValueError: a field is out of its range.
    """

    width: int
    height: int
    frames: int
    rate: Fraction
    bit_depth: int
    chroma: Chroma
    matrix: ColourMatrix
    colour_range: ColourRange

    def __post_init__(self) -> None:
        """Refuse values that no video can have."""
        for name, value, low, high in (
            ("width", self.width, 1, MAX_SIDE),
            ("height", self.height, 1, MAX_SIDE),
            ("frames", self.frames, 1, MAX_COUNT),
            ("bit_depth", self.bit_depth, 8, 16),
            ("rate numerator", self.rate.numerator, 1, MAX_COUNT),
            ("rate denominator", self.rate.denominator, 1, MAX_COUNT),
        ):
            if not low <= value <= high:
                raise ValueError(f"{name} must be {low}..{high}, got {value}")
        if self.chroma == Chroma.RGB and self.colour_range != ColourRange.FULL:
            raise ValueError("RGB video must be full range")

    @property
    def pixels(self) -> int:
        """Number of luma samples in the whole video, the divisor of bits per pixel."""
        return self.frames * self.height * self.width

    @property
    def peak(self) -> int:
        """Largest code value."""
        return (1 << self.bit_depth) - 1

    @property
    def chroma_size(self) -> tuple[int, int]:
        """(height, width) of the second and third plane; a halved odd side is rounded up."""
        height = -(-self.height // 2) if self.chroma == Chroma.YUV420 else self.height
        width = -(-self.width // 2) if self.chroma in (Chroma.YUV420, Chroma.YUV422) else self.width
        return height, width

    @property
    def plane_sizes(self) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """(height, width) of each of the three planes."""
        return (self.height, self.width), self.chroma_size, self.chroma_size
