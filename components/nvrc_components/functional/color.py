"""Y'CbCr and R'G'B': matrices, ranges, chroma resampling (ITU-R BT.601-7, BT.709-6, BT.2020-2 NCL; H.273)."""

import torch
import torch.nn.functional as F
from torch import Tensor

from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat

Planes = tuple[Tensor, Tensor, Tensor]

_LUMA = {  # (Kr, Kb); Kg is what is left of one
    ColourMatrix.BT601: (0.299, 0.114),
    ColourMatrix.BT709: (0.2126, 0.0722),
    ColourMatrix.BT2020: (0.2627, 0.0593),
}
_CHUNK_PIXELS = 1 << 21  # float32 intermediates of a chunk stay near 100 MB whatever the video's length


def code_dtype(bit_depth: int) -> torch.dtype:
    """Smallest signed-safe integer type that holds code values of a bit depth.

    uint8 for 8 bits, int16 for 9..15 bits, int32 for 16 bits.
    """
    # torch has next to no arithmetic on uint16, and 16 bits do not fit in int16: int32 doubles the memory of
    # the rare 16-bit video, but no code value is lost or wraps.
    if bit_depth == 8:
        return torch.uint8
    return torch.int16 if bit_depth < 16 else torch.int32


def _levels(fmt: VideoFormat) -> tuple[float, float, float, float]:
    """Luma offset and excursion, chroma offset and excursion, in code values (H.273, equations 20 to 37)."""
    unit = float(1 << (fmt.bit_depth - 8))
    if fmt.colour_range == ColourRange.FULL:
        return 0.0, float(fmt.peak), 128 * unit, float(fmt.peak)
    return 16 * unit, 219 * unit, 128 * unit, 224 * unit


def yuv_to_rgb(y: Tensor, u: Tensor, v: Tensor, fmt: VideoFormat) -> Tensor:
    """Convert full-resolution Y'CbCr code values to R'G'B'; colours outside the RGB cube are clipped to it.

    Shape:
        y, u, v: (T, H, W), float code values. Returns (T, 3, H, W) in [0, 1].
    """
    kr, kb = _LUMA[fmt.matrix]
    y_offset, y_scale, c_offset, c_scale = _levels(fmt)
    luma, cb, cr = (y - y_offset) / y_scale, (u - c_offset) / c_scale, (v - c_offset) / c_scale
    red = luma + 2 * (1 - kr) * cr
    blue = luma + 2 * (1 - kb) * cb
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    return torch.stack((red, green, blue), dim=1).clamp(0, 1)


def rgb_to_yuv(rgb: Tensor, fmt: VideoFormat) -> Planes:
    """Convert R'G'B' to full-resolution Y'CbCr code values, not rounded, so that gradients pass.

    Shape:
        rgb: (T, 3, H, W) in [0, 1]. Returns three (T, H, W), float code values.
    """
    kr, kb = _LUMA[fmt.matrix]
    y_offset, y_scale, c_offset, c_scale = _levels(fmt)
    red, green, blue = rgb.unbind(1)
    luma = kr * red + (1 - kr - kb) * green + kb * blue
    cb, cr = (blue - luma) / (2 * (1 - kb)), (red - luma) / (2 * (1 - kr))
    return luma * y_scale + y_offset, cb * c_scale + c_offset, cr * c_scale + c_offset


def upsample_chroma(plane: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring a subsampled plane to luma resolution: bilinear, sited at the centre of the pixels covered.

    Shape:
        plane: (T, h, w), float; each side is the one in `size`, or half of it rounded up. Returns (T, *size).
    """
    factors = [1.0 if have == want else 2.0 for have, want in zip(plane.shape[-2:], size, strict=True)]
    if factors != [1.0, 1.0]:
        plane = F.interpolate(plane[:, None], scale_factor=factors, mode="bilinear").squeeze(1)
    return plane[:, : size[0], : size[1]]


def downsample_chroma(plane: Tensor, size: tuple[int, int]) -> Tensor:
    """Bring a plane to chroma resolution by the mean of the pixels covered; odd edges are repeated.

    Shape:
        plane: (T, H, W), float. size: (h, w), each side equal to the plane's or half of it rounded up.
        Returns (T, h, w).
    """
    height, width = plane.shape[-2:]
    step_y, step_x = (1 if height == size[0] else 2), (1 if width == size[1] else 2)
    padding = (0, size[1] * step_x - width, 0, size[0] * step_y - height)
    padded = F.pad(plane[:, None], padding, mode="replicate")
    return F.avg_pool2d(padded, (step_y, step_x))[:, 0]


def _chunks(frames: int, fmt: VideoFormat) -> list[slice]:
    """Cut a run of frames so that float intermediates stay small."""
    step = max(1, _CHUNK_PIXELS // (fmt.height * fmt.width))
    return [slice(start, start + step) for start in range(0, max(frames, 1), step)]


def _round(value: Tensor, fmt: VideoFormat) -> Tensor:
    """Nearest code value of the format."""
    return value.round().clamp(0, fmt.peak).to(code_dtype(fmt.bit_depth))


def _float_rgb(rgb: Tensor, fmt: VideoFormat) -> Tensor:
    """(T, 3, H, W) in [0, 1] from code values or from floats that are there already."""
    return rgb.float() if rgb.is_floating_point() else rgb.float() / fmt.peak


def planes_to_rgb(planes: Planes, fmt: VideoFormat) -> Tensor:
    """Show a video in RGB: full range, rounded at the bit depth of the source.

    Shape:
        planes: three integer tensors (T, h, w) of `fmt.plane_sizes`. Returns integer (T, 3, H, W).
    """
    if fmt.chroma == Chroma.RGB:
        return torch.stack(planes, dim=1)
    size = (fmt.height, fmt.width)

    def convert(part: slice) -> Tensor:
        y, u, v = (upsample_chroma(plane[part].float(), size) for plane in planes)
        return _round(yuv_to_rgb(y, u, v, fmt) * fmt.peak, fmt)

    return torch.cat([convert(part) for part in _chunks(planes[0].shape[0], fmt)])


def rgb_to_planes(rgb: Tensor, fmt: VideoFormat) -> Planes:
    """Bring RGB frames into the planes, matrix and range of a format.

    Shape:
        rgb: (T, 3, H, W); integers are code values of `fmt.bit_depth`, floats are in [0, 1].
        Returns three integer tensors (T, h, w) of `fmt.plane_sizes`.
    """
    if fmt.chroma == Chroma.RGB and not rgb.is_floating_point():
        return rgb[:, 0], rgb[:, 1], rgb[:, 2]

    def convert(part: slice) -> Planes:
        colours = _float_rgb(rgb[part], fmt)
        if fmt.chroma == Chroma.RGB:
            red, green, blue = (colours * fmt.peak).unbind(1)
            return _round(red, fmt), _round(green, fmt), _round(blue, fmt)
        y, u, v = rgb_to_yuv(colours, fmt)
        size = fmt.chroma_size
        return (
            _round(y, fmt),
            _round(downsample_chroma(u, size), fmt),
            _round(downsample_chroma(v, size), fmt),
        )

    first, second, third = zip(*(convert(part) for part in _chunks(rgb.shape[0], fmt)), strict=True)
    return torch.cat(first), torch.cat(second), torch.cat(third)
