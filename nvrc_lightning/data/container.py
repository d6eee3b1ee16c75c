"""Videos in containers (MP4, Matroska, whatever FFmpeg opens), read in their own pixel format."""

import re
import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import av
import numpy as np
import torch

from nvrc_components.errors import InputError
from nvrc_components.functional.color import Planes
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat
from nvrc_lightning.data.source import UNKNOWN, Source, to_plane, untagged_matrix, with_neutral_chroma

# AVColorSpace to matrix. SMPTE 240M (7) is read as BT.709, FCC (4) as BT.601, and BT.2020 CL (10) as NCL:
# their luma coefficients are those or within 0.02 of them, and hardly a video of today carries them.
_MATRICES = {
    1: ColourMatrix.BT709,
    4: ColourMatrix.BT601,
    5: ColourMatrix.BT601,
    6: ColourMatrix.BT601,
    7: ColourMatrix.BT709,
    9: ColourMatrix.BT2020,
    10: ColourMatrix.BT2020,
}
_UNTAGGED = (0, 2)
_FULL = 2
_WHOLE = 0.9  # of the promised duration; sound may last a little longer than the picture
_SUBSAMPLING = {"420": Chroma.YUV420, "422": Chroma.YUV422, "444": Chroma.YUV444}
_NOT_VIDEO = {"tty", "ansi"}  # FFmpeg draws any text file as a terminal


class _Layout(NamedTuple):
    """How the planes of a pixel format are got at."""

    pix_fmt: str  # the format the frame is brought to; equal to its own where nothing needs to be done
    chroma: Chroma
    bit_depth: int
    grey: bool


def open_container(path: Path, matrix: ColourMatrix | None = None) -> Source:
    """Open the first video stream of a file; frames come in display order, whatever their timing.

    8 to 16 bit planar 4:2:0, 4:2:2, 4:4:4 and RGB keep their code values; packed forms are only rearranged,
    and rarer subsamplings are resampled to the next of these. A noted rotation by quarter turns is carried
    out. Matrix and range are those of the tags; an untagged video has limited range and the matrix told, or else
    BT.709 from 720 rows on, BT.601 below. The rate is the average one, 25 if unknown.

    Raises:
        InputError: the file is no video, has no video stream or no frame, or changes its size on the way.
    """
    frame_format, size, promised = _probe(path, matrix)

    def walk(start: int) -> Iterator[Planes]:
        times: list[float] = []
        for index, (frame, _) in enumerate(_decode(path)):
            if (frame.width, frame.height) != size:
                raise InputError(f"{path}: frame {index} changes size to {frame.width}x{frame.height}")
            times.append(frame.time or 0.0)
            if index >= start:
                yield _planes(frame, frame_format)
        found = max(times, default=0.0) - min(times, default=0.0) + float(1 / frame_format.rate)
        if found < _WHOLE * promised:
            warnings.warn(
                f"{path}: frames for {found:.1f} of {promised:.1f} seconds were found; the file may be cut short",
                stacklevel=2,
            )

    return Source(str(path), frame_format, UNKNOWN, walk)


def _probe(path: Path, matrix: ColourMatrix | None) -> tuple[VideoFormat, tuple[int, int], float]:
    """Format, stored (width, height) and promised seconds, from the first frame and the headers."""
    for frame, stream in _decode(path):
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        frame_format = _frame_format(frame, stream.codec_context, rate, str(path), matrix)
        seconds = float((stream.duration or 0) * stream.time_base)
        if not seconds and "matroska" in stream.container.format.name:  # elsewhere it may be an estimate
            seconds = (stream.container.duration or 0) / av.time_base
        return frame_format, (frame.width, frame.height), seconds
    raise InputError(f"{path}: the video stream holds no frame")


def _open(path: Path) -> Any:
    """An opened container that has a video stream."""
    try:
        container = av.open(str(path))
    except av.FFmpegError as error:
        raise InputError(f"{path}: not a video that can be opened ({error.strerror})") from error
    if container.format.name in _NOT_VIDEO:
        container.close()
        raise InputError(f"{path}: not a video but text")
    if not container.streams.video:
        kinds = sorted({stream.type for stream in container.streams})
        container.close()
        raise InputError(f"{path}: no video stream in it (only {', '.join(kinds) or 'nothing'})")
    return container


def _decode(path: Path) -> Iterator[tuple[Any, Any]]:
    """Frames of the first video stream, each with the stream."""
    with _open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        index = 0
        try:
            for frame in container.decode(stream):
                yield frame, stream
                index += 1
        except av.FFmpegError as error:
            raise InputError(
                f"{path}: frame {index} cannot be decoded ({error.strerror}); the file is damaged or cut short"
            ) from error


def _frame_format(frame: Any, context: Any, rate: Fraction, name: str, told: ColourMatrix | None) -> VideoFormat:
    """Format of a frame, its own tags before those of its stream, and those before the matrix told."""
    layout = _layout(frame, name)
    space = next((int(v) for v in (frame.colorspace, context.colorspace) if int(v) not in _UNTAGGED), None)
    if layout.chroma != Chroma.RGB and space is not None and space not in _MATRICES:
        raise InputError(f"{name}: colour matrix {space} of ITU-T H.273 is not supported; convert it to BT.709")
    matrix = ColourMatrix.BT709 if layout.chroma == Chroma.RGB else untagged_matrix(frame.height, told)
    matrix = _MATRICES.get(space, matrix) if space is not None else matrix
    ranges = [int(v) for v in (frame.color_range, context.color_range) if int(v)]
    full = layout.chroma == Chroma.RGB or frame.format.name.startswith("yuvj") or ranges[:1] == [_FULL]
    colour_range = ColourRange.FULL if full else ColourRange.LIMITED
    width, height = (frame.height, frame.width) if _turns(frame) % 2 else (frame.width, frame.height)
    try:
        return VideoFormat(width, height, 1, rate, layout.bit_depth, layout.chroma, matrix, colour_range)
    except ValueError as error:
        raise InputError(f"{name}: {error}") from error


def _turns(frame: Any) -> int:
    """Counter-clockwise quarter turns that a player would make before showing the frame."""
    return round(getattr(frame, "rotation", 0) / 90) % 4


def _layout(frame: Any, name: str) -> _Layout:
    """Choose the planar format a frame is read in."""
    own = frame.format.name.replace("yuvj", "yuv")
    components = frame.format.components
    depth = max(8, *(component.bits for component in components)) if components else 8
    if depth > 16 or own.startswith("xyz"):
        raise InputError(f"{name}: pixel format {own} is not supported; convert it to yuv420p or yuv420p10le")
    if re.fullmatch(r"gray(\d+[lb]e)?", own):
        return _Layout(own, Chroma.YUV420, depth, grey=True)
    suffix = "" if depth == 8 else f"{depth}be" if own.endswith("be") else f"{depth}le"
    if frame.format.is_rgb or frame.format.has_palette:
        return _Layout(f"gbrp{suffix}", Chroma.RGB, depth, grey=False)
    halves = (frame.format.chroma_width(64) < 64, frame.format.chroma_height(64) < 64)
    kind = {(True, True): "420", (True, False): "422"}.get(halves, "444")
    if kind == "422" and _turns(frame) % 2:
        kind = "444"  # on its side it would be subsampled vertically, which nothing else here is
    native = own == f"yuv{kind}p{suffix}"
    return _Layout(frame.format.name if native else f"yuv{kind}p{suffix}", _SUBSAMPLING[kind], depth, grey=False)


def _planes(frame: Any, frame_format: VideoFormat) -> Planes:
    """Code values of a frame, upright."""
    layout = _layout(frame, "")
    turns = _turns(frame)
    if layout.pix_fmt != frame.format.name:
        frame = frame.reformat(format=layout.pix_fmt)
    sample = np.dtype("u1" if layout.bit_depth == 8 else ">u2" if layout.pix_fmt.endswith("be") else "<u2")
    order = (2, 0, 1) if layout.chroma == Chroma.RGB else (0, 1, 2)  # FFmpeg stores G, B, R

    def plane(index: int) -> torch.Tensor:
        height, width = frame_format.plane_sizes[index][:: -1 if turns % 2 else 1]
        stored = frame.planes[order[index]]
        rows = np.frombuffer(stored, sample).reshape(-1, stored.line_size // sample.itemsize)
        return to_plane(np.rot90(rows[:height, :width], turns), layout.bit_depth)

    return with_neutral_chroma(plane(0), frame_format) if layout.grey else (plane(0), plane(1), plane(2))
