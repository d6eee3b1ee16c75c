"""`nvrc bench` as a program."""

import csv

import pytest

from nvrc_lightning.cli import main
from tests.lightning.helpers import files_in
from tests.lightning.test_cli import one_line


def test_the_program_writes_its_tables_and_goes_on(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["bench", "bunny", "--out", "out", "--codecs", "x264", "--presets", "x264=veryfast", "--frames", "0:2"]
    assert main([*words, "--qualities", "x264=30,40", "--no-report"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "[2/2] bunny 0:2: x264, veryfast, one intra frame, crf 40" in out
    assert out.endswith("out: 2 points\n")
    assert main([*words, "--qualities", "x264=30,35", "--no-report"]) == 0
    with (tmp_path / "out/points.csv").open(newline="") as file:
        assert [row["setting"] for row in csv.DictReader(file)] == ["crf 40", "crf 35", "crf 30"]
    tables = [name for name in files_in("out") if "/" not in name]
    assert tables == [".lock", "bd_rate.csv", "costs.csv", "points", "points.csv", "streams", "videos"]


def test_help_says_what_is_done_by_default(capsys):
    assert main(["bench", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "'' for none (default: x264,x265,svtav1)" in text
    assert "nvrc+sizes/s1 (default: none)" in text


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], "the following arguments are required: VIDEO, --out"),
        (["bunny"], "the following arguments are required: --out"),
        (["bunny", "--out", "o", "--codec", "x264"], "unrecognized arguments: --codec x264; did you mean '--codecs'"),
        (["bunny", "--out", "o", "--codecs", "x266"], "codec x266: not known; did you mean"),
        (["bunny", "--out", "o", "--lambdas", "1,x"], "'1,x' is not numbers with commas between them"),
        (["bunny", "--out", "o", "--intra-periods", "1.5"], "'1.5' is not whole numbers with commas between them"),
        (["bunny", "--out", "o", "--qualities", "x264"], "'x264' is not a codec, '=' and what is meant for it"),
        (["bunny", "--out", "o", "--recipes", "nvrc_lit"], "nvrc_lit: no such recipe or file; did you mean"),
        (["bunny", "--out", "o", "--data.size=3"], "unrecognized arguments: --data.size=3"),
        (["bunny", "--out", "o", "--data.raw.widht=3"], "unknown option 'data.raw.widht'; did you mean 'width'?"),
        (["bunny", "--out", "o", "--data.raw.width=x"], "--data.raw.width: 'x' is not a whole number"),
        (["bunny", "--out", "o", "--data.raw.matrix=601"], "'601' is not one of BT601, BT709, BT2020"),
        (["none.mp4", "--out", "o"], "none.mp4: no such file"),
        (
            ["UVG/Jockey.yuv", "--out", "o"],
            "Jockey is a sequence of UVG, to be had from ultravideo.fi/dataset.html as ",
        ),
        (["d/Jockey.yuv", "--out", "o"], "dataset.html as Jockey_1920x1080_120fps_420_8bit_YUV.yuv"),
        (["mcl-jcv/*.yuv", "--out", "o"], "no such file; videoSRC01 is a sequence of MCL-JCV, to be had from mcl.usc."),
        (["UVG", "--out", "o"], "UVG: no such file; Beauty is a sequence of UVG"),
        (["clips/*.mkv", "--out", "o"], "clips/*.mkv: no such file"),
        (
            ["bunny", "--out", "o", "--target-size", "9kB"],
            "--target-size is for 'nvrc encode'; points of a bench are set",
        ),
        (["bunny", "--out", "file"], "file: cannot be used as a folder"),
    ],
)
def test_mistakes(words, expected, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert expected in one_line(capsys, "bench", *words)
    assert [name for name in files_in(tmp_path) if "." in name] == []
