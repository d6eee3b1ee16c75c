"""Small videos made on the spot."""

from fractions import Fraction

import av
import numpy as np
import torch

from nvrc_components.functional.color import code_dtype
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat


def make_format(width=35, height=27, frames=3, depth=8, chroma=Chroma.YUV420, matrix=1, full=0, rate="25"):
    full = 1 if chroma == Chroma.RGB else full
    return VideoFormat(
        width,
        height,
        frames,
        Fraction(rate),
        depth,
        Chroma(chroma),
        ColourMatrix(matrix),
        ColourRange(full),
    )


def make_planes(fmt, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return tuple(
        torch.randint(0, fmt.peak + 1, (fmt.frames, *size), generator=generator).to(code_dtype(fmt.bit_depth))
        for size in fmt.plane_sizes
    )


def same(first, second):
    return all(a.dtype == b.dtype and torch.equal(a, b) for a, b in zip(first, second, strict=True))


def write_audio(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def encode(path, codec, pix_fmt, arrays, array_format, times=None, options=None):
    """Encode arrays that PyAV knows under `array_format`, without any colour tags."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {})
        first = av.VideoFrame.from_ndarray(arrays[0], format=array_format)
        stream.width, stream.height, stream.pix_fmt = first.width, first.height, pix_fmt
        for index, array in enumerate(arrays):
            frame = av.VideoFrame.from_ndarray(array, format=array_format)
            frame.pts, frame.time_base = (times or range(len(arrays)))[index], Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
