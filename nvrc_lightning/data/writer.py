"""Integer frames out to a video file or a folder of pictures."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from nvrc_components.atomic import atomic_path
from nvrc_components.errors import InputError
from nvrc_components.functional.color import Planes, planes_to_rgb, rgb_to_planes
from nvrc_components.video_format import Chroma, ColourRange, VideoFormat
from nvrc_lightning.data.container_sink import container_sink
from nvrc_lightning.data.images import png_sink
from nvrc_lightning.data.y4m import y4m_sink

Frames = Tensor | Planes
_FFV1_DEPTHS = (8, 9, 10, 12, 14, 16)


def write_video(
    frames: Iterable[Frames], fmt: VideoFormat, path: str | Path, force: bool = False, first: int = 0
) -> VideoFormat:
    """Write frames as they come, one chunk in memory at a time; the output appears only when it is complete.

    .y4m and .mkv (FFV1) keep YUV planes exactly, .mkv and a folder of PNG (a path without a suffix) keep RGB
    exactly. .mp4 (H.264, crf 12) is for viewing. See `stored_format` for what is converted.

    Args:
        frames: chunks, each RGB (T, 3, H, W) or three planes (T, h, w) of `fmt`: integer code values, or
            for RGB also floats in [0, 1].
        fmt: what the chunks mean; its number of frames is not looked at.
        path: the output.
        force: replace what exists.
        first: number of the first frame, by which PNG pictures are named.

    Returns:
        The format of what was written, with the number of frames.

    Raises:
        InputError: the output exists, cannot be written, or cannot hold this format; or there is no frame.
    """
    target = stored_format(fmt, path)
    suffix = _suffix(Path(path))
    written = 0
    with (
        atomic_path(path, force=force, folder=suffix == "") as place,
        _sink(place, target, suffix, first) as write,
    ):
        for chunk in frames:
            planes = _convert(chunk, fmt, target)
            write(planes)
            written += planes[0].shape[0]
        if written == 0:
            raise InputError(f"{path}: there is no frame to write")
    return replace(target, frames=written)


def stored_format(fmt: VideoFormat, path: str | Path) -> VideoFormat:
    """Format in which an output holds frames of `fmt`.

    A folder of PNG is RGB at the same depth. Y4M cannot hold RGB, which becomes limited-range 4:4:4 of the
    same depth and matrix. MP4 takes 8 and 10 bits: any other depth becomes 10, and RGB becomes limited 4:2:0.

    Raises:
        InputError: the kind of output is unknown or cannot hold the format.
    """
    suffix = _suffix(Path(path))
    if suffix == "":
        return replace(fmt, chroma=Chroma.RGB, colour_range=ColourRange.FULL)
    is_rgb = fmt.chroma == Chroma.RGB
    if suffix == ".y4m":
        return replace(fmt, chroma=Chroma.YUV444, colour_range=ColourRange.LIMITED) if is_rgb else fmt
    if suffix == ".mkv":
        if fmt.bit_depth not in _FFV1_DEPTHS:
            raise InputError(f"{path}: .mkv cannot hold {fmt.bit_depth} bits; write .y4m or a folder of PNG")
        return fmt
    target = replace(fmt, bit_depth=8 if fmt.bit_depth == 8 else 10)
    if is_rgb:
        target = replace(target, chroma=Chroma.YUV420, colour_range=ColourRange.LIMITED)
    odd_height = target.chroma == Chroma.YUV420 and fmt.height % 2
    if odd_height or (target.chroma != Chroma.YUV444 and fmt.width % 2):
        raise InputError(f"{path}: .mp4 cannot hold the odd size {fmt.width}x{fmt.height}; write .mkv or .y4m")
    return target


def _suffix(path: Path) -> str:
    """Kind of output: a known suffix, or "" for a folder."""
    suffix = "" if path.is_dir() else path.suffix.lower()
    if suffix not in ("", ".y4m", ".mkv", ".mp4"):
        raise InputError(f"{path}: cannot write {suffix}; use .mkv, .y4m, .mp4, or a folder for PNG pictures")
    return suffix


def _sink(
    place: Path, target: VideoFormat, suffix: str, first: int
) -> AbstractContextManager[Callable[[Planes], None]]:
    """Where planes of the target format go."""
    if suffix == "":
        return png_sink(place, target, first)
    if suffix == ".y4m":
        return y4m_sink(place, target)
    return container_sink(place, target, suffix)


def _convert(chunk: Frames, fmt: VideoFormat, target: VideoFormat) -> Planes:
    """Bring a chunk into the planes of the target."""
    same_depth = fmt.bit_depth == target.bit_depth
    if isinstance(chunk, Tensor):
        rgb = chunk
    elif fmt == target:
        return chunk
    else:
        rgb = planes_to_rgb(chunk, fmt)
    if not same_depth and not rgb.is_floating_point():
        rgb = rgb.float() / fmt.peak
    return rgb_to_planes(rgb, target)
