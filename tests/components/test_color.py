from dataclasses import replace
from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from nvrc_components.functional.color import (
    code_dtype,
    downsample_chroma,
    planes_to_rgb,
    rgb_to_planes,
    rgb_to_yuv,
    upsample_chroma,
    yuv_to_rgb,
)
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat

MATRICES = list(ColourMatrix)
RANGES = list(ColourRange)


def make(width=8, height=6, frames=1, depth=8, chroma=Chroma.YUV444, matrix=0, full=0):
    return VideoFormat(width, height, frames, Fraction(25), depth, chroma, ColourMatrix(matrix), ColourRange(full))


# Inverse matrices as the standards print them: R = Y + a V, G = Y - b U - c V, B = Y + d U.
PRINTED = {
    ColourMatrix.BT601: (1.402, 0.344136, 0.714136, 1.772),
    ColourMatrix.BT709: (1.5748, 0.187324, 0.468124, 1.8556),
    ColourMatrix.BT2020: (1.4746, 0.164553, 0.571353, 1.8814),
}


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("colour_range", RANGES)
def test_inverse_matrix_is_the_printed_one(matrix, colour_range, depth):
    fmt = make(depth=depth, matrix=matrix, full=colour_range)
    unit = 2 ** (depth - 8)
    limited = colour_range == ColourRange.LIMITED
    offset, scale = (16 * unit, 219 * unit) if limited else (0, fmt.peak)
    chroma_scale = 224 * unit if limited else fmt.peak
    red, green_u, green_v, blue = PRINTED[matrix]
    luma, cb, cr = 0.5, 0.06, -0.08
    y = torch.full((1, 1, 1), offset + scale * luma)
    u = torch.full((1, 1, 1), 128 * unit + chroma_scale * cb)
    v = torch.full((1, 1, 1), 128 * unit + chroma_scale * cr)
    expected = [luma + red * cr, luma - green_u * cb - green_v * cr, luma + blue * cb]
    assert yuv_to_rgb(y, u, v, fmt).flatten().tolist() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("colour_range", RANGES)
def test_float_round_trip(matrix, colour_range):
    fmt = make(depth=10, matrix=matrix, full=colour_range)
    rgb = torch.rand(2, 3, 5, 7, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(yuv_to_rgb(*rgb_to_yuv(rgb, fmt), fmt), rgb, atol=1e-6)


def test_black_white_and_grey_code_values():
    grey = torch.tensor([0.0, 0.5, 1.0]).view(3, 1, 1, 1).expand(3, 3, 2, 2)
    limited = [plane[:, 0, 0].tolist() for plane in rgb_to_planes(grey, make(2, 2, depth=10))]
    assert limited == [[64, 502, 940], [512] * 3, [512] * 3]
    full = rgb_to_planes(grey, make(2, 2, depth=8, full=1))[0][:, 0, 0].tolist()
    assert full == [0, 128, 255]


def test_gradient_reaches_rgb():
    rgb = torch.rand(1, 3, 4, 4, requires_grad=True)
    sum(plane.sum() for plane in rgb_to_yuv(rgb, make(4, 4))).backward()
    assert rgb.grad is not None
    assert bool(rgb.grad.isfinite().all())


@pytest.mark.parametrize("matrix", MATRICES)
@pytest.mark.parametrize("colour_range", RANGES)
@pytest.mark.parametrize("chroma", [Chroma.YUV420, Chroma.YUV444])
def test_agrees_with_swscale(matrix, colour_range, chroma):
    fmt = make(64, 48, chroma=chroma, matrix=matrix, full=colour_range)
    ramp = torch.linspace(60, 190, 64).expand(1, 48, 64).round().to(torch.uint8)
    size = fmt.chroma_size
    u = torch.full((1, *size), 110, dtype=torch.uint8)
    v = torch.full((1, *size), 140, dtype=torch.uint8)
    ours = planes_to_rgb((ramp, u, v), fmt)[0]
    name = "yuv420p" if chroma == Chroma.YUV420 else "yuv444p"
    stacked = np.concatenate([plane[0].numpy().ravel() for plane in (ramp, u, v)])
    shape = (72, 64) if chroma == Chroma.YUV420 else (3, 48, 64)
    frame = av.VideoFrame.from_ndarray(stacked.reshape(shape), format=name)
    space = {0: 5, 1: 1, 2: 9}[matrix]
    theirs = frame.reformat(
        format="rgb24",
        src_colorspace=space,
        dst_colorspace=space,
        src_color_range=2 if colour_range else 1,
        dst_color_range=2,
        interpolation="BICUBIC",
    ).to_ndarray()
    difference = ours.permute(1, 2, 0).numpy().astype(int) - theirs.astype(int)
    assert np.abs(difference).max() <= 2


def test_chroma_resampling_by_hand():
    plane = torch.tensor([[[0.0, 4.0, 8.0]]])
    up = upsample_chroma(plane, (1, 5))
    assert up.flatten().tolist() == [0.0, 1.0, 3.0, 5.0, 7.0]
    odd = torch.tensor([[[1.0, 3.0, 5.0], [1.0, 3.0, 5.0], [9.0, 11.0, 7.0]]])
    assert downsample_chroma(odd, (2, 2)).tolist() == [[[2.0, 5.0], [10.0, 7.0]]]
    assert torch.equal(downsample_chroma(odd, (3, 3)), odd)
    assert torch.equal(upsample_chroma(odd, (3, 3)), odd)
    assert upsample_chroma(odd, (6, 3)).shape == (1, 6, 3)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (35, 27), (2, 5)])
def test_smooth_chroma_survives_odd_sizes(width, height):
    fmt = make(width, height, depth=10, chroma=Chroma.YUV420, matrix=1)
    flat = torch.full((2, 3, height, width), 300, dtype=torch.int16)
    planes = rgb_to_planes(flat, fmt)
    assert [tuple(plane.shape[1:]) for plane in planes] == list(fmt.plane_sizes)
    assert (planes_to_rgb(planes, fmt) - flat).abs().max() <= 1


@pytest.mark.parametrize(("depth", "dtype"), [(8, torch.uint8), (9, torch.int16), (15, torch.int16), (16, torch.int32)])
def test_code_values_fit_their_type(depth, dtype):
    assert code_dtype(depth) == dtype
    fmt = make(2, 2, depth=depth, full=1)
    y = rgb_to_planes(torch.ones(1, 3, 2, 2), fmt)[0]
    assert y.dtype == dtype
    assert int(y.max()) == fmt.peak


def test_chunks_change_nothing():
    fmt = make(1100, 1000, frames=3, chroma=Chroma.YUV420, matrix=1)
    rgb = torch.randint(0, 256, (3, 3, 1000, 1100), dtype=torch.uint8)
    together = rgb_to_planes(rgb, fmt)
    for index in range(3):
        single = rgb_to_planes(rgb[index : index + 1], fmt)
        assert all(torch.equal(a[index], b[0]) for a, b in zip(together, single, strict=True))


def test_rgb_passes_through_and_no_frames_are_no_frames():
    fmt = make(4, 4, chroma=Chroma.RGB, full=1)
    rgb = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    planes = rgb_to_planes(rgb, fmt)
    assert torch.equal(planes_to_rgb(planes, fmt), rgb)
    assert torch.equal(torch.stack(rgb_to_planes(rgb / 255, fmt), 1), rgb)
    yuv = replace(fmt, chroma=Chroma.YUV420)
    empty = rgb_to_planes(rgb[:0], yuv)
    assert [len(plane) for plane in empty] == [0, 0, 0]
    assert planes_to_rgb(empty, yuv).shape == (0, 3, 4, 4)
