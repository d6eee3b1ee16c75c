"""Frames into a Matroska (FFV1, lossless) or MP4 (H.264) file."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from nvrc_components.errors import InputError
from nvrc_components.functional.color import Planes
from nvrc_components.video_format import Chroma, VideoFormat
from nvrc_lightning.data.ffmpeg import RANGES, SPACES, planar_pix_fmt
from nvrc_lightning.data.source import to_samples

_RGB_SPACE = 0
_ENCODERS = {
    ".mkv": ("ffv1", "matroska", {"level": "3", "slicecrc": "1"}, {}),
    ".mp4": ("libx264", "mp4", {"crf": "12", "preset": "medium"}, {"movflags": "+faststart"}),
}


@contextmanager
def container_sink(path: Path, fmt: VideoFormat, suffix: str) -> Iterator[Callable[[Planes], None]]:
    """Encode frames one after the other, with matrix and range tagged.

    Args:
        path: where to write.
        fmt: the planes that will come; must be a format that the encoder takes.
        suffix: ".mkv" or ".mp4".

    Yields:
        A function that takes planes (T, h, w) of the format and encodes them.

    Raises:
        InputError: the encoder refuses the format or the file cannot be written.
    """
    codec, muxer, options, muxer_options = _ENCODERS[suffix]
    try:
        with av.open(str(path), "w", format=muxer, options=muxer_options) as container:
            stream = container.add_stream(codec, rate=fmt.rate, options=options)
            _describe(stream, fmt)
            written = 0

            def write(planes: Planes) -> None:
                nonlocal written
                for frame in zip(*(to_samples(plane, fmt.bit_depth) for plane in planes), strict=True):
                    container.mux(stream.encode(_frame(frame, fmt, written)))
                    written += 1

            yield write
            container.mux(stream.encode(None))
    except av.FFmpegError as error:
        if isinstance(error, OSError):  # no space and its like, explained by whoever owns the output
            raise
        raise InputError(f"{path}: the {codec} encoder failed ({error.strerror})") from error


def _describe(stream: Any, fmt: VideoFormat) -> None:
    """Set size, pixel format and colour tags of the stream."""
    context = stream.codec_context
    context.width, context.height, context.pix_fmt = fmt.width, fmt.height, _pix_fmt(fmt)
    context.color_range = RANGES[fmt.colour_range]
    context.colorspace = _RGB_SPACE if fmt.chroma == Chroma.RGB else SPACES[fmt.matrix]


def _pix_fmt(fmt: VideoFormat) -> str:
    """FFmpeg's name of the planes; 8-bit RGB goes packed, because FFV1 takes no planar one."""
    return "bgr0" if fmt.chroma == Chroma.RGB and fmt.bit_depth == 8 else planar_pix_fmt(fmt)


def _frame(planes: tuple[NDArray[Any], ...], fmt: VideoFormat, index: int) -> Any:
    """An FFmpeg frame holding the samples of three planes (h, w)."""
    frame = av.VideoFrame(fmt.width, fmt.height, _pix_fmt(fmt))
    frame.pts, frame.time_base = index, 1 / fmt.rate
    frame.color_range = RANGES[fmt.colour_range]
    if fmt.chroma == Chroma.RGB:
        red, green, blue = planes
        planes = (green, blue, red)
        if fmt.bit_depth == 8:
            packed = np.stack((blue, green, red, np.zeros_like(red)), axis=-1)
            planes = (packed.reshape(fmt.height, -1),)
    for target, samples in zip(frame.planes, planes, strict=True):
        rows = np.zeros(target.buffer_size // samples.itemsize, samples.dtype)
        rows = rows.reshape(-1, target.line_size // samples.itemsize)
        rows[: samples.shape[0], : samples.shape[1]] = samples
        target.update(rows.tobytes())
    return frame
