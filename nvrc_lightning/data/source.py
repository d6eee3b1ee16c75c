"""What every kind of video file is turned into: a frame format and a way to walk the frames."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from nvrc_components.functional.color import Planes, code_dtype
from nvrc_components.video_format import Chroma, ColourMatrix, VideoFormat

UNKNOWN = 0


@dataclass(frozen=True)
class Source:
    """A video that has been opened but not read.

    Args:
        name: the path as the user gave it.
        frame_format: the format of one frame (`frames` is 1).
        count: number of frames in the file, or `UNKNOWN` before it has been decoded.
        walk: gives the frames from an index on, three integer planes (h, w) each.
    """

    name: str
    frame_format: VideoFormat
    count: int
    walk: Callable[[int], Iterator[Planes]]


def untagged_matrix(height: int, told: ColourMatrix | None) -> ColourMatrix:
    """Matrix of an untagged video: what was told, or else what players guess, BT.709 from 720 rows on, BT.601 below."""
    if told is not None:
        return told
    return ColourMatrix.BT709 if height >= 720 else ColourMatrix.BT601


def to_plane(values: NDArray[Any], bit_depth: int) -> torch.Tensor:
    """Copy a plane of unsigned samples of either byte order into the integer type of its bit depth.

    Shape:
        values: (h, w), uint8 or uint16. Returns (h, w).
    """
    dtype = {torch.uint8: np.uint8, torch.int16: np.int16, torch.int32: np.int32}[code_dtype(bit_depth)]
    return torch.from_numpy(np.array(values, dtype=dtype, order="C"))


def to_samples(plane: torch.Tensor, bit_depth: int) -> NDArray[Any]:
    """Samples of a plane as files store them: one byte for 8 bits, else two bytes little endian.

    Shape:
        plane: (..., h, w), integer. Returns the same shape.
    """
    return plane.cpu().numpy().astype(_sample_type(bit_depth))


def sample_bytes(bit_depth: int) -> int:
    """Bytes of one sample in a file."""
    return _sample_type(bit_depth).itemsize


def frame_bytes(frame_format: VideoFormat) -> int:
    """Bytes of one planar frame in a raw or Y4M file."""
    return sum(h * w for h, w in frame_format.plane_sizes) * sample_bytes(frame_format.bit_depth)


def _sample_type(bit_depth: int) -> np.dtype[Any]:
    """How a sample lies in a file."""
    return np.dtype("u1" if bit_depth == 8 else "<u2")


def split_planes(data: bytes, frame_format: VideoFormat) -> Planes:
    """Cut the bytes of a planar little-endian frame into its planes."""
    values = np.frombuffer(data, _sample_type(frame_format.bit_depth))
    planes, offset = [], 0
    for height, width in frame_format.plane_sizes:
        plane = values[offset : offset + height * width].reshape(height, width)
        planes.append(to_plane(plane, frame_format.bit_depth))
        offset += height * width
    return planes[0], planes[1], planes[2]


def with_neutral_chroma(luma: torch.Tensor, frame_format: VideoFormat) -> Planes:
    """Complete a grey picture with planes that mean "no colour".

    Shape:
        luma: (H, W). Returns three planes of `frame_format.plane_sizes`.
    """
    neutral = torch.full(frame_format.chroma_size, 1 << (frame_format.bit_depth - 1), dtype=luma.dtype)
    return luma, neutral, neutral


def luma_only(data: bytes, frame_format: VideoFormat) -> Planes:
    """Planes of a frame of which only the luma bytes are stored."""
    values = np.frombuffer(data, _sample_type(frame_format.bit_depth))
    luma = to_plane(values.reshape(frame_format.height, frame_format.width), frame_format.bit_depth)
    return with_neutral_chroma(luma, frame_format)


def even_offsets(chroma: Chroma) -> tuple[int, int]:
    """What the (x, y) of a crop must be multiples of, so that chroma samples are not cut in half."""
    return (2 if chroma in (Chroma.YUV420, Chroma.YUV422) else 1), (2 if chroma == Chroma.YUV420 else 1)
