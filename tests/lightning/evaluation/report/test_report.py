import json
import math
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest

from nvrc_components.errors import InputError
from nvrc_lightning.evaluation.bench.point import Point, read_points
from nvrc_lightning.evaluation.report import write_report
from nvrc_lightning.evaluation.report.curves import curves_of
from nvrc_lightning.evaluation.report.settings import settings_section
from tests.lightning.evaluation.report.benches import copy_points
from tests.lightning.evaluation.report.pages import Page, page_of

HOSTILE = "</script><img src=x onerror=alert(1)> \"'&amp; $title {0} %s"


@pytest.fixture(scope="module")
def report(bench):
    return page_of(write_report(bench))


def changed_scores(point: Point, **changes) -> Point:
    return replace(point, result=replace(point.result, scores=replace(point.result.scores, **changes)))


def test_the_page_has_every_part_and_every_id_once(report):
    assert report.sections == [
        "rates", "bd-rate", "time", "bits", "grids", "frames", "settings", "machines", "method"
    ]  # fmt: skip
    ids = [own["id"] for _, own in report.elements if "id" in own]
    assert len(ids) == len(set(ids))
    named = {own[name] for _, own in report.elements for name in ("aria-labelledby", "for") if name in own}
    assert named <= set(ids)
    assert {own["href"] for own in report.all("a")} == {f"#{name}" for name in report.sections}


def test_nothing_is_loaded_from_elsewhere(report):
    addresses = [own[name] for _, own in report.elements for name in ("src", "href", "action", "srcset") if name in own]
    assert len(addresses) > 20
    assert {address.split(",")[0].split(";")[0] for address in addresses if not address.startswith("#")} <= {
        "data:", "data:image/webp", "data:image/png", "data:image/svg+xml"
    }  # fmt: skip
    policy = report.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert policy.startswith("default-src 'none';")
    assert "http" not in policy


def test_pictures_and_tables_can_be_told_by_ear(report):
    assert all(own.get("alt") or own["alt"] == "" for own in report.all("img"))
    assert all(own.get("aria-label") for own in report.all("div", role="region"))
    assert all("scope" in own for own in report.all("th"))


def test_the_plots_hold_the_figures_of_the_points(bench, report):
    videos = ["bunny 0:6", "bunny 10:13"]
    found = {
        (videos[at], curve["label"], point["setting"]): (point["bytes"], point["bpp"], point["psnr_rgb"])
        for curve in report.data["curves"]
        for at, points in enumerate(curve["points"])
        for point in points
    }
    expected = {
        (point.video, point.codec, point.setting): (
            point.result.rate.file_bytes,
            point.result.rate.bpp,
            point.result.scores.psnr_rgb,
        )
        for point in read_points(bench)
    }
    assert found == expected


def test_the_tables_hold_the_figures_of_the_points(bench, report):
    for point in read_points(bench):
        rate, scores = point.result.rate, point.result.scores
        figures = f"{rate.file_bytes:,} {rate.bpp:.4f} {scores.psnr_rgb:.2f} {scores.psnr_yuv611:.2f}"
        assert f"{point.codec} {point.setting} {figures}" in report.text
    assert "MS-SSIM-RGB and MS-SSIM-Y are not defined: frame too small for five scales." in report.text


def measures_to_choose(page):
    return [own["value"] for own in page.all("input", name="measure")]


def test_only_measures_that_are_defined_somewhere_can_be_chosen(bench, report, tmp_path):
    assert measures_to_choose(report) == ["psnr_rgb", "psnr_yuv611"]

    def spoilt(point):
        if point.video == "bunny 10:13":
            return changed_scores(point, psnr_yuv611=math.nan)
        return changed_scores(point, ms_ssim_y=0.9, vmaf=87.654, psnr_yuv611=math.nan)

    page = page_of(write_report(copy_points(bench, tmp_path / "b", spoilt)))
    assert measures_to_choose(page) == ["psnr_rgb", "ms_ssim_y", "vmaf"]
    assert [measure["name"] for measure in page.data["measures"]] == ["psnr_rgb", "ms_ssim_y", "vmaf"]
    assert [own["data-measure"] for own in page.all("div") if "data-measure" in own] == measures_to_choose(page)
    assert "0.9000 87.65" in page.text
    alone = copy_points(bench, tmp_path / "c", lambda point: changed_scores(point, psnr_yuv611=math.nan))
    assert measures_to_choose(page_of(write_report(alone))) == []  # one is no choice


def test_a_setting_that_moves_along_a_curve_stands_once_with_all_its_values(bench):
    def text(option):
        points = [point for point in read_points(bench) if point.codec == "x265"]
        told = [replace(p, settings={"options": option(p.setting.split()[1], at)}) for at, p in enumerate(points)]
        return Page(settings_section(curves_of(told))).text

    assert text(lambda crf, _: f"preset=2 crf={crf} keyint=-1").endswith("preset=2 crf={20, 26, 32, 38} keyint=-1")
    assert text(lambda crf, at: f"crf={crf} a={at}").endswith("crf=20 a=3, crf=26 a=2, crf=32 a=1, crf=38 a=0")
    assert text(lambda crf, at: f"pass {'one' if at else 'two'}").endswith("pass one, pass two")
    assert text(lambda crf, at: "crf=2").endswith("options crf=2")


def test_the_comparator_matches_rates_and_tells_each_frames_psnr(bench, report):
    first = report.data["comparator"][0]
    points = {(point.video, point.codec, point.setting): point for point in read_points(bench)}
    source, *streams = first["streams"]
    assert (source["label"], source["bytes"]) == ("source", None)
    for stream in streams:
        scores = points["bunny 0:6", stream["label"], stream["setting"]].result.scores
        assert stream["psnr"] == [scores.psnr_rgb_per_frame[frame] for frame in first["frames"]]
    for level in first["levels"]:
        assert [first["streams"][at]["label"] for at in level["streams"]] == ["nvrc_lite", "x264", "x265"]
    assert len(report.all("img", width="192")) >= len(first["streams"]) * len(first["frames"])


def test_the_same_folder_gives_the_same_files(bench, report):
    def contents():
        return [
            (path.name, path.read_bytes()) for path in (bench / "report.html", *sorted((bench / "plots").iterdir()))
        ]

    before = contents()
    write_report(bench)
    assert contents() == before


def test_plots_are_also_pictures(bench, report):
    names = {path.name for path in (bench / "plots").iterdir()}
    assert names == {f"rate_distortion_{at}.{kind}" for at in (1, 2) for kind in ("svg", "png")}
    assert ET.parse(bench / "plots" / "rate_distortion_1.svg").getroot().tag.endswith("svg")
    assert (bench / "plots" / "rate_distortion_1.png").read_bytes().startswith(b"\x89PNG")


def test_hostile_names_are_only_words(bench, tmp_path):
    def spoilt(point):
        result = replace(point.result, run=replace(point.result.run, commit=HOSTILE, versions={HOSTILE: HOSTILE}))
        own = {"codec": HOSTILE, "variant": HOSTILE, "setting": f"{HOSTILE} {point.setting}", "result": result}
        return replace(point, **own, settings={HOSTILE: HOSTILE}) if point.video == "bunny 0:6" else None

    page = page_of(write_report(copy_points(bench, tmp_path / "bench", spoilt)))
    assert not [own for _, own in page.elements if own.get("src") == "x" or "onerror" in own]
    assert " ".join(HOSTILE.split()) in page.text
    assert {curve["label"] for curve in page.data["curves"]} == {HOSTILE}


@pytest.mark.parametrize(
    ("codecs", "absent"),
    [({"x264", "x265"}, {"bits", "grids"}), ({"nvrc_lite"}, {"bd-rate"}), ({"x265"}, {"bd-rate", "bits", "grids"})],
)
def test_some_codecs_alone_leave_out_what_does_not_apply(bench, tmp_path, codecs, absent):
    page = page_of(write_report(copy_points(bench, tmp_path / "b", lambda p: p if p.codec in codecs else None)))
    assert absent.isdisjoint(page.sections)
    assert {"rates", "time", "frames", "settings", "machines"} <= set(page.sections)
    assert {curve["label"] for curve in page.data["curves"]} == codecs


def test_one_point_makes_a_report(bench, tmp_path):
    page = page_of(write_report(copy_points(bench, tmp_path / "b", lambda p: p if p.setting == "crf 22" else None)))
    (video,) = page.data["comparator"]
    assert [stream["label"] for stream in video["streams"]] == ["source", "x264"]
    assert page.text.startswith("bunny 0:6 ")


def test_identical_frames_and_undefined_scores_are_said_in_words(bench, tmp_path):
    infinite = (math.inf,) * 6

    def spoilt(point):
        if point.setting == "crf 22":
            return changed_scores(point, psnr_rgb=100.0, psnr_rgb_per_frame=infinite)
        if point.setting == "crf 28":
            undefined = dict.fromkeys(("psnr_yuv611", "psnr_y", "psnr_u", "psnr_v"), "source is RGB")
            return changed_scores(point, **dict.fromkeys(undefined, math.nan), undefined=undefined)
        return None

    page = page_of(write_report(copy_points(bench, tmp_path / "b", spoilt)))
    assert "identical" in page.text
    assert "PSNR-YUV 6:1:1 is not defined: source is RGB" in page.text
    assert [p["psnr_yuv611"] is None for p in page.data["curves"][0]["points"][0]] == [True, False]
    assert any(None in stream.get("psnr", ()) for stream in page.data["comparator"][0]["streams"])


def test_without_the_source_the_codecs_are_compared_with_each_other(bench, tmp_path):
    folder = copy_points(bench, tmp_path / "b", lambda p: p if p.video == "bunny 0:6" else None)
    for path in (folder / "videos").glob("*.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"sha256": "0" * 64}))
    page = page_of(write_report(folder))
    assert "source" not in [stream["label"] for stream in page.data["comparator"][0]["streams"]]


def test_a_folder_without_points_is_refused(tmp_path):
    with pytest.raises(InputError, match="no points in it"):
        write_report(tmp_path)
