"""YUV4MPEG2 files: a text header, then planar frames (described in mjpegtools' yuv4mpeg(5))."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from nvrc_components.errors import InputError
from nvrc_components.functional.color import Planes
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat
from nvrc_lightning.data.source import (
    UNKNOWN,
    Source,
    frame_bytes,
    luma_only,
    sample_bytes,
    split_planes,
    to_samples,
    untagged_matrix,
)

_LONGEST_LINE = 4096
_NAMES = {"420": Chroma.YUV420, "422": Chroma.YUV422, "444": Chroma.YUV444, "mono": Chroma.YUV420}
_MATRIX_TAG = "NVRC_MATRIX="  # Y4M has no word for the matrix; X parameters are free, readers skip strangers


def open_y4m(path: Path, matrix: ColourMatrix | None = None) -> Source:
    """Open a Y4M file: 4:2:0, 4:2:2, 4:4:4 and mono, 8 to 16 bits; interlaced frames are taken as they are.

    The matrix is the one this library's writer notes, else the one told, else the usual guess from the height; the
    range is limited unless XCOLORRANGE says full. A rate that is missing or zero becomes 25.

    Raises:
        InputError: the header is not one of these.
    """
    with path.open("rb") as file:
        header = file.readline(_LONGEST_LINE)
        body = file.tell()
    frame_format, mono = _parse_header(header, str(path), matrix)

    def walk(start: int) -> Iterator[Planes]:
        with path.open("rb") as file:
            file.seek(body)
            yield from _walk(file, start, frame_format, mono, str(path))

    return Source(str(path), frame_format, UNKNOWN, walk)


def _parse_header(header: bytes, name: str, matrix: ColourMatrix | None) -> tuple[VideoFormat, bool]:
    """Format of one frame, and whether only luma is stored."""
    words = header.decode("ascii", "replace").split()
    if not words or words[0] != "YUV4MPEG2" or not header.endswith(b"\n"):
        raise InputError(f"{name}: not a Y4M video (it does not begin with a YUV4MPEG2 header)")
    fields = {word[0]: word[1:] for word in words[1:] if word[0] != "X"}
    extras = [word[1:] for word in words[1:] if word[0] == "X"]
    layout = re.fullmatch(r"(420|422|444|mono)(?:jpeg|mpeg2|paldv|p?(\d+))?", fields.get("C", "420"))
    if not layout:
        raise InputError(f"{name}: Y4M colour space C{fields['C']} is not supported; use 420, 422, 444 or mono")
    try:
        width, height = int(fields["W"]), int(fields["H"])
        full = "COLORRANGE=FULL" in extras
        frame_format = VideoFormat(
            width,
            height,
            1,
            _parse_rate(fields.get("F", "25:1")),
            int(layout[2] or 8),
            _NAMES[layout[1]],
            _parse_matrix(extras, height, matrix),
            ColourRange.FULL if full else ColourRange.LIMITED,
        )
    except (KeyError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise InputError(f"{name}: bad Y4M header: {reason}") from error
    return frame_format, layout[1] == "mono"


def _parse_rate(text: str) -> Fraction:
    """Frames per second from "numerator:denominator"."""
    numerator, _, denominator = text.partition(":")
    if int(numerator) == 0 or int(denominator or 1) == 0:
        return Fraction(25)
    return Fraction(int(numerator), int(denominator or 1))


def _parse_matrix(extras: list[str], height: int, told: ColourMatrix | None) -> ColourMatrix:
    """Matrix from our own remark, else the one told, else a guess."""
    for word in extras:
        if word.startswith(_MATRIX_TAG) and word.removeprefix(_MATRIX_TAG) in ColourMatrix.__members__:
            return ColourMatrix[word.removeprefix(_MATRIX_TAG)]
    return untagged_matrix(height, told)


def _walk(file: BinaryIO, start: int, frame_format: VideoFormat, mono: bool, name: str) -> Iterator[Planes]:
    """Frames from `start` on; those before are read over."""
    luma = frame_format.height * frame_format.width * sample_bytes(frame_format.bit_depth)
    size, index = luma if mono else frame_bytes(frame_format), 0
    while line := file.readline(_LONGEST_LINE):
        if not line.startswith(b"FRAME") or not line.endswith(b"\n"):
            raise InputError(f"{name}: frame {index} does not begin with FRAME; the file is damaged")
        data = file.read(size)
        if len(data) != size:
            raise InputError(f"{name}: the file ends inside frame {index}; the whole frames are frames 0:{index}")
        if index >= start:
            yield luma_only(data, frame_format) if mono else split_planes(data, frame_format)
        index += 1


def header_of(fmt: VideoFormat) -> bytes:
    """The first line of a Y4M file of a YUV format."""
    name = {Chroma.YUV420: "420", Chroma.YUV422: "422", Chroma.YUV444: "444"}[fmt.chroma]
    if fmt.bit_depth > 8:
        name += f"p{fmt.bit_depth}"
    elif fmt.chroma == Chroma.YUV420:
        name += "jpeg"  # chroma sited at the centre, as this library resamples it
    return (
        f"YUV4MPEG2 W{fmt.width} H{fmt.height} F{fmt.rate.numerator}:{fmt.rate.denominator} Ip A1:1 C{name} "
        f"XCOLORRANGE={fmt.colour_range.name} X{_MATRIX_TAG}{fmt.matrix.name}\n"
    ).encode("ascii")


@contextmanager
def y4m_sink(path: Path, fmt: VideoFormat) -> Iterator[Callable[[Planes], None]]:
    """Write a Y4M file frame after frame.

    Yields:
        A function that takes planes (T, h, w) of the format and appends them.
    """
    with path.open("wb") as file:
        file.write(header_of(fmt))

        def write(planes: Planes) -> None:
            for frame in zip(*(to_samples(plane, fmt.bit_depth) for plane in planes), strict=True):
                file.write(b"FRAME\n" + b"".join(plane.tobytes() for plane in frame))

        yield write
