import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import av
import pytest

from nvrc_components.errors import InputError
from nvrc_components.video_format import Chroma, ColourRange
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.data.video import Video
from nvrc_lightning.evaluation.conventional import encode_conventional
from nvrc_lightning.evaluation.encoders import CODECS, ConventionalCodec
from nvrc_lightning.evaluation.metrics import score

ROOT = Path(__file__).parents[3]
CLIP = ROOT / "nvrc_lightning/assets/bunny_192x128_32f.mkv"


@pytest.fixture(scope="module")
def video() -> Video:
    return read_video(CLIP)


def test_x264_codes_the_clip_and_is_measured_from_its_file(video, tmp_path):
    path = tmp_path / "out.mkv"
    point = encode_conventional(video, ConventionalCodec("x264", 30, "medium"), path)
    assert point.codec.preset == "medium"
    assert point.version.startswith("core ")
    assert 0 < path.stat().st_size - point.coded_bytes < 3000  # container and SEI
    assert point.bpp == pytest.approx(8 * point.coded_bytes / (192 * 128 * 32))
    assert 0.02 < point.bpp < 0.5
    assert 28 < point.scores.psnr_rgb < 36
    assert point.scores == score([read_video(path).planes], video)


def test_a_better_quality_costs_more_and_looks_better(video, tmp_path):
    part = video.trim(0, 8)
    points = [
        encode_conventional(part, ConventionalCodec("x264", quality, "veryfast"), tmp_path / f"{quality}.mkv")
        for quality in (20, 36)
    ]
    assert points[0].coded_bytes > 2 * points[1].coded_bytes
    assert points[0].scores.psnr_yuv611 > points[1].scores.psnr_yuv611 + 5


@pytest.mark.parametrize(("name", "preset"), [("x265", "fast"), ("svtav1", "10"), ("vp9", "5")])
def test_the_other_encoders_code_it_too(video, tmp_path, name, preset):
    point = encode_conventional(video.trim(0, 8), ConventionalCodec(name, 32, preset), tmp_path / "out.mkv")
    assert point.scores.psnr_rgb > 28
    assert point.coded_bytes > 500


PRESETS = {"x264": "veryfast", "x265": "fast", "svtav1": "10", "vp9": "5"}


@pytest.mark.parametrize("name", sorted(CODECS))
@pytest.mark.parametrize(("period", "expected"), [(0, [0]), (8, [0, 8, 16, 24])])
def test_intra_frames_are_where_they_were_asked_for(video, tmp_path, name, period, expected):
    codec = ConventionalCodec(name, 34, PRESETS[name], intra_period=period)
    encode_conventional(video, codec, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as container:
        intra = [index for index, frame in enumerate(container.decode(video=0)) if int(frame.pict_type) == 1]
    assert intra == expected
    assert codec.variant.endswith("intra every 8 frames" if period else "one intra frame")


def test_rgb_and_ten_bit_sources(video, tmp_path):
    part = video.trim(0, 4)
    red, green, blue = part.rgb().unbind(1)
    rgb = Video(replace(part.format, chroma=Chroma.RGB, colour_range=ColourRange.FULL), (red, green, blue))
    point = encode_conventional(rgb, ConventionalCodec("x264", 12, "veryfast"), tmp_path / "rgb.mkv")
    assert point.scores.psnr_rgb > 36
    assert "psnr_yuv611" in point.scores.undefined
    first, second, third = (plane.short() * 4 for plane in part.planes)
    deep = Video(replace(part.format, bit_depth=10), (first, second, third))
    point = encode_conventional(deep, ConventionalCodec("x264", 12, "veryfast"), tmp_path / "deep.mkv")
    assert point.scores.psnr_yuv611 > 40


def test_what_no_encoder_can_do_is_said_before_any_work(video, tmp_path):
    with pytest.raises(InputError, match="codec vp8: not known; choose x264, x265, svtav1, vp9"):
        ConventionalCodec("vp8", 30)
    with pytest.raises(InputError, match=r"quality 52 is not in 0\.\.51"):
        ConventionalCodec("x264", 52)
    wide = Video(replace(video.format, chroma=Chroma.YUV444), (video.planes[0],) * 3)
    with pytest.raises(InputError, match="4:2:0 only"):
        encode_conventional(wide, ConventionalCodec("svtav1", 30), tmp_path / "out.mkv")
    assert list(tmp_path.iterdir()) == []


def test_a_preset_the_encoder_does_not_know(video, tmp_path):
    with pytest.raises(InputError, match="x264 cannot code this video"):
        encode_conventional(video, ConventionalCodec("x264", 30, "sluggish"), tmp_path / "out.mkv")
    assert list(tmp_path.iterdir()) == []


def test_default_presets_are_the_slow_ones():
    assert {name: ConventionalCodec(name, 30).preset for name in CODECS} == {
        "x264": "veryslow",
        "x265": "veryslow",
        "svtav1": "2",
        "vp9": "0",
    }


def test_the_script_writes_a_tidy_csv(tmp_path):
    out = tmp_path / "points.csv"
    command = [sys.executable, str(ROOT / "benchmarks/conventional.py"), "--video", str(CLIP), "--codecs", "x264"]
    command += ["--preset", "veryfast", "--quality", "30", "38", "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT)
    header, *rows = out.read_text().splitlines()
    assert header.startswith("clip,frames,matrix,codec,preset,quality,bytes,bpp,psnr_rgb,psnr_yuv611,ms_ssim")
    assert [row.split(",")[5] for row in rows] == ["30", "38"]
    assert all(row.startswith("bunny_192x128_32f.mkv,32,") for row in rows)
    assert str(tmp_path) not in out.read_text()
    again = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert again.returncode == 2
    assert "already exists" in again.stderr
