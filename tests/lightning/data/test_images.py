from fractions import Fraction

import av
import numpy as np
import pytest
import torch

from nvrc_components.errors import InputError
from nvrc_components.functional.color import planes_to_rgb
from nvrc_components.video_format import Chroma, ColourRange
from nvrc_lightning.data.images import write_png
from nvrc_lightning.data.options import RawGeometry, Selection
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.data.writer import write_video
from tests.lightning.data.helpers import make_format, make_planes, same


def ffmpeg_png(path, array, name):
    """A PNG that this library did not write."""
    frame = av.VideoFrame.from_ndarray(array, format=name)
    context = av.CodecContext.create("png", "w")
    context.width, context.height, context.pix_fmt = frame.width, frame.height, name
    context.time_base = Fraction(1, 25)
    frame.pts = 0
    path.write_bytes(b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)]))


@pytest.mark.parametrize("depth", [8, 10, 12, 16])
def test_folder_round_trip_is_exact(tmp_path, depth):
    fmt = make_format(7, 5, 3, depth, Chroma.RGB)
    planes = make_planes(fmt)
    stored = write_video([torch.stack(planes, 1)], fmt, tmp_path / "frames")
    assert stored == fmt
    video = read_video(tmp_path / "frames")
    assert video.format == fmt
    assert same(video.planes, planes)


def test_yuv_is_shown_in_rgb(tmp_path):
    fmt = make_format(depth=10)
    planes = make_planes(fmt)
    write_video([planes], fmt, tmp_path / "frames")
    video = read_video(tmp_path / "frames")
    assert torch.equal(video.rgb(), planes_to_rgb(planes, fmt))


@pytest.mark.parametrize(
    ("name", "shape", "dtype"),
    [
        ("rgb24", (6, 5, 3), np.uint8),
        ("rgba", (6, 5, 4), np.uint8),
        ("gray", (6, 5), np.uint8),
        ("gray16be", (6, 5), np.uint16),
        ("rgb48be", (6, 5, 3), np.uint16),
    ],
)
def test_foreign_pictures_keep_their_values(tmp_path, name, shape, dtype):
    array = np.random.default_rng(0).integers(0, np.iinfo(dtype).max + 1, shape, dtype=dtype)
    ffmpeg_png(tmp_path / "a.png", array, name)
    video = read_video(tmp_path / "a.png")
    assert video.format.chroma == Chroma.RGB
    assert video.format.colour_range == ColourRange.FULL
    assert video.format.bit_depth == 8 * np.dtype(dtype).itemsize
    expected = array[..., None].repeat(3, axis=-1) if array.ndim == 2 else array[..., :3]
    assert np.array_equal(video.rgb()[0].permute(1, 2, 0).numpy(), expected)


def test_ffmpeg_reads_what_is_written(tmp_path):
    picture = np.random.default_rng(0).integers(0, 256, (9, 11, 3), dtype=np.uint8)
    write_png(tmp_path / "a.png", picture, 8)
    with av.open(str(tmp_path / "a.png")) as container:
        assert np.array_equal(next(container.decode(video=0)).to_ndarray(format="rgb24"), picture)


def test_natural_order_glob_selection_and_rate(tmp_path):
    for number in (1, 2, 10, 9):
        write_png(tmp_path / f"f{number}.png", np.full((2, 2, 3), number, np.uint8), 8)
    (tmp_path / "notes.txt").write_text("not a picture")
    video = read_video(tmp_path, raw=RawGeometry(rate="50"))
    assert video.planes[0][:, 0, 0].tolist() == [1, 2, 9, 10]
    assert video.format.rate == 50
    chosen = read_video(tmp_path / "f*.png", Selection(1, 3))
    assert chosen.planes[2][:, 0, 0].tolist() == [2, 9]


def test_unlike_pictures_are_refused(tmp_path):
    write_png(tmp_path / "1.png", np.zeros((2, 3, 3), np.uint8), 8)
    write_png(tmp_path / "2.png", np.zeros((4, 3, 3), np.uint8), 8)
    with pytest.raises(InputError, match=r"2\.png: is 3x4 with 8 bits, but 1\.png is 3x2 with 8 bits"):
        read_video(tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [("*.png", "matches no file"), ("", "the folder holds no .png file"), ("gone.png", "no such file")],
)
def test_nothing_there(tmp_path, name, message):
    with pytest.raises(InputError, match=message):
        read_video(tmp_path / name)


@pytest.mark.parametrize("data", [b"", b"text", b"\x89PNG\r\n\x1a\n", b"\x89PNG\r\n\x1a\n" + bytes(50)])
def test_broken_pictures_are_one_line(tmp_path, data):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.png: (not a PNG|the PNG picture is damaged)"):
        read_video(tmp_path)
