import numpy as np
import pytest
import torch

from nvrc_components.errors import InputError
from nvrc_components.video_format import Chroma
from nvrc_lightning.data.options import RawGeometry, Selection
from nvrc_lightning.data.reader import read_video


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "yuv422p10le", "yuv444p10le"])
def test_planes_are_cut_where_they_lie(tmp_path, pix_fmt):
    geometry = RawGeometry(5, 3, pix_fmt, rate="30000/1001")
    fmt = geometry.frame_format("")
    samples = sum(h * w for h, w in fmt.plane_sizes)
    values = np.arange(2 * samples, dtype="<u2" if fmt.bit_depth == 10 else "u1")
    (tmp_path / "a.yuv").write_bytes(values.tobytes())
    video = read_video(tmp_path / "a.yuv", raw=geometry)
    assert video.format.frames == 2
    assert video.format.bit_depth == (10 if pix_fmt.endswith("10le") else 8)
    joined = torch.cat([plane[1].flatten() for plane in video.planes])
    assert joined.tolist() == list(range(samples, 2 * samples))


def test_selection_seeks(tmp_path):
    (tmp_path / "a.yuv").write_bytes(bytes(value for value in range(10) for _ in range(6)))
    video = read_video(tmp_path / "a.yuv", Selection(3, 6), RawGeometry(2, 2))
    assert video.planes[0][:, 0, 0].tolist() == [3, 4, 5]


@pytest.mark.parametrize(
    ("size", "geometry", "message"),
    [
        (12, RawGeometry(), r"give width and height \(--data\.raw\.width, --data\.raw\.height\)"),
        (13, RawGeometry(2, 2), r"13 bytes .* 2x2 yuv420p frames of 6 bytes; check width"),
        (8, RawGeometry(2, 2), r"8 bytes .* pix_fmt yuv422p would fit"),
        (12, RawGeometry(2, 2, rate="zero"), "rate 'zero' is not a positive number"),
        (12, RawGeometry(2, 2, rate="1/0"), "rate '1/0' is not a positive number"),
        (12, RawGeometry(-2, 2), "width must be"),
        (0, RawGeometry(2, 2), "the file is empty"),
    ],
)
def test_misfits_are_one_line(tmp_path, size, geometry, message):
    (tmp_path / "a.yuv").write_bytes(bytes(size))
    with pytest.raises(InputError, match=message) as caught:
        read_video(tmp_path / "a.yuv", raw=geometry)
    assert "\n" not in str(caught.value)


def test_frames_outside_say_how_many_there_are(tmp_path):
    (tmp_path / "a.yuv").write_bytes(bytes(12))
    with pytest.raises(InputError, match=r"frames 1:4 are outside the video, which has frames 0:2"):
        read_video(tmp_path / "a.yuv", Selection(1, 4), RawGeometry(2, 2))
    with pytest.raises(InputError, match=r"frames 2: are outside"):
        read_video(tmp_path / "a.yuv", Selection(2), RawGeometry(2, 2))


def test_chroma_of_geometry():
    assert RawGeometry(2, 2, "yuv422p10le").frame_format("").chroma == Chroma.YUV422
