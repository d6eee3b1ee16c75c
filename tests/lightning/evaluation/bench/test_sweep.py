"""Sweeps over real codecs and a real recipe, a few frames long."""

import csv
import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nvrc_components.errors import InputError
from nvrc_lightning.cli import main
from nvrc_lightning.evaluation.bench import bench, processes, read_points, sweep
from nvrc_lightning.evaluation.bench.exclusion import sole_use
from nvrc_lightning.evaluation.bench.tables import COST_COLUMNS, POINT_COLUMNS
from tests.lightning.helpers import files_in

QUICK = {
    "codecs": ("x264", "svtav1"),
    "qualities": {"x264": (24, 32, 40), "svtav1": (30, 44, 58)},
    "presets": {"x264": "veryfast", "svtav1": "10"},
    "frames": "0:4",
    "threads": 1,
    "report": False,
}
OURS = {
    "recipes": ("nvrc_lite",),
    "lambdas": (2,),
    "epochs": 1,
    "size": "xxs",
    "device": "cpu",
    "options": ("--model.network.size=xxs",),
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """Folder and points of a sweep that nothing disturbed."""
    folder = tmp_path_factory.mktemp("bench") / "out"
    return folder, bench(["bunny"], folder, **QUICK, **OURS, progress=False)


def _rows(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_points_are_of_the_files_that_lie_there(swept):
    folder, points = swept
    assert [(point.codec, point.setting) for point in points] == [
        ("nvrc_lite", "lambda 2"),
        ("svtav1", "crf 58"),
        ("svtav1", "crf 44"),
        ("svtav1", "crf 30"),
        ("x264", "crf 40"),
        ("x264", "crf 32"),
        ("x264", "crf 24"),
    ]
    assert points == read_points(folder)
    for point in points:
        size = (folder / point.stream).stat().st_size
        counted = point.result.rate.file_bytes
        assert counted == size if point.codec == "nvrc_lite" else 0 < size - counted < 3000
        assert sum(point.result.rate.sections.values()) <= counted
        assert point.video == point.result.video == "bunny 0:4"
        assert point.result.scores.frames == 4
        assert point.result.cost.peak_memory_mib > 100
        assert "counted bytes" in point.settings
    assert points[0].result.run.seed == 0
    assert points[0].variant == "1 epoch, size xxs, model.network.size=xxs"
    assert points[-1].variant == "veryfast, one intra frame"
    assert "crf=24" in points[-1].settings["options"]
    assert points[-1].result.run.versions["libx264"].startswith("core ")


def test_x264_and_svtav1_come_out_as_they_do_everywhere(swept):
    folder, points = swept
    for codec in ("x264", "svtav1"):
        curve = [point.result for point in points if point.codec == codec]
        assert [result.scores.psnr_rgb for result in curve] == sorted(result.scores.psnr_rgb for result in curve)
    rows = [row for row in _rows(folder / "bd_rate.csv") if row["measure"] == "psnr_rgb" and row["method"] == "akima"]
    by_pair = {(row["anchor"].split(",")[0], row["codec"].split(",")[0]): row for row in rows}
    saving = by_pair["x264", "svtav1"]
    assert -70 < float(saving["bd_rate_percent"]) < 0
    assert float(saving["bd_quality"]) > 0
    alone = by_pair["x264", "nvrc_lite"]
    assert alone["bd_rate_percent"] == ""
    assert alone["bd_rate_doubt"] == "a curve has 1 points, 3 are needed"


def test_tables_have_a_row_for_each_point(swept):
    folder, points = swept
    rows, costs = _rows(folder / "points.csv"), _rows(folder / "costs.csv")
    assert list(rows[0]) == list(POINT_COLUMNS)
    assert list(costs[0]) == list(COST_COLUMNS)
    for row, cost, point in zip(rows, costs, points, strict=True):
        assert row["setting"] == cost["setting"] == point.setting
        assert int(row["bytes"]) == point.result.rate.file_bytes
        assert float(row["bpp"]) == pytest.approx(8 * int(row["bytes"]) / (4 * 128 * 192), abs=1e-6)
        assert float(row["psnr_rgb"]) == pytest.approx(point.result.scores.psnr_rgb, abs=1e-4)
        assert row["ms_ssim_rgb"] == ""  # the clip is too small for five scales
        assert float(cost["encode_seconds"]) > 0
    assert rows[0]["seed"] == "0"
    assert rows[-1]["seed"] == ""
    assert str(folder.parent) not in (folder / "points.csv").read_text()


def _kill_a_sweep(folder, points, seconds):
    """Start the same sweep in a process of its own, kill it so long after it made so many points; was it at work?"""
    code = (
        "import sys, json; from nvrc_lightning.evaluation.bench import bench;"
        "bench(['bunny'], sys.argv[1], **json.loads(sys.argv[2]), progress=False)"
    )
    wanted = points + len(list(folder.glob("points/*/*.json")))
    process = subprocess.Popen([sys.executable, "-c", code, str(folder), json.dumps(QUICK | OURS)])
    while process.poll() is None and len(list(folder.glob("points/*/*.json"))) < wanted:
        time.sleep(0.02)
    time.sleep(seconds)
    was_at_work = process.poll() is None
    process.kill()
    process.wait()
    return was_at_work


@pytest.mark.slow
def test_a_sweep_killed_at_random_and_continued_gives_the_same_table(swept, tmp_path):
    uninterrupted, points = swept
    folder = tmp_path / "out"
    kills = [_kill_a_sweep(folder, count, random.uniform(0, 3)) for count in (0, 1, 2)]
    again = bench(["bunny"], folder, **QUICK, **OURS, progress=False)
    assert any(kills)
    assert (folder / "points.csv").read_bytes() == (uninterrupted / "points.csv").read_bytes()
    assert (folder / "bd_rate.csv").read_bytes() == (uninterrupted / "bd_rate.csv").read_bytes()
    assert [point.stream for point in again] == [point.stream for point in points]
    assert files_in(folder) == files_in(uninterrupted)


def test_only_what_is_missing_or_changed_is_made_again(tmp_path, monkeypatch):
    settings = QUICK | {"codecs": ("x264",), "qualities": {"x264": (30, 40)}, "presets": {"x264": "veryfast"}}
    first = bench(["bunny"], tmp_path, **settings, progress=False)
    made = []
    original = sweep.run_apart
    monkeypatch.setattr(sweep, "run_apart", lambda task, progress: (made.append(task.name), original(task, progress)))
    assert bench(["bunny"], tmp_path, **settings, progress=False) == first
    assert made == []
    (tmp_path / first[0].stream).unlink()
    bench(["bunny"], tmp_path, **settings, progress=False)
    assert made == ["x264, veryfast, one intra frame, crf 40"]
    bench(["bunny"], tmp_path, **settings | {"threads": 2}, progress=False)  # the same curve, coded otherwise
    assert len(made) == 3
    points = bench(["bunny"], tmp_path, **settings | {"threads": 2, "intra_periods": (2,)}, progress=False)
    assert {point.variant for point in points} == {"veryfast, intra every 2 frames"}
    assert len(read_points(tmp_path)) == 4  # the other curve stays


def test_what_a_killed_sweep_left_half_written_is_cleared_away(tmp_path):
    settings = QUICK | {"codecs": ("x264",), "qualities": {"x264": (40,)}, "presets": {"x264": "veryfast"}}
    (point,) = bench(["bunny"], tmp_path, **settings, progress=False)
    before = files_in(tmp_path)
    stream = tmp_path / point.stream
    stream.with_name(f".{stream.stem}.01234567.part.mkv").write_bytes(b"half")
    bench(["bunny"], tmp_path, **settings, progress=False)
    assert files_in(tmp_path) == before


def test_one_point_that_fails_does_not_stop_the_others(tmp_path, capsys):
    settings = QUICK | {"codecs": ("x264", "svtav1"), "qualities": {"x264": (30,), "svtav1": (40,)}}
    settings |= {"presets": {"x264": "sluggish", "svtav1": "10"}}
    with pytest.raises(InputError, match="1 of 2 points could not be made; the first: bunny 0:4: x264, sluggish"):
        bench(["bunny"], tmp_path, **settings)
    assert [point.codec for point in read_points(tmp_path)] == ["svtav1"]
    assert len(_rows(tmp_path / "points.csv")) == 1
    out = capsys.readouterr().out
    assert "[1/2] bunny 0:4: x264" in out
    assert "PSNR-RGB" in out


def test_a_crash_and_a_defect_cost_one_point_each(tmp_path, monkeypatch):
    settings = QUICK | {"codecs": ("x264",), "qualities": {"x264": (20, 30, 40)}, "presets": {"x264": "veryfast"}}
    code = {
        "crf 20": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "crf 30": "raise ZeroDivisionError('a defect')",
    }
    run = sweep.run_apart

    def troubled(task, progress):
        with monkeypatch.context() as patch:
            if task.coder.setting in code:
                patch.setattr(processes, "_COMMAND", (sys.executable, "-c", code[task.coder.setting]))
            run(task, progress)

    monkeypatch.setattr(sweep, "run_apart", troubled)
    with pytest.raises(RuntimeError, match=r"crf 30 ended with exit code 1:(.|\n)*ZeroDivisionError: a defect"):
        bench(["bunny"], tmp_path, **settings, progress=False)
    assert [point.setting for point in read_points(tmp_path)] == ["crf 40"]
    del code["crf 30"]
    with pytest.raises(InputError, match=r"1 of 3 points could not be made.*was killed by signal 9"):
        bench(["bunny"], tmp_path, **settings, progress=False)
    assert [point.setting for point in read_points(tmp_path)] == ["crf 40", "crf 30"]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"codecs": ("x266",)}, r"codec x266: not known; did you mean .* \(codecs: x264, x265, svtav1, vp9, vvenc\)"),
        ({"codecs": ("x264",), "qualities": {"x264": (70,)}, "presets": {}}, r"quality 70 is not in 0\.\.51"),
        ({"codecs": ("x264",), "presets": {}}, "codec svtav1: settings are given for it, but it is not among"),
        ({"recipes": ("nvrc_lit",)}, "nvrc_lit: no such recipe or file; did you mean 'nvrc_lite'"),
        ({"recipes": ("nvrc_lite",), "lambdas": (0,)}, "lambda 0 is not positive"),
        ({"recipes": ("nvrc_lite+sizes/zz",)}, "sizes/zz: no such recipe"),
        ({"recipes": ("nvrc_lite", "nvrc_lite")}, "nvrc_lite, as the recipe has it, lambda 2 is asked for twice"),
        ({"codecs": (), "qualities": {}, "presets": {}}, "nothing to do"),
        ({"frames": "0:99"}, "99"),
        ({"intra_periods": (-1,)}, "intra period -1 is negative"),
    ],
)
def test_mistakes_are_found_before_any_work(changes, expected, tmp_path):
    with pytest.raises(InputError, match=expected):
        bench(["bunny"], tmp_path, **QUICK | changes, progress=False)
    assert [name for name in files_in(tmp_path) if Path(name).suffix] == []


def test_two_sweeps_do_not_share_a_folder(tmp_path):
    tmp_path.joinpath(".lock").touch()
    with sole_use(tmp_path), pytest.raises(InputError, match="another sweep is at work in it"):
        bench(["bunny"], tmp_path, **QUICK, progress=False)


def test_ctrl_c_says_that_what_was_made_is_kept(tmp_path, monkeypatch, capsys):
    def interrupted(task, progress):
        raise KeyboardInterrupt

    monkeypatch.setattr("nvrc_lightning.evaluation.bench.sweep.run_apart", interrupted)
    assert main(["bench", "bunny", "--out", str(tmp_path), "--frames", "0:2"]) == 130
    assert capsys.readouterr().err == "nvrc: interrupted; all points before are kept; the same command goes on\n"


def test_two_videos_of_one_name(tmp_path):
    with pytest.raises(InputError, match="asked for twice"):
        bench(["bunny", "bunny"], tmp_path, **QUICK, progress=False)


def test_a_sequence_that_is_not_there_is_named_with_its_page(tmp_path):
    missing = tmp_path / "Beauty_1920x1080_120fps_420_8bit_YUV.yuv"
    with pytest.raises(InputError, match=r"no such file; Beauty is a sequence of UVG, .*ultravideo\.fi"):
        bench([missing], tmp_path, **QUICK, progress=False)
