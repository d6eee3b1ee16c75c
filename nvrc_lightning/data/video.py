"""A whole video in memory, in the planes it came in."""

from dataclasses import dataclass, replace
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from nvrc_components.errors import InputError
from nvrc_components.functional.color import (
    Planes,
    code_dtype,
    downsample_chroma,
    planes_to_rgb,
    rgb_to_planes,
)
from nvrc_components.video_format import Chroma, ColourRange, VideoFormat
from nvrc_lightning.data.source import even_offsets


@dataclass(frozen=True, eq=False)
class Video:
    """Integer code values of a video.

    Shape:
        planes: three (T, h, w) tensors of `format.plane_sizes`: Y, U, V, or R, G, B.

    Raises:
        ValueError: the planes are not of the format's sizes.
    """

    format: VideoFormat
    planes: Planes

    def __post_init__(self) -> None:
        """Refuse planes that contradict the format."""
        for plane, size in zip(self.planes, self.format.plane_sizes, strict=True):
            if plane.shape != (self.format.frames, *size):
                raise ValueError(f"a plane is {tuple(plane.shape)}, its format says {(self.format.frames, *size)}")

    @cached_property
    def _rgb(self) -> Tensor:
        return planes_to_rgb(self.planes, self.format)

    def rgb(self) -> Tensor:
        """Full-range RGB code values at the video's bit depth; converted once and kept.

        Shape:
            Returns (T, 3, H, W), integer.
        """
        return self._rgb

    def to_yuv420(self) -> Planes:
        """Planes at 4:2:0 and the video's bit depth, for YUV metrics; RGB becomes limited range.

        Shape:
            Returns (T, H, W) and twice (T, ceil(H/2), ceil(W/2)), integer.
        """
        if self.format.chroma == Chroma.YUV420:
            return self.planes
        target = replace(self.format, chroma=Chroma.YUV420)
        if self.format.chroma == Chroma.RGB:
            return rgb_to_planes(self.rgb(), replace(target, colour_range=ColourRange.LIMITED))
        luma, u, v = self.planes
        dtype, size = code_dtype(target.bit_depth), target.chroma_size
        small_u, small_v = (
            torch.cat([downsample_chroma(frame[None].float(), size).round().to(dtype) for frame in plane])
            for plane in (u, v)
        )
        return luma, small_u, small_v

    def trim(self, start: int, stop: int) -> "Video":
        """Frames start..stop-1, sharing memory.

        Raises:
            InputError: the frames are not in the video.
        """
        if not 0 <= start < stop <= self.format.frames:
            raise InputError(f"frames {start}:{stop} are outside the video of {self.format.frames} frames")
        y, u, v = (plane[start:stop] for plane in self.planes)
        return Video(replace(self.format, frames=stop - start), (y, u, v))

    def crop(self, x: int, y: int, width: int = 0, height: int = 0) -> "Video":
        """A rectangle of every frame, sharing memory; width or height 0 reaches the edge.

        Raises:
            InputError: the rectangle leaves the frame, or its corner cuts a chroma sample in half.
        """
        fmt = self.format
        width, height = width or fmt.width - x, height or fmt.height - y
        step_x, step_y = even_offsets(fmt.chroma)
        if x < 0 or y < 0 or width < 1 or height < 1 or x + width > fmt.width or y + height > fmt.height:
            raise InputError(f"crop {x},{y},{width},{height} is outside the {fmt.width}x{fmt.height} frame")
        if x % step_x or y % step_y:
            raise InputError(f"crop {x},{y}: x and y must be multiples of {step_x} and {step_y} for this chroma")
        cropped = replace(fmt, width=width, height=height)
        (luma_h, luma_w), (chroma_h, chroma_w), _ = cropped.plane_sizes
        luma = self.planes[0][:, y : y + luma_h, x : x + luma_w]
        top, left = (y, x) if fmt.chroma == Chroma.RGB else (y // step_y, x // step_x)
        second, third = (p[:, top : top + chroma_h, left : left + chroma_w] for p in self.planes[1:])
        return Video(cropped, (luma, second, third))

    def resize(self, width: int, height: int) -> "Video":
        """Every frame at another size: bicubic, antialiased when shrinking, plane by plane in code values."""
        target = replace(self.format, width=width, height=height)
        y, u, v = (
            torch.cat([_resize(frame, size, target) for frame in plane])
            for plane, size in zip(self.planes, target.plane_sizes, strict=True)
        )
        return Video(target, (y, u, v))


def _resize(plane: Tensor, size: tuple[int, int], fmt: VideoFormat) -> Tensor:
    """(h, w) to (1, *size), rounded back to code values."""
    scaled = F.interpolate(plane[None, None].float(), size=size, mode="bicubic", antialias=True)[0]
    return scaled.round().clamp(0, fmt.peak).to(plane.dtype)
