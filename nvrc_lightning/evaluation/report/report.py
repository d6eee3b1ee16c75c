"""The report of a bench: everything its folder holds, as one HTML file that needs nothing else."""

from collections.abc import Sequence
from pathlib import Path

from nvrc_components.atomic import atomic_path
from nvrc_components.errors import InputError
from nvrc_lightning.evaluation.bench.literature import literature
from nvrc_lightning.evaluation.bench.point import Point, read_points
from nvrc_lightning.evaluation.bench.reference import read_references
from nvrc_lightning.evaluation.report import texts
from nvrc_lightning.evaluation.report.bd_matrix import bd_section
from nvrc_lightning.evaluation.report.budget import budget_section
from nvrc_lightning.evaluation.report.comparator import comparator_data, comparator_section
from nvrc_lightning.evaluation.report.curves import Curve, curves_of, videos_of
from nvrc_lightning.evaluation.report.frames import Album, album_of
from nvrc_lightning.evaluation.report.grid_maps import grid_maps_section
from nvrc_lightning.evaluation.report.lines import Line, lines_of
from nvrc_lightning.evaluation.report.markup import join, tag
from nvrc_lightning.evaluation.report.page import Section, page
from nvrc_lightning.evaluation.report.pictures import data_uri
from nvrc_lightning.evaluation.report.rates import plot_data, rates_section
from nvrc_lightning.evaluation.report.reader import BenchReader
from nvrc_lightning.evaluation.report.settings import runs_section, settings_section
from nvrc_lightning.evaluation.report.static_plots import draw, write_pictures
from nvrc_lightning.evaluation.report.times import times_section

__all__ = ["PLOTS", "REPORT", "write_report"]

REPORT = "report.html"
"""The report's name in the folder of a bench."""

PLOTS = "plots"
"""Folder of the plots as pictures, inside that of a bench."""

_FRAME_BYTES = 7_500_000  # of all frames together, as data URIs, so that a report of three clips stays below 12 MB


def write_report(folder: str | Path) -> Path:
    """Write `report.html` into the folder of a bench, and its plots as SVG and PNG beside it.

    What is written depends on what lies in the folder, and on the sources, alone.

    Returns:
        The report.

    Raises:
        InputError: the folder holds no points, a coded file is missing, or the report cannot be written.
        BitstreamError: a coded file is damaged.
    """
    place = Path(folder)
    points = read_points(place)
    if not points:
        raise InputError(f"{folder}: no points in it; 'nvrc bench VIDEO... --out {folder}' measures some")
    text = _text(place, points)
    with atomic_path(place / REPORT, force=True) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return place / REPORT


def _text(folder: Path, points: Sequence[Point]) -> str:
    """The page."""
    videos, curves = videos_of(points), curves_of(points)
    published = literature(read_references(folder).values())
    lines = lines_of(curves, published)
    reader = BenchReader(folder)
    albums = [album_of(video, curves, reader, _FRAME_BYTES // len(videos)) for video in videos]
    rates = rates_section(videos, curves, lines, _pictures(folder, videos, lines))
    sections = [
        Section("rates", "Rate and distortion", texts.RATES, rates),
        Section("bd-rate", "BD-rate", texts.BD, bd_section(points, published, videos, lines)),
        Section("time", "Time and memory", texts.TIMES, times_section(videos, curves)),
        Section("bits", "What the bytes are spent on", texts.BITS, budget_section(videos, curves)),
        Section("grids", "Bits per parameter of the grids", texts.GRIDS, grid_maps_section(folder, videos, curves)),
        _frames(albums, curves),
        Section("settings", "Settings", texts.SETTINGS, settings_section(curves)),
        Section("machines", "Machines, versions and seeds", texts.RUNS, runs_section(points)),
        Section("method", "How it was measured", texts.HOW, tag("p", texts.HOW_IN_FULL)),
    ]
    data = plot_data(videos, lines) | {"comparator": comparator_data(albums, curves)}
    title = videos[0] if len(videos) == 1 else f"Rate and distortion of {len(videos)} videos"
    return page(title, _lead(videos, curves, points), texts.FOOTER, sections, data)


def _lead(videos: Sequence[str], curves: Sequence[Curve], points: Sequence[Point]) -> str:
    """What was compared, in one sentence."""
    *others, last = dict.fromkeys(curve.codec for curve in curves)
    codecs = f"{', '.join(others)} and {last}" if others else last
    whose = "" if len(videos) == 1 else f" on {', '.join(videos)}"
    files = f"{len(points)} coded files" if len(points) > 1 else "one coded file"
    return f"{codecs}{whose}: {files}, decoded and scored by the same code."


def _pictures(folder: Path, videos: Sequence[str], lines: Sequence[Line]) -> dict[str, str]:
    """The plots as data URIs by video, also written as files of their own."""
    (folder / PLOTS).mkdir(exist_ok=True)
    pictures = {}
    for number, video in enumerate(videos):
        svg = write_pictures(draw(video, lines), folder / PLOTS / f"rate_distortion_{number + 1}")
        pictures[video] = data_uri("svg+xml", svg)
    return pictures


def _frames(albums: Sequence[Album], curves: Sequence[Curve]) -> Section:
    """The comparator, with what was chosen for it."""
    chosen = tag("p", f"{texts.CHOICE} {'; '.join(map(_chosen, albums))}.", class_="note")
    body = join([comparator_section(albums, curves), chosen])
    return Section("frames", "Frames side by side", texts.FRAMES, body)


def _chosen(album: Album) -> str:
    """Which frames of a video the page carries."""
    (width, height), (whole_width, whole_height) = album.size, album.whole
    window = "" if album.size == album.whole else f", the middle of {whole_width} × {whole_height}"
    numbers = ", ".join(map(str, album.frames))
    return f"{album.video}: {numbers} of 0–{album.total - 1}, {width} × {height} pixels{window}"
