import csv
import math
from dataclasses import replace
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path

import pytest

import nvrc_lightning.evaluation.anchors as anchors
from nvrc_components.video_format import Chroma, ColourMatrix, ColourRange, VideoFormat
from nvrc_lightning.data.options import NO_GEOMETRY, RawGeometry
from nvrc_lightning.evaluation.anchors import (
    DATA_SETS,
    find_sequences,
    find_set,
    published_average,
    published_points,
)
from nvrc_lightning.evaluation.anchors.rows import read_rows
from nvrc_lightning.evaluation.bench.bd_rate import RatePoint, bd_rate
from nvrc_lightning.evaluation.bench.comparison import compare
from nvrc_lightning.evaluation.bench.literature import complete_geometry, literature, remarks
from nvrc_lightning.evaluation.bench.reference import Reference
from tests.lightning.evaluation.bench.helpers import make_point

FILES = sorted(path.name for path in Path(anchors.__file__).parent.glob("*.csv"))
BEAUTY = "Beauty_1920x1080_120fps_420_8bit_YUV.yuv"


def _reference(name=BEAUTY, frames=600, width=1920):
    fmt = VideoFormat(width, 1080, frames, Fraction(120), 8, Chroma.YUV420, ColourMatrix.BT601, ColourRange.LIMITED)
    return Reference(name, f"../{name}", ":", NO_GEOMETRY, fmt, "0" * 64)


@pytest.mark.parametrize("name", FILES)
def test_every_row_has_its_source_and_all_its_columns(name):
    rows = read_rows(name)
    assert rows
    for row in rows:
        assert row["source"].startswith(("arXiv ", "github.com/", "JVET-"))
        assert None not in row
        assert None not in row.values()


def _curves():
    rows = read_rows("points.csv")
    keys = ("data_set", "sequence", "codec", "variant")
    for name, group in groupby(rows, key=lambda row: tuple(row[key] for key in keys)):
        yield name, list(group)


def test_every_curve_rises():
    names = [name for name, _ in _curves()]
    assert len(names) == len(set(names))
    for name, rows in _curves():
        assert len(rows) >= 5
        for score in ("psnr_rgb", "psnr_yuv611", "psnr_y", "ms_ssim_rgb"):
            values = [float(row[score]) for row in rows if row[score]]
            assert len(values) in (0, len(rows)), name
            assert all(a < b for a, b in pairwise(values)), (name, score)
        assert all(a < b for a, b in pairwise(float(row["bpp"]) for row in rows)), name


def test_averages_are_those_of_the_sequences():
    for codec, variant in (("HiNeRV", "run again by its authors"), ("HiNeRV", "figures of the paper")):
        curves = {name[1]: rows for name, rows in _curves() if name[0] == "UVG" and name[2:] == (codec, variant)}
        average = curves.pop("average")
        assert len(curves) == 7
        for score, digits in (("bpp", 1e-4), ("psnr_rgb", 2e-3), ("ms_ssim_rgb", 1e-4)):
            for index, row in enumerate(average):
                mean = sum(float(rows[index][score]) for rows in curves.values()) / 7
                assert float(row[score]) == pytest.approx(mean, abs=digits)


def test_bd_rates_of_averaged_curves_are_those_computed_elsewhere():
    def curve(codec, variant):
        points = published_average("UVG")
        return [RatePoint(p.bpp, p.psnr_rgb) for p in points if (p.codec, p.variant) == (codec, variant)]

    vtm, c3 = curve("VTM-17", "random access"), curve("C3", "adaptive")
    hinerv = curve("HiNeRV", "run again by its authors")
    assert bd_rate(vtm, hinerv).value == pytest.approx(17.5, abs=1)
    assert bd_rate(vtm, c3).value == pytest.approx(92.5, abs=3)
    assert bd_rate(hinerv, c3).value == pytest.approx(54.7, abs=3)


def test_the_tables_of_nvrc():
    rows = {(row["data_set"], row["colour"], row["score"], row["anchor"]): row for row in read_rows("bd_rates.csv")}
    assert rows["UVG", "RGB", "PSNR", "VTM-20 RA"]["bd_rate_percent"] == "-23.42"
    assert rows["JVET B", "YUV", "PSNR", "VTM-20 RA"]["bd_rate_percent"] == "9.57"
    assert all(math.isfinite(float(row["bd_rate_percent"])) for row in rows.values())
    assert [float(row["bd_rate_psnr_percent"]) for row in read_rows("ablations.csv")] == [
        13.04,
        11.06,
        23.37,
        30.84,
        14.42,
    ]


def test_sequences_are_of_known_sets_and_their_points_of_known_sequences():
    rows = read_rows("sequences.csv")
    known = {(row["data_set"], row["sequence"]) for row in rows}
    assert len(known) == len(rows) == 7 + 30 + 5 + 5
    assert {data_set for data_set, _ in known} == set(DATA_SETS)
    published = {(row["data_set"], row["sequence"]) for row in read_rows("points.csv")}
    assert {name for name in published if name[1] != "average"} <= known


@pytest.mark.parametrize("name", [BEAUTY, BEAUTY.lower(), "beauty.mkv", f"UVG/{BEAUTY}", BEAUTY.removesuffix(".yuv")])
def test_a_sequence_is_found_by_its_name(name):
    (found,) = find_sequences(name)
    assert (found.data_set, found.sequence, found.frames) == ("UVG", "Beauty", 600)


def test_names_that_no_sequence_has():
    assert find_sequences("bunny") == find_sequences("Beauty_of_nature.yuv") == find_sequences("") == ()
    assert {item.data_set for item in find_sequences("Cactus_1920x1080_50.yuv")} == {"HEVC B", "JVET B"}
    (found,) = find_sequences("ReadySteadyGo_1920x1080_120fps_420_8bit_YUV.yuv")
    assert found.sequence == "ReadySetGo"


@pytest.mark.parametrize(
    ("place", "expected"),
    [("UVG/x.yuv", {"UVG"}), ("d/jvet_b", {"JVET B"}), ("mcl-jcv/*.yuv", {"MCL-JCV"}), ("B", set())],
)
def test_a_data_set_is_found_by_its_folder(place, expected):
    assert {item.data_set for item in find_set(Path(place))} == expected


def test_what_is_named_like_a_sequence_must_be_it():
    (known,) = find_sequences(BEAUTY)
    fmt = _reference().format
    assert known.mismatch(fmt) == ""
    assert "has 96 frames of 960x1080, 8 bit instead of 600 frames of 1920x1080, 8 bit" in known.mismatch(
        replace(fmt, frames=96, width=960)
    )
    pinned = replace(known, sha256="1" * 64)
    assert pinned.mismatch(fmt, "1" * 64) == ""
    assert "other samples" in pinned.mismatch(fmt, "2" * 64)


def test_the_literature_stands_beside_the_whole_sequence_only():
    whole, part = _reference(), _reference(frames=96)
    points = literature([whole, _reference("clip.mkv")])
    assert list(points) == [BEAUTY]
    assert {point.codec for point in literature([whole])[BEAUTY]} == {"C3", "HiNeRV", "VTM-17"}
    assert literature([part]) == {}
    assert remarks(whole) == remarks(_reference("clip.mkv")) == ()
    (remark,) = remarks(part)
    assert "named like Beauty of UVG, but has 96 frames" in remark
    assert "ultravideo.fi" in remark


def test_a_curve_on_a_known_sequence_is_compared_with_published_ones():
    points = [make_point("x265", f"crf {n}", 1000 * 3**n, 33.2 + n / 2, video=BEAUTY) for n in range(4)]
    found = compare(points, {BEAUTY: published_points("UVG", "Beauty")})
    against = {item.anchor for item in found if item.measure == "psnr_rgb"}
    assert ("VTM-17 (published)", "random access") in against
    assert {item.codec for item in found} == {("x265", "veryslow")}
    assert {item.anchor[0] for item in found if item.measure == "ms_ssim_rgb"} == {"HiNeRV (published)"}


def test_headerless_files_of_known_sequences_need_no_geometry():
    raw = complete_geometry(BEAUTY, NO_GEOMETRY)
    assert (raw.width, raw.height, raw.rate, raw.matrix) == (1920, 1080, "120", ColourMatrix.BT601)
    deep = complete_geometry("MarketPlace_1920x1080_60fps_10bit_420.yuv", NO_GEOMETRY)
    assert deep.pix_fmt == "yuv420p10le"
    own = RawGeometry(width=8, height=8)
    assert complete_geometry(BEAUTY, own) == own
    assert complete_geometry("clip.yuv", NO_GEOMETRY) == NO_GEOMETRY
    assert complete_geometry(BEAUTY.replace(".yuv", ".mkv"), NO_GEOMETRY) == RawGeometry(matrix=ColourMatrix.BT601)
    assert complete_geometry("clip.mkv", NO_GEOMETRY) == NO_GEOMETRY


def test_the_data_files_are_plain_csv():
    for name in FILES:
        text = (Path(anchors.__file__).parent / name).read_text()
        assert text.isascii()
        assert next(csv.reader(text.splitlines()))[-1] == "source"
