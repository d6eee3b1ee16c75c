import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvrc_components.errors import InputError
from nvrc_lightning.evaluation.bench.point import POINTS, point_path, read_points, write_point
from tests.lightning.evaluation.bench.helpers import make_point


def test_what_is_written_is_read_in_order_of_video_codec_and_rate(tmp_path):
    points = [
        make_point("x264", "crf 40", 500),
        make_point("x264", "crf 30", 1000),
        make_point("x264", "crf 9", 9000),
        make_point("x265", "crf 30", 800),
        make_point("x264", "crf 30", 4000, video="other.mkv"),
    ]
    for point in reversed(points):
        write_point(point, tmp_path)
    assert read_points(tmp_path) == tuple(points)


def test_a_point_that_is_measured_again_replaces_the_old_one(tmp_path):
    write_point(make_point(size=1000), tmp_path)
    write_point(make_point(size=900), tmp_path)
    assert [point.result.rate.file_bytes for point in read_points(tmp_path)] == [900]


def test_a_half_written_point_is_not_read(tmp_path):
    write_point(make_point(), tmp_path)
    (path,) = (tmp_path / POINTS).glob("*/*.json")
    path.with_name(f".{path.stem}.0123abcd.part.json").write_text("{")
    assert len(read_points(tmp_path)) == 1


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"video": "a"}'])
def test_something_else_among_the_points_is_named(tmp_path, text):
    write_point(make_point(), tmp_path)
    (path,) = (tmp_path / POINTS).glob("*/*.json")
    path.write_text(text)
    with pytest.raises(InputError, match=rf"{path.name}: not a point of nvrc bench; delete it"):
        read_points(tmp_path)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_points(tmp_path / "none")


def test_numbers_that_are_not_defined_survive(tmp_path):
    point = make_point()
    scores = replace(point.result.scores, vmaf=float("nan"), psnr_rgb_per_frame=(float("inf"), 30.0))
    write_point(replace(point, result=replace(point.result, scores=scores)), tmp_path)
    (path,) = (tmp_path / POINTS).glob("*/*.json")
    assert json.loads(path.read_text())["result"]["scores"]["vmaf"] is None
    (read,) = read_points(tmp_path)
    assert read.result.scores.vmaf != read.result.scores.vmaf
    assert read.result.scores.psnr_rgb_per_frame == (float("inf"), 30.0)


WORDS = st.tuples(*[st.text(max_size=40)] * 4)


@given(WORDS, WORDS)
def test_different_points_have_different_files_whatever_their_names(ours, theirs):
    paths = [point_path(*words, ".json") for words in (ours, theirs)]
    assert (paths[0] == paths[1]) == (ours == theirs)
    for path in paths:
        folder, name = path.split("/")
        assert not folder.startswith(".")
        assert not name.startswith(".")
        assert len(name) < 128
        assert path.isascii()
