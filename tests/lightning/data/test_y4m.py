import io
from dataclasses import replace
from fractions import Fraction

import av
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nvrc_components.errors import InputError
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange
from nvrc_lightning.data.options import RawGeometry, Selection
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.data.writer import write_video
from tests.lightning.data.helpers import make_format, make_planes, same

HEADER_420 = b"YUV4MPEG2 W4 H2 F30000:1001 Ip A1:1 C420jpeg\n"


def put(tmp_path, data):
    path = tmp_path / "hand.y4m"
    path.write_bytes(data)
    return path


def test_hand_written_420(tmp_path):
    frames = b"FRAME\n" + bytes(range(12)) + b"FRAME Ip\n" + bytes(range(100, 112))
    video = read_video(put(tmp_path, HEADER_420 + frames))
    assert video.format == make_format(4, 2, 2, matrix=ColourMatrix.BT601, rate="30000/1001")
    y, u, v = video.planes
    assert y.tolist() == [[[0, 1, 2, 3], [4, 5, 6, 7]], [[100, 101, 102, 103], [104, 105, 106, 107]]]
    assert u.tolist() == [[[8, 9]], [[108, 109]]]
    assert v.tolist() == [[[10, 11]], [[110, 111]]]


def test_hand_written_444_ten_bits_full_range(tmp_path):
    header = b"YUV4MPEG2 W1 H2 F24:1 C444p10 XYSCSS=444P10 XCOLORRANGE=FULL\n"
    data = header + b"FRAME\n" + bytes([1, 0, 255, 3, 0, 2, 1, 2, 3, 3, 4, 0])
    video = read_video(put(tmp_path, data))
    assert video.format.bit_depth == 10
    assert video.format.chroma == Chroma.YUV444
    assert video.format.colour_range == ColourRange.FULL
    assert [plane.flatten().tolist() for plane in video.planes] == [[1, 1023], [512, 513], [771, 4]]


def test_mono_gets_neutral_chroma(tmp_path):
    video = read_video(put(tmp_path, b"YUV4MPEG2 W2 H1 F0:0 Cmono\nFRAME\n\x07\x09"))
    assert video.format.rate == Fraction(25)
    assert [plane.flatten().tolist() for plane in video.planes] == [[7, 9], [128], [128]]


def test_odd_422_and_default_chroma(tmp_path):
    data = b"YUV4MPEG2 W3 H1 F25:1 C422\nFRAME\n" + bytes([1, 2, 3, 4, 5, 6, 7])
    assert [p.flatten().tolist() for p in read_video(put(tmp_path, data)).planes] == [[1, 2, 3], [4, 5], [6, 7]]
    video = read_video(put(tmp_path, b"YUV4MPEG2 W1 H1\nFRAME\n\x01\x02\x03"))
    assert video.format.chroma == Chroma.YUV420


def test_untagged_hd_is_bt709(tmp_path):
    data = b"YUV4MPEG2 W1 H720 F25:1 C420\nFRAME\n" + bytes(720 + 2 * 360)
    assert read_video(put(tmp_path, data)).format.matrix == ColourMatrix.BT709
    told = RawGeometry(matrix=ColourMatrix.BT601)
    assert read_video(put(tmp_path, data), raw=told).format.matrix == ColourMatrix.BT601
    noted = data.replace(b" C420", b" C420 XNVRC_MATRIX=BT2020")
    assert read_video(put(tmp_path, noted), raw=told).format.matrix == ColourMatrix.BT2020


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"hello\n", "not a Y4M video"),
        (b"YUV4MPEG2 W4 H2", "not a Y4M video"),
        (b"YUV4MPEG2 H2 F25:1\n", "'W' is missing"),
        (b"YUV4MPEG2 W4 Hx F25:1\n", "bad Y4M header"),
        (b"YUV4MPEG2 W0 H2 F25:1\n", "width must be"),
        (b"YUV4MPEG2 W4 H2 F25:1 C420p99\n", "bit_depth must be"),
        (b"YUV4MPEG2 W4 H2 F25:1 C411\n", "C411 is not supported"),
        (HEADER_420, "holds no frame"),
        (HEADER_420 + b"FRAME\n" + bytes(12) + b"FRAME\n" + bytes(5), r"ends inside frame 1.*frames 0:1"),
        (HEADER_420 + b"FRAME\n" + bytes(12) + b"garbage\n", "frame 1 does not begin with FRAME"),
    ],
)
def test_bad_files_are_one_line(tmp_path, data, message):
    with pytest.raises(InputError, match=message) as caught:
        read_video(put(tmp_path, data))
    assert "\n" not in str(caught.value)
    assert "hand.y4m" in str(caught.value)


def test_whole_frames_of_a_cut_file_can_be_read(tmp_path):
    cut = HEADER_420 + b"FRAME\n" + bytes(12) + b"FRAME\n" + bytes(5)
    assert read_video(put(tmp_path, cut), Selection(0, 1)).format.frames == 1


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(1, 19),
    height=st.integers(1, 19),
    frames=st.integers(1, 3),
    depth=st.integers(8, 16),
    chroma=st.sampled_from([Chroma.YUV420, Chroma.YUV422, Chroma.YUV444]),
    matrix=st.sampled_from(ColourMatrix),
    full=st.integers(0, 1),
    seed=st.integers(0, 99),
)
def test_round_trip_keeps_everything(tmp_path_factory, width, height, frames, depth, chroma, matrix, full, seed):
    fmt = make_format(width, height, frames, depth, chroma, matrix, full, "24000/1001")
    planes = make_planes(fmt, seed)
    path = tmp_path_factory.mktemp("y4m") / "a.y4m"
    assert write_video([planes], fmt, path) == fmt
    video = read_video(path)
    assert video.format == fmt
    assert same(video.planes, planes)


def test_rgb_is_written_as_444(tmp_path):
    fmt = make_format(8, 6, 2, chroma=Chroma.RGB)
    rgb = torch.randint(0, 256, (2, 3, 6, 8), dtype=torch.uint8)
    stored = write_video([rgb[:1], rgb[1:]], fmt, tmp_path / "a.y4m")
    assert stored == replace(fmt, chroma=Chroma.YUV444, colour_range=ColourRange.LIMITED)
    back = read_video(tmp_path / "a.y4m").rgb()
    assert (back.int() - rgb.int()).abs().max() <= 3


def test_ffmpeg_reads_what_is_written(tmp_path):
    fmt = make_format(depth=10, full=1)
    planes = make_planes(fmt)
    write_video([planes], fmt, tmp_path / "a.y4m")
    data = io.BytesIO((tmp_path / "a.y4m").read_bytes())
    with av.open(data) as container:
        frame = next(container.decode(video=0))
    assert frame.format.name == "yuv420p10le"
    assert int(frame.color_range) == 2
