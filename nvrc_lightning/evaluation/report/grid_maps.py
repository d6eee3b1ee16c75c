"""Heat maps of the feature grids of our files: where the entropy coder spends its bits."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from nvrc_lightning.evaluation.bench.point import Point
from nvrc_lightning.evaluation.report.curves import Curve
from nvrc_lightning.evaluation.report.grid_bits import GridBits, grid_bits
from nvrc_lightning.evaluation.report.markup import Markup, join, tag
from nvrc_lightning.evaluation.report.measures import count
from nvrc_lightning.evaluation.report.pictures import heat_map

__all__ = ["grid_maps_section"]

_ON_PAPER = "On paper only the middle file of each curve has its maps; the page on the screen has them of all files."
_ALMOST_ALL = 99  # percent of the values that the scale reaches, so that single symbols do not darken the rest


def grid_maps_section(folder: Path, videos: Sequence[str], curves: Sequence[Curve]) -> Markup:
    """Maps of every file of ours, the middle one of each curve unfolded; empty where no file has grids."""
    own = [curve for curve in curves if curve.own]
    maps = join(_video(folder, video, own) for video in videos if any(video in curve.points for curve in own))
    return join([maps, tag("p", _ON_PAPER, class_="note paper")]) if maps else maps


def _video(folder: Path, video: str, own: Sequence[Curve]) -> Markup:
    files = []
    for curve in own:
        points = curve.points.get(video, ())
        for number, point in enumerate(points):
            if levels := grid_bits(folder / point.stream):
                files.append(_file(curve, point, levels, unfolded=number == len(points) // 2))
    return join([tag("h3", video), *files]) if files else Markup()


def _file(curve: Curve, point: Point, levels: Sequence[GridBits], unfolded: bool) -> Markup:
    """All grids of a file on one scale."""
    top = _round_up(float(np.percentile(np.concatenate([level.maps.ravel() for level in levels]), _ALMOST_ALL)))
    total = sum(level.bits for level in levels) / 8
    share = f"{count(total)} of {count(point.result.rate.file_bytes)} bytes are in these grids"
    name = f"{curve.label}, {point.setting}"
    maps = tag("div", *(_level(number, level, top, point) for number, level in enumerate(levels)), class_="levels")
    kind = "maps" if unfolded else "maps screen-only"
    return tag("details", tag("summary", f"{name}: {share}"), _scale(top), maps, class_=kind, open=unfolded)


def _scale(top: float) -> Markup:
    """The colours and what they stand for."""
    ramp = heat_map(np.linspace(0, top, 256, dtype=np.float32)[None], top)
    return tag("div", "0", tag("img", src=ramp, alt=""), f"{top:g} bit/parameter or more", class_="scale")


def _level(number: int, level: GridBits, top: float, point: Point) -> Markup:
    """One grid: its figures and its slices."""
    height, width = level.maps.shape[1:]
    facts = tag(
        "div",
        tag("h4", f"Grid {number + 1}: {level.mean:.2f} bit/parameter"),
        tag("p", f"{level.slices} × {level.channels} × {height} × {width}"),
        tag("p", f"{count(level.parameters)} parameters, {count(level.bits / 8)} bytes"),
        tag("p", tag("code", level.name)),
    )
    frames = point.result.scores.frames
    figures = [_slice(level, at, top, frames) for at in range(len(level.shown))]
    return tag("div", facts, tag("div", *figures, class_="slices"), class_="level")


def _slice(level: GridBits, at: int, top: float, frames: int) -> Markup:
    height, width = level.maps.shape[1:]
    caption = f"{_time_of(level.shown[at], level.slices, frames)}: {level.maps[at].mean():.2f} bit"
    alt = f"bits per parameter of slice {level.shown[at]}, {caption} in the mean"
    image = tag("img", src=heat_map(level.maps[at], top), width=width, height=height, alt=alt)
    return tag("figure", image, tag("figcaption", caption))


def _time_of(number: int, slices: int, frames: int) -> str:
    """Which frame a slice is the centre of."""
    return f"frame {int((number + 0.5) * frames / slices)}"


def _round_up(value: float) -> float:
    """The next round figure; 1 for nothing at all."""
    if value <= 0:
        return 1.0
    power = 10.0 ** np.floor(np.log10(value))
    return float(next(step * power for step in (1, 1.5, 2, 3, 4, 5, 6, 8, 10) if step * power >= value))
