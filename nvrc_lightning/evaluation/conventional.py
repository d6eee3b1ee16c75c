"""Conventional codecs, through the encoders that come with PyAV, measured as our own files are."""

import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import av
import numpy as np

from nvrc_components.atomic import atomic_path
from nvrc_components.errors import InputError
from nvrc_components.functional.color import planes_to_rgb
from nvrc_components.video_format import Chroma, ColourRange, VideoFormat
from nvrc_lightning.data.container import open_container
from nvrc_lightning.data.ffmpeg import RANGES, SPACES, planar_pix_fmt
from nvrc_lightning.data.source import to_samples
from nvrc_lightning.data.video import Video
from nvrc_lightning.evaluation.encoders import CODECS, ConventionalCodec
from nvrc_lightning.evaluation.metrics import Decoded, Scores, score

__all__ = ["ConventionalCodec", "ConventionalPoint", "encode_conventional"]

_SIGNATURE = re.compile(rb"x264 - (core \d+)|x265 \(build \d+\) - ([\w.+-]+)")
_ONE_INTRA = 1 << 20  # frames between intra frames: more than any video here has


@dataclass(frozen=True)
class ConventionalPoint:
    """One video at one quality of a conventional codec.

    Args:
        codec: encoder and settings.
        coded_bytes: bytes of the coded video: packets and parameter sets, without the container around them and
            without SEI messages. Those hold the encoder's settings as text, up to 2 kB that no decoder needs
            but that would weigh a sixth of a small file.
        bpp: bits of those for each pixel of the source.
        scores: quality of the frames decoded from the written file.
        encode_seconds: wall time of encoding.
        decode_seconds: wall time of decoding all frames, without any conversion.
        decode_fps: frames decoded in a second.
        version: of the encoder, as it signs its files; empty for those that do not.
    """

    codec: ConventionalCodec
    coded_bytes: int
    bpp: float
    scores: Scores
    encode_seconds: float
    decode_seconds: float
    decode_fps: float
    version: str


def encode_conventional(
    video: Video, codec: ConventionalCodec, path: str | Path, force: bool = False
) -> ConventionalPoint:
    """Code a video into a Matroska file, decode that file again and measure it.

    YUV is coded in its own chroma format and bit depth. RGB, which these codecs are not made for, becomes 4:2:0 in
    limited range, as is usual; the loss counts.

    Args:
        video: the source.
        codec: encoder and settings.
        path: where the coded file stays.
        force: replace the file if it exists.

    Raises:
        InputError: the encoder cannot take this video, or the file cannot be written.
    """
    native = _native(video, codec)
    with atomic_path(path, force=force) as temporary:
        try:
            coded_bytes, encode_seconds = _encode(native, codec, temporary)
        except av.FFmpegError as error:
            raise InputError(f"{path}: {codec.name} cannot code this video ({error.strerror})") from error
        decode_seconds = _time_decoding(temporary, codec.threads)
        scores = score(_decoded(temporary, native.format, video.format), video)
        version = _version(temporary)
    return ConventionalPoint(
        codec=codec,
        coded_bytes=coded_bytes,
        bpp=8 * coded_bytes / video.format.pixels,
        scores=scores,
        encode_seconds=encode_seconds,
        decode_seconds=decode_seconds,
        decode_fps=video.format.frames / decode_seconds,
        version=version,
    )


def _native(video: Video, codec: ConventionalCodec) -> Video:
    """The video in planes the encoder takes."""
    codec.check(video.format)
    if video.format.chroma != Chroma.RGB:
        return video
    limited = replace(video.format, chroma=Chroma.YUV420, colour_range=ColourRange.LIMITED)
    return Video(limited, video.to_yuv420())


def _encode(video: Video, codec: ConventionalCodec, path: Path) -> tuple[int, float]:
    """Write the file; bytes of its coded video, and wall seconds."""
    fmt, total, start = video.format, 0, time.perf_counter()
    is_sei = CODECS[codec.name].is_sei
    os.environ.setdefault("SVT_LOG", "1")  # errors only; it reports on stderr otherwise
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream(CODECS[codec.name].library, rate=fmt.rate, options=codec.options)
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = fmt.width, fmt.height, planar_pix_fmt(fmt)
        context.color_range, context.colorspace = RANGES[fmt.colour_range], SPACES[fmt.matrix]
        context.thread_count, context.gop_size = codec.threads, codec.intra_period or _ONE_INTRA
        context.thread_type = "FRAME"  # slices, PyAV's default, cost x264 3 % of the bits
        for frame in (*_av_frames(video), None):
            for packet in stream.encode(frame):
                total += _coded_bytes(bytes(packet), is_sei)
                container.mux(packet)
        if is_sei:  # AV1 repeats its sequence header in the first packet
            total += _coded_bytes(context.extradata or b"", is_sei)
    return total, time.perf_counter() - start


def _coded_bytes(data: bytes, is_sei: Callable[[int], bool] | None) -> int:
    """Length of a packet or of parameter sets with SEI messages left out (Annex B byte streams)."""
    if is_sei is None:
        return len(data)
    starts = [(match.start(), match.end()) for match in re.finditer(rb"\x00?\x00\x00\x01", data)]
    ends = [start for start, _ in starts[1:]] + [len(data)]
    units = zip(starts, ends, strict=True)
    return sum(end - start for (start, first), end in units if not is_sei(data[first]))


def _av_frames(video: Video) -> Iterator[Any]:
    """The video as FFmpeg's frames."""
    fmt = video.format
    for index in range(fmt.frames):
        frame = av.VideoFrame(fmt.width, fmt.height, planar_pix_fmt(fmt))
        frame.pts, frame.time_base = index, 1 / fmt.rate
        frame.color_range, frame.colorspace = RANGES[fmt.colour_range], SPACES[fmt.matrix]
        for target, plane in zip(frame.planes, video.planes, strict=True):
            samples = to_samples(plane[index], fmt.bit_depth)
            rows = np.zeros((target.height, target.line_size // samples.itemsize), samples.dtype)
            rows[:, : samples.shape[1]] = samples
            target.update(rows)
        yield frame


def _time_decoding(path: Path, threads: int) -> float:
    """Wall seconds from opening the file to its last frame."""
    start = time.perf_counter()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type, stream.codec_context.thread_count = "AUTO", threads
        for _ in container.decode(stream):
            pass
    return time.perf_counter() - start


def _version(path: Path) -> str:
    """The version in the SEI message at the start of a file, by which x264 and x265 sign it."""
    with path.open("rb") as file:
        found = _SIGNATURE.search(file.read(1 << 16))
    return next((group.decode() for group in found.groups() if group), "") if found else ""


def _decoded(path: Path, coded: VideoFormat, source: VideoFormat) -> Iterator[Decoded]:
    """Frames of the file, in the source's planes, or in RGB where the source is RGB."""
    for first, second, third in open_container(path).walk(0):
        planes = first[None], second[None], third[None]
        yield planes_to_rgb(planes, coded) if source.chroma == Chroma.RGB else planes
