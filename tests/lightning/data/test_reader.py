import subprocess
import sys
from importlib.resources import files

import pytest
import torch

from nvrc_components.errors import InputError
from nvrc_components.video_format import Chroma
from nvrc_lightning.data.options import Selection
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.data.video import Video
from nvrc_lightning.data.writer import write_video
from tests.lightning.data.helpers import make_format, make_planes, same

CLIP = str(files("nvrc_lightning") / "assets" / "bunny_192x128_32f.mkv")


def test_shipped_clip():
    video = read_video(CLIP)
    fmt = video.format
    assert (fmt.width, fmt.height, fmt.frames, fmt.bit_depth, fmt.chroma) == (192, 128, 32, 8, Chroma.YUV420)
    assert fmt.pixels == 192 * 128 * 32
    rgb = video.rgb()
    assert rgb.shape == (32, 3, 128, 192)
    assert rgb is video.rgb()
    part = read_video(CLIP, Selection.parse("3:7", (16, 8, 64, 32), (32, 16)))
    assert (part.format.width, part.format.height, part.format.frames) == (32, 16, 4)
    blurred = torch.nn.functional.avg_pool2d(video.planes[0][3:7, None, 8:40, 16:80].float(), 2)[:, 0]
    assert (part.planes[0].float() - blurred).abs().mean() < 3


def test_crop_agrees_with_crop_of_the_whole(tmp_path):
    fmt = make_format()
    planes = make_planes(fmt)
    write_video([planes], fmt, tmp_path / "a.y4m")
    part = read_video(tmp_path / "a.y4m", Selection(crop=(4, 2, 31, 0)))
    assert (part.format.width, part.format.height) == (31, 25)
    assert same(part.planes, Video(fmt, planes).crop(4, 2).planes)
    assert part.planes[1].shape == (3, 13, 16)
    assert torch.equal(part.planes[1], planes[1][:, 1:, 2:])


@pytest.mark.parametrize(
    ("chroma", "crop", "fits"),
    [
        (Chroma.YUV420, (1, 0, 4, 4), False),
        (Chroma.YUV420, (0, 1, 4, 4), False),
        (Chroma.YUV422, (0, 1, 4, 4), True),
        (Chroma.YUV422, (1, 0, 4, 4), False),
        (Chroma.YUV444, (1, 1, 4, 4), True),
        (Chroma.RGB, (1, 3, 5, 5), True),
    ],
)
def test_corner_must_not_cut_chroma(chroma, crop, fits):
    fmt = make_format(chroma=chroma)
    video = Video(fmt, make_planes(fmt))
    if not fits:
        with pytest.raises(InputError, match="multiples of 2"):
            video.crop(*crop)
        return
    x, y, width, height = crop
    for index in range(3 if chroma in (Chroma.YUV444, Chroma.RGB) else 1):
        expected = video.planes[index][:, y : y + height, x : x + width]
        assert torch.equal(video.crop(*crop).planes[index], expected)


@pytest.mark.parametrize("crop", [(0, 0, 36, 4), (34, 0, 2, 2), (40, 0, 0, 0), (0, 26, 2, 4)])
def test_crop_outside_is_refused(crop):
    fmt = make_format()
    with pytest.raises(InputError, match="outside the 35x27 frame"):
        Video(fmt, make_planes(fmt)).crop(*crop)


def test_resize_keeps_flat_colours_and_range():
    fmt = make_format(depth=10)
    planes = tuple(torch.full_like(plane, value) for plane, value in zip(make_planes(fmt), (1023, 0, 512), strict=True))
    small = Video(fmt, planes).resize(17, 9)
    assert small.format.plane_sizes == ((9, 17), (5, 9), (5, 9))
    assert [plane.unique().tolist() for plane in small.planes] == [[1023], [0], [512]]


def test_yuv420_of_every_chroma():
    for chroma in Chroma:
        fmt = make_format(chroma=chroma, depth=10)
        video = Video(fmt, make_planes(fmt))
        y, u, v = video.to_yuv420()
        assert y.shape == (3, 27, 35)
        assert u.shape == v.shape == (3, 14, 18)
        assert y.dtype == u.dtype == torch.int16
    fmt = make_format(2, 2, 1, chroma=Chroma.YUV444)
    plane = torch.tensor([[[1, 2], [3, 6]]], dtype=torch.uint8)
    assert Video(fmt, (plane, plane, plane)).to_yuv420()[1].tolist() == [[[3]]]


def test_trim_and_contradicting_planes():
    fmt = make_format()
    video = Video(fmt, make_planes(fmt))
    assert video.trim(1, 3).format.frames == 2
    with pytest.raises(InputError, match=r"frames 2:4 are outside the video of 3 frames"):
        video.trim(2, 4)
    with pytest.raises(ValueError, match="its format says"):
        Video(make_format(width=36), video.planes)


@pytest.mark.parametrize(
    ("text", "start", "stop"), [(":", 0, 0), ("0:64", 0, 64), ("32:", 32, 0), (":7", 0, 7), (" 1 : 2 ", 1, 2)]
)
def test_frames_option(text, start, stop):
    assert Selection.parse(text) == Selection(start, stop)


@pytest.mark.parametrize("text", ["", "3", "a:b", "-3:", "4:4", "5:2", ":0", "0:1:2", "1.5:2"])
def test_bad_frames_option(text):
    with pytest.raises(InputError, match="frames"):
        Selection.parse(text)


@pytest.mark.parametrize("options", [{"crop": (0, -1, 2, 2)}, {"size": (0, 4)}, {"size": (-1, 4)}])
def test_bad_crop_and_size(options):
    with pytest.raises(InputError, match=r"crop|size"):
        Selection(**options)


def test_reading_and_writing_never_load_lightning():
    code = (
        "import sys\n"
        "import nvrc_lightning.data.reader, nvrc_lightning.data.writer\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "sys.exit(bool(loaded & {'lightning', 'torchmetrics', 'jsonargparse'}))\n"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
