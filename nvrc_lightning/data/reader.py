"""Any video into memory, in its own planes."""

from dataclasses import replace
from itertools import islice
from pathlib import Path

import torch

from nvrc_components.errors import InputError
from nvrc_components.functional.color import Planes
from nvrc_lightning.data.container import open_container
from nvrc_lightning.data.images import open_images
from nvrc_lightning.data.options import NO_GEOMETRY, WHOLE, RawGeometry, Selection
from nvrc_lightning.data.paths import is_missing
from nvrc_lightning.data.raw import open_raw
from nvrc_lightning.data.source import UNKNOWN, Source
from nvrc_lightning.data.video import Video
from nvrc_lightning.data.y4m import open_y4m

RAW_SUFFIXES = (".yuv", ".raw", ".i420")


def read_video(path: str | Path, select: Selection = WHOLE, raw: RawGeometry = NO_GEOMETRY) -> Video:
    """Read a video, or the part of it that is selected, without changing its code values.

    By the name: a folder, a glob or a .png is pictures (RGB); .yuv, .raw and .i420 are headerless planes that
    need `raw`; .y4m is YUV4MPEG2; anything else is given to FFmpeg. See the `open_*` functions for what each
    keeps and assumes. Frames outside the selection are not kept, and cropping and resizing happen frame by
    frame, so memory holds the result only.

    Args:
        path: file, folder or glob.
        select: frames, crop and size.
        raw: geometry of a raw file; its rate also serves pictures, its matrix untagged videos.

    Raises:
        InputError: the video cannot be read as asked; one line says why and what to change.
    """
    source = _open_source(Path(path).expanduser(), raw)
    if source.count != UNKNOWN and max(select.start + 1, select.stop) > source.count:
        raise _outside(source.name, select, source.count)
    count = select.stop - select.start if select.stop else None
    columns: tuple[list[torch.Tensor], ...] = ([], [], [])
    fmt = source.frame_format
    for planes in islice(source.walk(select.start), count):
        frame = _reshape(Video(source.frame_format, _batched(planes)), select)
        fmt = frame.format
        for column, plane in zip(columns, frame.planes, strict=True):
            column.append(plane)
    found = len(columns[0])
    if found == 0 or (count is not None and found < count):
        length = select.start + found if found else sum(1 for _ in source.walk(0))
        raise _outside(source.name, select, length)
    y, u, v = (_drain(column) for column in columns)
    return Video(replace(fmt, frames=found), (y, u, v))


def _open_source(path: Path, raw: RawGeometry) -> Source:
    """Choose the reader by the name."""
    try:
        if is_missing(path):
            raise InputError(f"{path}: no such file")
        if path.is_dir() or not path.exists() or path.suffix.lower() == ".png":
            return open_images(path, raw.fraction)
        if path.stat().st_size == 0:
            raise InputError(f"{path}: the file is empty")
        if path.suffix.lower() == ".nvrc":
            raise InputError(f"{path}: is compressed already; 'nvrc decode {path} OUT' makes a video of it")
        if path.suffix.lower() in RAW_SUFFIXES:
            return open_raw(path, raw)
        return open_y4m(path, raw.matrix) if path.suffix.lower() == ".y4m" else open_container(path, raw.matrix)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _batched(planes: Planes) -> Planes:
    """Give each plane of one frame a time axis."""
    return planes[0][None], planes[1][None], planes[2][None]


def _reshape(frame: Video, select: Selection) -> Video:
    """Crop, then resize; what is kept no longer holds on to the whole frame."""
    if select.crop != WHOLE.crop:
        frame = frame.crop(*select.crop)
        y, u, v = (plane.clone() for plane in frame.planes)
        frame = Video(frame.format, (y, u, v))
    if select.size not in (WHOLE.size, (frame.format.width, frame.format.height)):
        frame = frame.resize(*select.size)
    return frame


def _drain(column: list[torch.Tensor]) -> torch.Tensor:
    """Join the frames of a plane and let go of them, so that only one plane is ever held twice."""
    joined = torch.cat(column)
    column.clear()
    return joined


def _outside(name: str, select: Selection, count: int) -> InputError:
    """The selection asks for frames that are not there."""
    if count == 0:
        return InputError(f"{name}: the video holds no frame")
    wanted = f"{select.start}:{select.stop or ''}"
    return InputError(f"{name}: frames {wanted} are outside the video, which has frames 0:{count}")
