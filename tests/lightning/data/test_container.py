import re
import struct

import numpy as np
import pytest
import torch

from nvrc_components.errors import InputError
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange
from nvrc_lightning.data.options import RawGeometry, Selection
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.data.writer import write_video
from tests.lightning.data.helpers import encode, make_format, make_planes, same, write_audio

YUV = [Chroma.YUV420, Chroma.YUV422, Chroma.YUV444]
NOISE = np.random.default_rng(0)


@pytest.mark.parametrize("chroma", [*YUV, Chroma.RGB])
@pytest.mark.parametrize("depth", [8, 10, 12, 16])
def test_mkv_round_trip_is_exact_at_odd_sizes(tmp_path, chroma, depth):
    fmt = make_format(depth=depth, chroma=chroma, rate="30000/1001")
    planes = make_planes(fmt)
    write_video([planes], fmt, tmp_path / "a.mkv")
    video = read_video(tmp_path / "a.mkv")
    assert video.format == fmt
    assert same(video.planes, planes)


@pytest.mark.parametrize("matrix", list(ColourMatrix))
@pytest.mark.parametrize("full", [0, 1])
@pytest.mark.parametrize("suffix", [".mkv", ".mp4"])
def test_colour_tags_survive(tmp_path, matrix, full, suffix):
    fmt = make_format(32, 16, matrix=matrix, full=full)
    stored = write_video([make_planes(fmt)], fmt, tmp_path / f"a{suffix}")
    assert stored == fmt
    assert read_video(tmp_path / f"a{suffix}").format == fmt


@pytest.mark.parametrize("depth", [8, 10])
@pytest.mark.parametrize("chroma", YUV)
def test_mp4_is_close(tmp_path, depth, chroma):
    fmt = make_format(64, 48, 5, depth, chroma)
    flat = tuple(torch.full_like(plane, fmt.peak // 2) for plane in make_planes(fmt))
    assert write_video([flat], fmt, tmp_path / "a.mp4") == fmt
    video = read_video(tmp_path / "a.mp4")
    assert video.format == fmt
    assert all((a.int() - b.int()).abs().max() <= 2 for a, b in zip(video.planes, flat, strict=True))


@pytest.mark.parametrize("height", [48, 720])
def test_untagged_video_is_what_players_guess(tmp_path, height):
    array = np.full((height * 3 // 2, 32), 100, np.uint8)
    encode(tmp_path / "a.mkv", "ffv1", "yuv420p", [array], "yuv420p")
    fmt = read_video(tmp_path / "a.mkv").format
    assert fmt.matrix == (ColourMatrix.BT709 if height == 720 else ColourMatrix.BT601)
    assert fmt.colour_range == ColourRange.LIMITED


def test_the_matrix_told_is_that_of_untagged_videos_only(tmp_path):
    encode(tmp_path / "a.mkv", "ffv1", "yuv420p", [np.full((72, 32), 100, np.uint8)], "yuv420p")
    told = RawGeometry(matrix=ColourMatrix.BT2020)
    assert read_video(tmp_path / "a.mkv", raw=told).format.matrix == ColourMatrix.BT2020
    fmt = make_format(32, 16, matrix=ColourMatrix.BT709)
    write_video([make_planes(fmt)], fmt, tmp_path / "tagged.mkv")
    assert read_video(tmp_path / "tagged.mkv", raw=told).format == fmt


@pytest.mark.parametrize(("name", "depth"), [("gray", 8), ("gray10le", 10)])
def test_grey_video_gets_neutral_chroma(tmp_path, name, depth):
    array = NOISE.integers(0, 1 << depth, (6, 8), dtype=np.uint8 if depth == 8 else np.uint16)
    encode(tmp_path / "a.mkv", "ffv1", name, [array], name)
    video = read_video(tmp_path / "a.mkv")
    assert video.format.chroma == Chroma.YUV420
    assert np.array_equal(video.planes[0][0].numpy(), array)
    assert bool((video.planes[1] == 1 << (depth - 1)).all())


def test_packed_rgb_is_only_rearranged(tmp_path):
    array = NOISE.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    encode(tmp_path / "a.avi", "rawvideo", "bgr24", [array], "rgb24")
    video = read_video(tmp_path / "a.avi")
    assert video.format.chroma == Chroma.RGB
    assert np.array_equal(video.rgb()[0].permute(1, 2, 0).numpy(), array)


def test_variable_rate_frames_are_taken_as_they_come(tmp_path):
    arrays = [np.full((24, 16), 10 * value, np.uint8) for value in range(1, 6)]
    encode(tmp_path / "a.mkv", "ffv1", "yuv420p", arrays, "yuv420p", times=[0, 1, 5, 6, 20])
    video = read_video(tmp_path / "a.mkv")
    assert video.planes[0][:, 0, 0].tolist() == [10, 20, 30, 40, 50]
    assert video.format.rate > 0


def test_selection_over_predicted_frames(tmp_path):
    fmt = make_format(32, 16, 12)
    planes = make_planes(fmt)
    write_video([planes], fmt, tmp_path / "a.mp4")
    whole = read_video(tmp_path / "a.mp4")
    part = read_video(tmp_path / "a.mp4", Selection(5, 9))
    assert same(part.planes, [plane[5:9] for plane in whole.planes])
    with pytest.raises(InputError, match=r"frames 5:99 are outside the video, which has frames 0:12"):
        read_video(tmp_path / "a.mp4", Selection(5, 99))
    with pytest.raises(InputError, match=r"frames 40: are outside the video, which has frames 0:12"):
        read_video(tmp_path / "a.mp4", Selection(40))


@pytest.mark.parametrize("chroma", YUV)
@pytest.mark.parametrize("turns", [1, 2, 3])
def test_noted_rotation_is_carried_out(tmp_path, chroma, turns):
    fmt = make_format(32, 16, 2, chroma=chroma)
    write_video([make_planes(fmt)], fmt, tmp_path / "a.mp4")
    upright = read_video(tmp_path / "a.mp4")
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    matrix = data.index(b"tkhd") + 4 + 40  # version 0: 40 bytes precede the display matrix
    sine, cosine = {1: (-65536, 0), 2: (0, -65536), 3: (65536, 0)}[turns]
    struct.pack_into(">9i", data, matrix, cosine, sine, 0, -sine, cosine, 0, 0, 0, 1 << 30)
    (tmp_path / "b.mp4").write_bytes(data)
    turned = read_video(tmp_path / "b.mp4")
    assert (turned.format.width, turned.format.height) == ((16, 32) if turns % 2 else (32, 16))
    assert torch.equal(turned.planes[0], torch.rot90(upright.planes[0], turns, (1, 2)))
    if chroma != Chroma.YUV422:
        assert torch.equal(turned.planes[1], torch.rot90(upright.planes[1], turns, (1, 2)))


def test_no_video_in_it(tmp_path):
    write_audio(tmp_path / "sound.wav")
    write_audio(tmp_path / "sound.mkv")
    (tmp_path / "text.mp4").write_text("This is not a film.\n" * 50)
    (tmp_path / "notes.txt").write_text("This is not a film.\n" * 50)
    (tmp_path / "empty.mp4").touch()
    for name, message in (
        ("sound.wav", "no video stream in it (only audio)"),
        ("sound.mkv", "no video stream in it (only audio)"),
        ("text.mp4", "not a video"),
        ("notes.txt", "not a video"),
        ("empty.mp4", "the file is empty"),
        ("gone.mp4", "no such file"),
    ):
        with pytest.raises(InputError, match=re.escape(f"{name}: {message}")) as caught:
            read_video(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_cut_file_is_reported(tmp_path, suffix):
    fmt = make_format(64, 48, 20)
    write_video([make_planes(fmt)], fmt, tmp_path / f"a{suffix}")
    data = (tmp_path / f"a{suffix}").read_bytes()
    (tmp_path / f"head{suffix}").write_bytes(data[: len(data) // 2])
    (tmp_path / f"tail{suffix}").write_bytes(data[len(data) // 2 :])
    with pytest.warns(UserWarning, match=r"of 0\.8 seconds were found; the file may be cut short"):
        video = read_video(tmp_path / f"head{suffix}")
    assert 0 < video.format.frames < 20
    with pytest.raises(InputError, match=rf"tail{suffix}: "):
        read_video(tmp_path / f"tail{suffix}")


@pytest.mark.filterwarnings("ignore:.*may be cut short")
@pytest.mark.parametrize("seed", range(8))
def test_damage_is_an_error_or_a_video(tmp_path, seed):
    fmt = make_format(64, 48, 6)
    write_video([make_planes(fmt)], fmt, tmp_path / "a.mp4")
    data = bytearray((tmp_path / "a.mp4").read_bytes())
    for position in np.random.default_rng(seed).integers(0, len(data), 40):
        data[position] ^= 0x5A
    (tmp_path / "b.mp4").write_bytes(data)
    outcome = ""
    try:
        outcome = f"{read_video(tmp_path / 'b.mp4').format.frames} frames"
    except InputError as error:
        outcome = str(error)
    assert re.fullmatch(r"[1-9]\d* frames|.*b\.mp4: .*", outcome)
