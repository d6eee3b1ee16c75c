import resource
from dataclasses import replace

import pytest
import torch

from nvrc_components.errors import InputError
from nvrc_components.video_format import Chroma
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.data.writer import stored_format, write_video
from tests.lightning.data.helpers import make_format, make_planes, same

OUTPUTS = ["a.y4m", "a.mkv", "a.mp4", "frames"]


@pytest.mark.parametrize("name", OUTPUTS)
def test_frames_are_pulled_one_chunk_at_a_time(tmp_path, name):
    fmt = make_format(32, 16, 1)
    alive = 0

    def chunks():
        nonlocal alive
        for seed in range(4):
            alive += 1
            yield make_planes(fmt, seed)
            alive -= 1

    assert write_video(chunks(), fmt, tmp_path / name).frames == 4
    assert alive == 0
    assert read_video(tmp_path / name).format.frames == 4


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("after", [0, 1])
def test_failure_on_the_way_leaves_nothing(tmp_path, name, after):
    fmt = make_format(32, 16, 1)

    def chunks():
        for seed in range(after):
            yield make_planes(fmt, seed)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        write_video(chunks(), fmt, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", OUTPUTS)
def test_no_frame_and_no_force(tmp_path, name):
    fmt = make_format(32, 16, 1)
    with pytest.raises(InputError, match="no frame to write"):
        write_video([], fmt, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    write_video([make_planes(fmt)], fmt, tmp_path / name)
    with pytest.raises(InputError, match="already exists"):
        write_video([make_planes(fmt)], fmt, tmp_path / name)
    write_video([make_planes(fmt, 1)], fmt, tmp_path / name, force=True)
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", OUTPUTS)
def test_no_room_is_one_line(tmp_path, name):
    fmt = make_format(256, 256, 4)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20000, hard))
    try:
        with pytest.raises(InputError, match=r"cannot be written|failed") as caught:
            write_video([make_planes(fmt)], fmt, tmp_path / name)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_unknown_outputs_are_refused(tmp_path):
    fmt = make_format()
    with pytest.raises(InputError, match=r"cannot write \.gif; use \.mkv"):
        write_video([make_planes(fmt)], fmt, tmp_path / "a.gif")
    with pytest.raises(InputError, match=r"\.mkv cannot hold 11 bits"):
        stored_format(replace(fmt, bit_depth=11), "a.mkv")
    with pytest.raises(InputError, match=r"\.mp4 cannot hold the odd size 35x27"):
        stored_format(fmt, "a.mp4")


def test_mp4_converts_what_players_do_not_take(tmp_path):
    rgb = make_format(32, 16, 2, chroma=Chroma.RGB)
    grey = torch.full((2, 3, 16, 32), 90, dtype=torch.uint8)
    stored = write_video([grey], rgb, tmp_path / "a.mp4")
    assert stored.chroma == Chroma.YUV420
    assert (read_video(tmp_path / "a.mp4").rgb().int() - 90).abs().max() <= 2
    deep = make_format(32, 16, 2, depth=12)
    planes = tuple(torch.full_like(plane, 2048) for plane in make_planes(deep))
    assert write_video([planes], deep, tmp_path / "b.mp4").bit_depth == 10
    back = read_video(tmp_path / "b.mp4").planes
    assert all((plane.int() - 512).abs().max() <= 2 for plane in back)


def test_float_rgb_is_taken_at_full_precision(tmp_path):
    fmt = make_format(8, 6, 1, depth=16, chroma=Chroma.RGB)
    planes = make_planes(fmt)
    write_video([torch.stack(planes, 1).double() / fmt.peak], fmt, tmp_path / "a.mkv")
    assert same(read_video(tmp_path / "a.mkv").planes, planes)


def test_rgb_of_a_yuv_video_goes_back_to_its_planes(tmp_path):
    fmt = make_format(32, 16, 1, depth=10)
    flat = torch.full((1, 3, 16, 32), 512, dtype=torch.int16)
    assert write_video([flat], fmt, tmp_path / "a.mkv") == fmt
    assert [plane.unique().tolist() for plane in read_video(tmp_path / "a.mkv").planes] == [[502], [512], [512]]
