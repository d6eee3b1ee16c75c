"""VVenC, VVdeC and VMAF, by stand-ins that do what these programs are asked to; the real ones are seldom installed."""

import json
import os
import stat
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nvrc_components.errors import InputError
from nvrc_components.video_format import Chroma, ColourRange
from nvrc_lightning.data.reader import read_video
from nvrc_lightning.data.video import Video
from nvrc_lightning.evaluation.bench import bench, frames_of
from nvrc_lightning.evaluation.vmaf import measure_vmaf
from nvrc_lightning.evaluation.vvenc import VvencCodec, encode_vvc

CLIP = Path(__file__).parents[3] / "nvrc_lightning/assets/bunny_192x128_32f.mkv"

# "Codes" by dropping bits: the file is a line of options and then the samples, less the lowest bits.
ENCODER = """\
import json, sys
import numpy as np
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
width, height = map(int, options["--size"].split("x"))
samples = np.fromfile(options["--input"], "u1")
assert samples.size == int(options["--frames"]) * width * height * 3 // 2
coarse = samples >> (int(options["--qp"]) // 10)
with open(options["--output"], "wb") as file:
    file.write(json.dumps(options).encode() + b"\\n" + coarse.tobytes())
"""
DECODER = """\
import json, sys
import numpy as np
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
header, _, coded = open(options["-b"], "rb").read().partition(b"\\n")
told = json.loads(header)
width, height = told["--size"].split("x")
values = (np.frombuffer(coded, "u1").astype("<u2") << (int(told["--qp"]) // 10)) * 4 + 1
frame = int(width) * int(height) * 3 // 2
with open(options["-o"], "wb") as file:
    file.write(f"YUV4MPEG2 W{width} H{height} F{told['--framerate']}:1 Ip C420p10\\n".encode())
    for start in range(0, values.size, frame):
        file.write(b"FRAME\\n" + values[start : start + frame].tobytes())
"""
VMAF = """\
import json, sys
options = dict(zip(sys.argv[1::2], sys.argv[2::2]))
same = open(options["--reference"], "rb").read() == open(options["--distorted"], "rb").read()
json.dump({"pooled_metrics": {"vmaf": {"mean": 100.0 if same else 42.5}}}, open(options["--output"], "w"))
"""


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A function that puts stand-ins on the path."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    def install(**sources):
        for name, source in sources.items():
            (folder / name).write_text(f"#!{sys.executable}\n{source}")
            (folder / name).chmod(stat.S_IRWXU)

    return install


@pytest.fixture(scope="module")
def video():
    return read_video(CLIP).trim(0, 3)


def test_vvenc_is_told_what_was_asked_and_its_ten_bits_come_back_as_eight(programs, video, tmp_path):
    programs(vvencapp=ENCODER, vvdecapp=DECODER)
    coded = encode_vvc(video, VvencCodec(35, "faster", threads=3), tmp_path / "a.266")
    header, _, rest = (tmp_path / "a.266").read_bytes().partition(b"\n")
    assert json.loads(header) | {"--input": "", "--output": ""} == {
        "--input": "",
        "--size": "192x128",
        "--format": "yuv420",
        "--framerate": "25",
        "--frames": "3",
        "--preset": "faster",
        "--qp": "35",
        "--qpa": "0",
        "--threads": "3",
        "--intraperiod": "32",
        "--verbosity": "1",
        "--output": "",
    }
    assert coded.coded_bytes == len(header) + 1 + len(rest)
    luma = video.planes[0].double()
    errors = (luma - luma.int().bitwise_and(~7)).square().mean((1, 2))
    assert coded.scores.psnr_y == pytest.approx(float((10 * torch.log10(255**2 / errors)).mean()))


def test_a_bench_with_vvenc_and_vmaf(programs, tmp_path):
    programs(vvencapp=ENCODER, vvdecapp=DECODER, vmaf=VMAF)
    settings = {"codecs": ("vvenc",), "qualities": {"vvenc": (0, 30)}, "frames": "0:2", "threads": 1}
    exact, coarse = bench(["bunny"], tmp_path / "out", **settings, report=False, progress=False)
    assert [exact.result.scores.vmaf, coarse.result.scores.vmaf] == [100.0, 42.5]
    assert exact.result.scores.psnr_y == 100
    assert (exact.codec, exact.variant, exact.setting) == ("vvenc", "slow, one intra frame", "qp 0")
    assert torch.equal(frames_of(exact, tmp_path / "out", [1]), read_video(CLIP).trim(1, 2).rgb())


def test_rgb_is_given_to_vvenc_as_yuv(programs, video, tmp_path):
    programs(vvencapp=ENCODER, vvdecapp=DECODER)
    red, green, blue = video.rgb().unbind(1)
    fmt = replace(video.format, chroma=Chroma.RGB, colour_range=ColourRange.FULL)
    coded = encode_vvc(Video(fmt, (red, green, blue)), VvencCodec(0), tmp_path / "a.266")
    assert 35 < coded.scores.psnr_rgb < 60
    assert "psnr_y" in coded.scores.undefined


def test_programs_that_are_missing_or_fail(programs, video, tmp_path, monkeypatch):
    programs(vvencapp="import sys\nsys.exit('Error: preset sluggish is invalid')", vvdecapp="", vmaf="")
    with pytest.raises(InputError, match=r"vvencapp ended with exit code 1 \(Error: preset sluggish is invalid\)"):
        encode_vvc(video, VvencCodec(30, "sluggish"), tmp_path / "a.266")
    assert not list(tmp_path.glob("*.266"))
    with pytest.raises(InputError, match=r"measured nothing \(it said nothing\); take it out of PATH"):
        measure_vmaf([video.planes], video)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match="vvencapp is not installed; install VVenC and VVdeC, or leave it out"):
        VvencCodec(30)
    with pytest.raises(InputError, match="vmaf is not installed"):
        measure_vmaf([video.planes], video)


def test_what_vvenc_cannot_do_is_said_before_any_work(programs, video):
    programs(vvencapp="", vvdecapp="")
    with pytest.raises(InputError, match=r"quality 64 is not in 0\.\.63"):
        VvencCodec(64)
    with pytest.raises(InputError, match="intra period 20 is no multiple of 32"):
        VvencCodec(30, intra_period=20)
    with pytest.raises(InputError, match="4:2:0 only, the video is YUV444"):
        VvencCodec(30).check(replace(video.format, chroma=Chroma.YUV444))
    assert VvencCodec(30, intra_period=64).variant == "slow, intra every 64 frames"
    assert "64" in VvencCodec(30).options(replace(video.format, frames=32))
