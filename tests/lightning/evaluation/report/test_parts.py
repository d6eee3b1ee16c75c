import base64
import io
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from nvrc_components.bitstream.container import read_container
from nvrc_lightning.evaluation.anchors import PublishedPoint
from nvrc_lightning.evaluation.bench.point import Point, read_points
from nvrc_lightning.evaluation.metrics import Scores
from nvrc_lightning.evaluation.report.bd_matrix import bd_section
from nvrc_lightning.evaluation.report.budget import budget_section
from nvrc_lightning.evaluation.report.curves import curves_of
from nvrc_lightning.evaluation.report.frames import album_of
from nvrc_lightning.evaluation.report.grid_bits import grid_bits
from nvrc_lightning.evaluation.report.lines import lines_of
from nvrc_lightning.evaluation.report.looks import anchor_look, look_of
from nvrc_lightning.evaluation.report.markup import tag
from nvrc_lightning.evaluation.report.matching import levels_of
from nvrc_lightning.evaluation.report.measures import bpp, span
from nvrc_lightning.evaluation.report.pictures import heat_map, to_rgb8, webp_uri
from nvrc_lightning.evaluation.report.rates import plot_data, rates_section
from nvrc_lightning.evaluation.report.static_plots import draw
from nvrc_lightning.evaluation.report.times import times_section
from nvrc_lightning.evaluation.result import Cost, Rate, Result
from tests.lightning.evaluation.report.benches import RUN
from tests.lightning.evaluation.report.pages import Page


def made(codec, rates, psnr=30.0, slope=4.0, video="clip", suffix=".mkv", cost=None):
    """Points on a straight line over the logarithm of the rate; a byte is a bit per pixel times 1000."""
    points = []
    for rate in rates:
        score = psnr + slope * math.log2(rate / 1000)
        scores = Scores(4, score, score + 4, score, score, score, 0.9, (score,) * 4)
        result = Result(video, codec, Rate(rate, 8000), scores, cost or Cost({"encode": 1.0}, 0.1, 40.0), RUN)
        points.append(Point(video, codec, "", f"crf {rate}", result, f"streams/{codec}{rate}{suffix}"))
    return points


def opened(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).convert("RGB"))


@given(st.lists(st.lists(st.integers(1, 10**6), min_size=1, max_size=6, unique=True), min_size=1, max_size=5))
def test_every_codec_is_shown_at_its_point_nearest_to_the_rate(rates):
    curves = curves_of([point for number, own in enumerate(rates) for point in made(f"c{number}", own)])
    levels = levels_of("clip", curves)
    assert 1 <= len(levels) <= 2
    for level in levels:
        assert level.bpp in [point.result.rate.bpp for point in curves[0].points["clip"]]
        for number, chosen in level.points:
            distances = [abs(math.log(p.result.rate.bpp / level.bpp)) for p in curves[number].points["clip"]]
            assert abs(math.log(chosen.result.rate.bpp / level.bpp)) == pytest.approx(min(distances))
    assert len({round(level.bpp, 9) for level in levels}) == len(levels)


def test_the_rate_where_all_codecs_have_a_point_comes_first():
    curves = curves_of([*made("ours", (100, 400, 1600), suffix=".nvrc"), *made("x264", (390, 5000))])
    assert levels_of("clip", curves)[0].bpp == pytest.approx(0.4)


class Noise:
    """Frames that no coder can shorten."""

    def source(self, video, indices):
        return self.pictures(indices)

    def decoded(self, point, indices):
        return self.pictures(indices)

    def pictures(self, indices):
        return [np.random.default_rng(index).integers(0, 256, (400, 700, 3), np.uint8) for index in indices]


@pytest.mark.parametrize(("pictures", "frames", "levels"), [(100, 4, 2), (10, 3, 1), (7, 2, 1), (0, 1, 1)])
def test_a_report_carries_as_many_frames_as_fit(pictures, frames, levels):
    curves = curves_of([*made("a", (100, 400)), *made("b", (100, 400))])
    album = album_of("clip", curves, Noise(), pictures * 4 * 640 * 360)
    assert (len(album.frames), len(album.levels)) == (frames, levels)
    assert (album.size, album.whole) == ((640, 360), (700, 400))
    assert all(len(stream.pictures) == frames for stream in album.streams)
    middle = Noise().pictures(album.frames)[0][20:380, 30:670]
    assert np.array_equal(opened(album.streams[0].pictures[0]), middle)


def test_pictures_lose_nothing_and_deep_ones_their_lowest_bits():
    deep = torch.randint(0, 1024, (3, 6, 10), dtype=torch.int16)
    picture = to_rgb8(deep, 10)
    assert np.array_equal(picture, (deep.permute(1, 2, 0).numpy() // 4))
    assert np.array_equal(opened(webp_uri(picture)), picture)


def test_a_map_is_brighter_where_more_bits_are_and_stops_at_its_top():
    row = np.array([[0, 1, 2, 3, 4, 9]], np.float32)
    colours = opened(heat_map(row, 4.0))[0].astype(int)
    assert (np.diff(colours.sum(1)[:5]) > 0).all()
    assert (colours[4] == colours[5]).all()


def test_the_maps_bits_are_those_of_the_file(bench):
    for point in read_points(bench):
        if point.codec == "nvrc_lite":
            levels = grid_bits(bench / point.stream)
            sections = {section.name: len(section.payload) for section in read_container(bench / point.stream)}
            total = sum(level.bits for level in levels) / 8
            assert abs(sections["grids"] - total) <= 0.005 * total + 64
            assert [level.name for level in levels][:2] == ["stem.levels.0.features", "stem.levels.1.features"]
            last = levels[-1]
            assert last.maps.shape == (len(last.shown), 64, 96)
            if last.slices == len(last.shown):
                assert last.maps.mean() == pytest.approx(last.mean, rel=1e-4)


def test_bars_are_cut_as_the_sections_are_long():
    points = made("ours", (1000, 2000), suffix=".nvrc")
    sizes = {f"group:{name}": 100 for name in "abcdefgh"} | {"group:a": 300}
    points = [
        replace(p, result=replace(p.result, rate=replace(p.result.rate, sections=sizes))) for p in points[:1]
    ]  # fmt: skip
    page = Page(budget_section(["clip"], curves_of(points)))
    pieces = [own for own in page.all("span") if "flex" in own.get("style", "")]
    assert [int(own["style"].split()[1]) for own in pieces] == [300, 100, 100, 100, 100, 100, 200]
    assert pieces[0]["title"] == "group:a: 300 bytes, 30.0 %"
    assert "others 20.0 %" in page.all("div", role="img")[0]["aria-label"]
    assert budget_section(["clip"], curves_of(made("x264", (10,)))) == ""


def test_bd_rates_are_given_where_they_hold_and_doubted_where_not():
    points = [*made("a", (100, 200, 400, 800)), *made("b", (50, 100, 200, 400), psnr=34.0)]
    points += made("far", (100, 200, 400), psnr=90.0)
    page = Page(bd_section(points, {}, ["clip"], lines_of(curves_of(points), {})))
    assert "a – +100 none a" in page.text
    assert "b −50.0 – none a" in page.text
    assert "a: the curves have no common range." in page.text
    assert len(page.all("td", **{"class": "weak"})) == 4 + 4 + 6  # MS-SSIM does not rise


def test_only_the_first_measures_matrices_are_shown_at_first():
    points = [*made("a", (100, 200, 400)), *made("b", (100, 200, 400))]
    page = Page(bd_section(points, {}, ["clip"], lines_of(curves_of(points), {})))
    parts = [own for own in page.all("div") if "data-measure" in own]
    assert [(own["data-measure"], "hidden" in own) for own in parts] == [
        ("psnr_rgb", False), ("psnr_yuv611", True), ("ms_ssim_rgb", True)
    ]  # fmt: skip
    assert "There is no video on which MS-SSIM-RGB" not in page.text


def test_published_curves_are_columns_of_the_bd_rates_and_no_rows():
    one = PublishedPoint("UVG", "Beauty", "VTM-17", "", "", 0.1, 34.0, math.nan, math.nan, math.nan, "a paper")
    published = {"clip": tuple(replace(one, bpp=0.1 * 2**at, psnr_rgb=34.0 + 4 * at) for at in range(3))}
    points = made("ours", (100, 200, 400), psnr=42.0 + 4 * math.log2(10) - 8, suffix=".nvrc")
    page = Page(bd_section(points, published, ["clip"], lines_of(curves_of(points), published)))
    assert list(page.all("th", scope="row")) == [{"scope": "row"}]
    assert "ours VTM-17 (published) ours – " in page.text


def test_published_curves_are_drawn_beside_the_measured_ones_with_their_source():
    anchor = PublishedPoint(
        "UVG", "Beauty", "VTM-17", "random access", "", 0.02, 34.5, math.nan, math.nan, math.nan, "a paper"
    )
    curves = curves_of(made("x264", (100, 200)))
    lines = lines_of(curves, {"clip": (anchor, replace(anchor, bpp=0.04, psnr_rgb=35.5))})
    drawn = plot_data(["clip"], lines)["curves"][1]
    assert (drawn["label"], drawn["anchor"]) == ("VTM-17, random access (published)", True)
    assert [(p["bpp"], p["psnr_rgb"], p["psnr_yuv611"], p["bytes"]) for p in drawn["points"][0]] == [
        (0.02, 34.5, None, None), (0.04, 35.5, None, None)
    ]  # fmt: skip
    page = Page(rates_section(["clip"], curves, lines, {"clip": "data:,"}))
    assert "VTM-17, random access (published) – 0.0200 34.50 – –" in page.text
    assert "VTM-17, random access (published): a paper." in page.text
    panel = draw("clip", lines).axes[0]
    assert [line.get_linestyle() for line in panel.get_lines()] == ["-", "--"]


def test_published_curves_are_told_apart_by_their_dashes():
    looks = [anchor_look(number) for number in range(5)]
    assert len({look.dash for look in looks}) == 5
    assert [look.anchor for look in (*looks, look_of(0))] == [True] * 5 + [False]


def test_static_plots_have_a_panel_for_each_measure_and_all_names():
    points = [replace(p, result=replace(p.result, scores=replace(p.result.scores, vmaf=70 + at)))
              for at, p in enumerate(made("x264", (100, 200)))]  # fmt: skip
    figure = draw("clip", lines_of(curves_of([*points, *made("x265", (90, 300))]), {}))
    shown = [axes.get_title(loc="left") for axes in figure.axes if axes.axison]
    assert shown == ["PSNR-RGB", "PSNR-YUV 6:1:1", "MS-SSIM-RGB", "VMAF"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["x264", "x265"]


@pytest.mark.parametrize("rates", [(1000,), (990, 1000), (10, 30), (3, 9000), (500, 1900)])
def test_static_plots_have_a_few_plain_ticks(rates):
    axes = draw("clip", lines_of(curves_of(made("x264", rates)), {})).axes[0]
    ticks = axes.get_xticks()
    assert 2 <= len(ticks) <= 9
    low, high = axes.get_xlim()
    assert all(low <= tick <= high for tick in ticks)
    assert [float(label.get_text()) for label in axes.get_xticklabels()] == pytest.approx(ticks)


def test_times_are_in_units_that_suit_them():
    costs = [Cost({"fit": fit}, decode, 5.0) for fit, decode in ((0.034, 0.5), (45.2, 0.5), (3725.0, 0.5))]
    points = [p for n, cost in enumerate(costs) for p in made(f"c{n}", (100,), cost=cost)]
    text = Page(times_section(["clip"], curves_of(points))).text
    assert "34 ms 500 ms 5" in text
    assert "45.2 s" in text
    assert "1 h 02 min" in text


def luminance(colour):
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(one, other):
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def test_curves_stand_out_from_the_page_and_from_each_other():
    looks = [look_of(number) for number in range(72)]
    assert all(contrast(look.light, "#ffffff") >= 3 for look in (*looks, anchor_look(0)))
    assert all(contrast(look.dark, "#12161b") >= 3 for look in (*looks, anchor_look(0)))
    assert len({(look.light, look.symbol) for look in looks}) == 72
    assert len({look.symbol for look in looks[:9]}) == 9


def test_text_is_escaped_and_markup_is_not():
    inner = tag("b", "<i>")
    assert tag("p", inner, "&", title='"<', data_x=1, hidden=True, lang=False) == (
        '<p title="&quot;&lt;" data-x="1" hidden><b>&lt;i&gt;</b>&amp;</p>'
    )


def test_figures_read_as_people_write_them():
    assert [bpp(value) for value in (1.5, 0.01, 0.004567)] == ["1.5000", "0.0100", "0.00457"]
    assert span([None, 3.0, 1.0], ".0f") == "1–3"
    assert (span([2.0, 2.0], ".0f"), span([None, math.nan])) == ("2", "–")
