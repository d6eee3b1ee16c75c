"""PNG pictures as a video: reading through FFmpeg's decoder, writing in plain Python."""

import glob
import io
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray

from nvrc_components.errors import InputError
from nvrc_components.functional.color import Planes
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat
from nvrc_lightning.data.source import Source, to_plane

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_LAYOUTS = {  # what FFmpeg's PNG decoder gives: sample type and components of a pixel
    "gray": ("u1", 1),
    "ya8": ("u1", 2),
    "rgb24": ("u1", 3),
    "rgba": ("u1", 4),
    "gray16be": (">u2", 1),
    "ya16be": (">u2", 2),
    "rgb48be": (">u2", 3),
    "rgba64be": (">u2", 4),
}


def open_images(pattern: Path, rate: Fraction) -> Source:
    """Open one PNG, a folder of PNGs or a glob as an RGB video, in the natural order of the names.

    Grey pictures become RGB, transparency is dropped. A 16-bit picture whose sBIT chunk notes 9 to 15
    significant bits is taken at that depth.

    Raises:
        InputError: nothing matches, or a picture is no PNG or unlike the first.
    """
    paths = _expand(pattern)
    first, depth = read_png(paths[0])
    height, width = first.shape[:2]
    frame_format = VideoFormat(width, height, 1, rate, depth, Chroma.RGB, ColourMatrix.BT709, ColourRange.FULL)

    def walk(start: int) -> Iterator[Planes]:
        for path in paths[start:]:
            picture, bits = read_png(path)
            if picture.shape != first.shape or bits != depth:
                here = f"{picture.shape[1]}x{picture.shape[0]} with {bits} bits"
                raise InputError(
                    f"{path}: is {here}, but {paths[0].name} is {width}x{height} with {depth} bits; "
                    "all pictures of a video must be alike"
                )
            red, green, blue = (to_plane(picture[..., index], depth) for index in range(3))
            yield red, green, blue

    return Source(str(pattern), frame_format, len(paths), walk)


def _expand(pattern: Path) -> list[Path]:
    """Pictures named by a file, folder or glob, frame_2 before frame_10."""
    if pattern.is_dir():
        paths = [path for path in pattern.iterdir() if path.suffix.lower() == ".png"]
    elif pattern.is_file():
        paths = [pattern]
    else:
        paths = [Path(name) for name in glob.glob(str(pattern))]  # noqa: PTH207 - Path.glob refuses absolute patterns
    if not paths:
        what = "the folder holds no .png file" if pattern.is_dir() else "matches no file"
        raise InputError(f"{pattern}: {what}; give a folder of PNG pictures, a glob such as 'frames/*.png', or a video")
    return sorted(paths, key=_natural)


def _natural(path: Path) -> list[tuple[int, str]]:
    """Sort key that compares runs of digits as numbers."""
    parts = re.split(r"(\d+)", path.name)
    return [(int(part), "") if part.isdigit() else (-1, part) for part in parts]


def read_png(path: Path) -> tuple[NDArray[Any], int]:
    """Read a PNG as RGB.

    Shape:
        Returns (H, W, 3) unsigned code values, and the bit depth.

    Raises:
        InputError: the file is not a readable PNG.
    """
    data = path.read_bytes()
    if not data.startswith(_SIGNATURE):
        raise InputError(f"{path}: not a PNG picture")
    try:
        with av.open(io.BytesIO(data), format="png_pipe") as container:
            frame = next(container.decode(video=0))
            picture = _to_rgb(frame)
    except (av.FFmpegError, StopIteration) as error:
        raise InputError(f"{path}: the PNG picture is damaged") from error
    if picture.dtype == np.uint8:
        return picture, 8
    depth = _significant_bits(data)
    return picture >> (16 - depth), depth


def _to_rgb(frame: Any) -> NDArray[Any]:
    """(H, W, 3) from whatever layout the decoder gives."""
    if frame.format.name not in _LAYOUTS:  # palettes and bitmaps, which expand to 8 bits without loss
        frame = frame.reformat(format="rgb24")
    sample, components = _LAYOUTS[frame.format.name]
    rows = np.frombuffer(frame.planes[0], sample).reshape(frame.height, -1)
    picture = rows[:, : frame.width * components].reshape(frame.height, frame.width, components)
    colours = picture[..., :1].repeat(3, axis=2) if components < 3 else picture[..., :3]
    return colours.astype(np.uint8 if sample == "u1" else np.uint16)


def _significant_bits(data: bytes) -> int:
    """Depth a 16-bit PNG notes in its sBIT chunk, which must precede the pixels; 16 without one."""
    offset = len(_SIGNATURE)
    while offset + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, offset)
        if kind == b"sBIT" and length > 0:
            return min(max(max(data[offset + 8 : offset + 8 + length]), 9), 16)
        if kind == b"IDAT":
            break
        offset += length + 12
    return 16


def write_png(path: Path, picture: NDArray[Any], bit_depth: int) -> None:
    """Write an RGB picture without loss; 9 to 15 bits are widened to 16 and noted in an sBIT chunk.

    Shape:
        picture: (H, W, 3), code values.
    """
    height, width = picture.shape[:2]
    stored = 8 if bit_depth == 8 else 16
    values: NDArray[Any] = picture.astype(np.uint16)
    if bit_depth not in (8, 16):  # left bit replication, as the PNG specification recommends
        values = (values << (16 - bit_depth)) | (values >> (2 * bit_depth - 16))
    rows = values.astype(">u2" if stored == 16 else "u1").reshape(height, -1).view(np.uint8)
    step = 3 * stored // 8
    filtered = np.concatenate([np.ones((height, 1), np.uint8), rows], axis=1)  # filter 1: minus the left pixel
    filtered[:, 1 + step :] -= rows[:, :-step]
    with path.open("wb") as file:
        file.write(_SIGNATURE + _chunk(b"IHDR", struct.pack(">2I5B", width, height, stored, 2, 0, 0, 0)))
        file.write(_chunk(b"sBIT", bytes([bit_depth] * 3)))
        file.write(_chunk(b"IDAT", zlib.compress(filtered.tobytes(), 6)) + _chunk(b"IEND", b""))


def _chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk: length, kind, data, CRC."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@contextmanager
def png_sink(folder: Path, fmt: VideoFormat, first: int = 0) -> Iterator[Callable[[Planes], None]]:
    """Write RGB frames as frame_000000.png and so on, the first with the number that is given.

    Yields:
        A function that takes planes (T, H, W) R, G, B and writes them.
    """
    number = first

    def write(planes: Planes) -> None:
        nonlocal number
        for picture in torch.stack(planes, dim=-1).cpu().numpy():
            write_png(folder / f"frame_{number:06d}.png", picture, fmt.bit_depth)
            number += 1

    yield write
