import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nvrc_lightning.evaluation.bench.bd_rate import LEAST_OVERLAP, RatePoint, bd_psnr, bd_rate, decibels
from nvrc_lightning.evaluation.bench.comparison import MEAN, compare, write_bd_rates
from tests.lightning.evaluation.bench.helpers import make_point

METHODS = pytest.mark.parametrize("method", ["akima", "pchip"])

# peers.md-like figures of one clip: x265 and x264 veryslow, crf 22 to 38.
X265 = [(0.1586, 37.80), (0.0911, 35.32), (0.0562, 32.90), (0.0360, 30.47), (0.0231, 28.16)]
X264 = [(0.1835, 37.25), (0.1040, 34.80), (0.0630, 32.41), (0.0391, 30.14), (0.0239, 27.98)]
SVTAV1 = [(0.1699, 38.99), (0.1063, 37.21), (0.0707, 35.29), (0.0490, 33.36), (0.0277, 30.51)]


def _curve(pairs):
    return [RatePoint(*pair) for pair in pairs]


@st.composite
def curves(draw):
    """A curve whose steps are those of real ones: rates times 1.2 to 3, 0.5 to 3 dB each."""
    rate, quality = draw(st.floats(0.001, 1)), draw(st.floats(20, 40))
    points = [RatePoint(rate, quality)]
    for _ in range(draw(st.integers(2, 6))):
        rate, quality = rate * draw(st.floats(1.2, 3)), quality + draw(st.floats(0.5, 3))
        points.append(RatePoint(rate, quality))
    return draw(st.permutations(points))


@METHODS
@given(curves())
def test_a_curve_is_nothing_apart_from_itself(method, curve):
    for delta in (bd_rate(curve, curve, method), bd_psnr(curve, curve, method)):
        assert delta.value == pytest.approx(0, abs=1e-9)
        assert delta.overlap == pytest.approx(1)
        assert delta.holds


@METHODS
@given(curves(), st.floats(0.5, 2))
def test_so_many_more_bits_everywhere_are_so_many_percent(method, curve, factor):
    more = [RatePoint(rate * factor, quality) for rate, quality in curve]
    assert bd_rate(curve, more, method).value == pytest.approx(100 * (factor - 1), abs=1e-6)


@METHODS
@given(curves(), st.floats(-0.2, 0.2))
def test_so_many_decibels_everywhere_are_so_many_decibels(method, curve, gain):
    better = [RatePoint(rate, quality + gain) for rate, quality in curve]
    assert bd_psnr(curve, better, method).value == pytest.approx(gain, abs=1e-6)


@METHODS
@given(curves(), curves())
def test_there_and_back_is_nowhere(method, ours, theirs):
    there, back = bd_rate(ours, theirs, method), bd_rate(theirs, ours, method)
    assert there.holds == back.holds
    if there.holds:
        assert (1 + there.value / 100) * (1 + back.value / 100) == pytest.approx(1, rel=1e-6)


@given(curves(), st.floats(0, 1.5))
def test_too_little_in_common_is_marked_and_not_printed(curve, shift):
    qualities = [quality for _, quality in curve]
    moved = [RatePoint(rate, quality + shift * (max(qualities) - min(qualities))) for rate, quality in curve]
    delta = bd_rate(curve, moved)
    assert delta.overlap == pytest.approx(max(0, 1 - shift), abs=1e-6)
    if shift > 1 - LEAST_OVERLAP + 1e-6:
        assert not delta.holds
        assert delta.text().startswith("none (the curves")
        assert "+" not in delta.text()
    if shift < 1 - LEAST_OVERLAP - 1e-6:
        assert delta.holds


@METHODS
@pytest.mark.parametrize(("test", "percent"), [(X264, 21.9), (SVTAV1, -21.7), (X265, 0.0)])
def test_figures_that_were_computed_elsewhere(method, test, percent):
    assert bd_rate(_curve(X265), _curve(test), method).value == pytest.approx(percent, abs=0.3)


@pytest.mark.parametrize(
    ("curve", "doubt"),
    [
        (X264[:2], "a curve has 2 points, 3 are needed"),
        ([(0.1, 30), (0.2, 32), (0.3, 31)], "quality does not rise"),
        ([(0.1, 30), (0.1, 31), (0.3, 32)], "quality does not rise"),
        ([(0.1, 30), (0.2, math.nan), (0.3, 31)], "without a score"),
        ([(0.1, 50), (0.2, 51), (0.3, 52)], "no common range"),
    ],
)
def test_curves_that_cannot_be_compared(curve, doubt):
    delta = bd_rate(_curve(X265), _curve(curve))
    assert doubt in delta.doubt
    assert math.isnan(delta.value)
    assert doubt in delta.text()


def test_ms_ssim_in_decibels():
    assert decibels(0.99) == pytest.approx(20)
    assert decibels(1.0) == pytest.approx(100)


def _points(codec, factor, video="clip.mkv", shift=0.0):
    return [
        make_point(codec, f"crf {n}", round(1000 * factor * 1.5**n), 28 + 2 * n + shift, video=video) for n in range(5)
    ]


def test_every_curve_is_compared_with_every_other_of_its_video(tmp_path):
    points = [*_points("x264", 1.1), *_points("x265", 1), *_points("x264", 1.1, "b.mkv"), *_points("x265", 1, "b.mkv")]
    found = compare(points)
    (one,) = [
        item
        for item in found
        if (item.video, item.measure, item.codec[0], item.method) == ("b.mkv", "psnr_rgb", "x264", "akima")
    ]
    assert one.anchor == ("x265", "veryslow")
    assert one.rate.value == pytest.approx(10, abs=0.1)
    assert {item.video for item in found} == {"clip.mkv", "b.mkv", MEAN}
    write_bd_rates(points, tmp_path)
    rows = (tmp_path / "bd_rate.csv").read_text().splitlines()
    assert len(rows) == 1 + len(found)


def test_a_mean_over_videos_holds_only_if_all_do(tmp_path):
    points = [*_points("x264", 1), *_points("x265", 1), *_points("x264", 1, "b.mkv"), *_points("x265", 1, "b.mkv", 7.0)]
    means = [item for item in compare(points) if item.video == MEAN and item.measure == "psnr_rgb"]
    assert means
    assert all("does not hold on 1 of 2 videos" in item.rate.doubt for item in means)
    write_bd_rates(points, tmp_path)
    for row in (tmp_path / "bd_rate.csv").read_text().splitlines():
        if row.startswith("mean,psnr_rgb"):
            assert row.split('"')[-1].split(",")[2] == ""


def test_scores_that_are_not_there_are_not_compared():
    bare = [
        replace(point, result=replace(point.result, scores=replace(point.result.scores, psnr_yuv611=math.nan)))
        for point in _points("x264", 1) + _points("x265", 1)
    ]
    assert "psnr_yuv611" not in {item.measure for item in compare(bare)}
