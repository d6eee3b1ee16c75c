"""Headerless planar .yuv files."""

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

from nvrc_components.errors import InputError
from nvrc_components.functional.color import Planes
from nvrc_lightning.data.options import PixelFormat, RawGeometry
from nvrc_lightning.data.source import Source, frame_bytes, split_planes


def open_raw(path: Path, geometry: RawGeometry) -> Source:
    """Open a raw file whose geometry is told.

    Raises:
        InputError: the geometry is missing, or the file is not a whole number of such frames.
    """
    frame_format = geometry.frame_format(str(path))
    size, total = frame_bytes(frame_format), path.stat().st_size
    if total % size or total == 0:
        shape = f"{geometry.width}x{geometry.height} {geometry.pix_fmt}"
        raise InputError(
            f"{path}: {total} bytes are not a whole number of {shape} frames of {size} bytes; "
            f"{_advice(total, geometry)}"
        )

    def walk(start: int) -> Iterator[Planes]:
        with path.open("rb") as file:
            file.seek(start * size)
            while data := file.read(size):
                yield split_planes(data, frame_format)

    return Source(str(path), frame_format, total // size, walk)


def _advice(total: int, geometry: RawGeometry) -> str:
    """Name the layouts of the same size that would fit the file."""
    fitting = []
    for pix_fmt in get_args(PixelFormat):
        other = RawGeometry(geometry.width, geometry.height, pix_fmt)
        if total and total % frame_bytes(other.frame_format("")) == 0:
            fitting.append(pix_fmt)
    return f"pix_fmt {' or '.join(fitting)} would fit" if fitting else "check width, height and pix_fmt"
